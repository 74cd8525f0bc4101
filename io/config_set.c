#include "io/config_set.h"

#include <stdlib.h>
#include <string.h>

/* One override on its way through the tree. */
typedef struct walk {
    arena *a;
    yaml_place at;    /* "--set tasks.seeds=2" */
    const char *rest; /* what of the path is still to be walked */
    const char *end;  /* the equals sign */
} walk;

static const char key_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

static status malformed(const walk *w)
{
    const yaml_node here = {.at = w->at};
    return FAIL_AT(&here, "expected key=value with a key like tasks.seeds or models[0].name");
}

/* The value of `key` below `node`, made where it is absent: empty for now, the next step or the value fills it. */
static status step_to_key(walk *w, yaml_node *node, yaml_node **out)
{
    const size_t n = strspn(w->rest, key_letters);
    char *key = NULL;
    if (n == 0) {
        return malformed(w);
    }
    TRY_TEXT(key, w->a, "%.*s", (int)n, w->rest);
    if (yaml_is_null(node)) {
        node->kind = YAML_MAPPING;
        node->at = w->at;
    }
    if (node->kind != YAML_MAPPING) {
        return yaml_fail(__FILE__, __LINE__, __func__, node, &w->at, "is %s in the study file and has no key '%s'; "
                         "override the whole value", node->kind == YAML_SEQUENCE ? "a list" : yaml_found(node).text, key);
    }
    w->rest += n;
    *out = yaml_find(node, key);
    if (*out == NULL) {
        *out = yaml_add(w->a, node, YAML_SCALAR, key, w->at);
    }
    return *out != NULL ? STATUS_OK : (status){ST_ENVIRONMENT};
}

static status step_to_element(walk *w, yaml_node *node, yaml_node **out)
{
    char *close = NULL;
    const size_t digits = strspn(w->rest + 1, "0123456789");
    const unsigned long index = strtoul(w->rest + 1, &close, 10); /* saturates */
    if (digits == 0 || *close != ']') {
        return malformed(w);
    }
    if (node->kind != YAML_SEQUENCE) {
        return yaml_fail(__FILE__, __LINE__, __func__, node, &w->at, "is %s in the study file and has no element [%lu]",
                         yaml_found(node).text, index);
    }
    if (index >= node->n) {
        return yaml_fail(__FILE__, __LINE__, __func__, node, &w->at, "expected an element from [0] to [%zu], found [%lu]; "
                         "elements cannot be added, override the whole list", node->n - 1, index);
    }
    w->rest = close + 1;
    *out = yaml_element(node, index);
    return STATUS_OK;
}

static status find_target(walk *w, yaml_node *node, yaml_node **out)
{
    TRY(step_to_key(w, node, &node));
    while (w->rest != w->end) {
        if (*w->rest == '.') {
            w->rest++;
            TRY(step_to_key(w, node, &node));
        } else if (*w->rest == '[') {
            TRY(step_to_element(w, node, &node));
        } else {
            return malformed(w);
        }
    }
    *out = node;
    return STATUS_OK;
}

/* `node` keeps its place in the tree and becomes what `value` is. */
static void replace(yaml_node *node, const yaml_node *value, yaml_place at)
{
    yaml_node now = *value;
    now.key = node->key;
    now.index = node->index;
    now.parent = node->parent;
    now.next = node->next;
    now.at = at;
    now.key_at = at;
    *node = now;
    for (yaml_node *child = node->first; child != NULL; child = child->next) {
        child->parent = node;
    }
}

status config_set(arena *a, yaml_node *root, const char *set)
{
    walk w = {.a = a, .rest = set, .end = strchr(set, '=')};
    const yaml_node nothing = {.kind = YAML_SCALAR, .plain = true, .text = ""};
    yaml_node *target = NULL, *value = NULL;
    TRY_TEXT(w.at.origin, a, "--set %s", yaml_shown(set, strlen(set)).text);
    if (w.end == NULL) {
        return malformed(&w);
    }
    TRY(yaml_parse(a, w.at.origin, false, w.end + 1, strlen(w.end + 1), &value));
    TRY(find_target(&w, root, &target));
    replace(target, value != NULL ? value : &nothing, w.at);
    return STATUS_OK;
}
