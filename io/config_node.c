#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "io/config_yaml.h"

yaml_node *yaml_find(const yaml_node *mapping, const char *key)
{
    yaml_node *node = mapping->first;
    while (node != NULL && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

yaml_node *yaml_element(const yaml_node *sequence, size_t index)
{
    yaml_node *node = sequence->first;
    while (node != NULL && node->index != index) {
        node = node->next;
    }
    return node;
}

bool yaml_is_null(const yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->size == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

yaml_node *yaml_add(arena *a, yaml_node *parent, yaml_kind kind, const char *key, yaml_place at)
{
    yaml_node *node = arena_alloc(a, 1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    *node = (yaml_node){.kind = kind, .plain = true, .text = "", .key = key, .at = at, .key_at = at, .parent = parent};
    if (parent != NULL) {
        node->index = parent->n++;
        if (parent->last == NULL) {
            parent->first = node;
        } else {
            parent->last->next = node;
        }
        parent->last = node;
    }
    return node;
}

/* Appends to a text of `size` bytes that holds `used`; what does not fit is cut. */
static size_t append(char *text, size_t size, size_t used, const char *more)
{
    const int n = snprintf(text + used, size - used, "%s", more);
    const size_t now = used + (n > 0 ? (size_t)n : 0);
    return now < size ? now : size - 1;
}

yaml_words yaml_shown(const char *text, size_t size)
{
    yaml_words out = {""};
    enum { MOST = 60 };
    size_t used = 0, i = 0;
    while (i < size && used < MOST) {
        const unsigned char c = (unsigned char)text[i];
        /* The C1 controls, U+0080 to U+009F, can steer a terminal too. */
        const bool c1 = c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c1) {
            char escaped[8];
            (void)snprintf(escaped, sizeof escaped, "\\x%02x", c1 ? (unsigned char)text[++i] : c);
            used = append(out.text, sizeof out.text, used, escaped);
            i++;
            continue;
        }
        do { /* a whole character, so that no cut goes through one */
            out.text[used++] = text[i++];
        } while (i < size && ((unsigned char)text[i] & 0xc0) == 0x80);
    }
    if (i < size) {
        (void)append(out.text, sizeof out.text, used, "...");
    }
    return out;
}

/* One letter more of a text that may be longer than its room. */
static size_t put(char *out, size_t size, size_t used, char letter)
{
    if (used + 1 < size) {
        out[used] = letter;
    }
    return used + 1;
}

size_t yaml_scalar(const char *text, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
    const bool quoted = strspn(text, plain) != strlen(text) || text[0] == '\0' || text[0] == '-' || strcmp(text, "null") == 0 ||
                        strncmp(text, "...", 3) == 0;
    size_t used = quoted ? put(out, size, 0, '"') : 0;
    for (const char *p = text; *p != '\0'; p++) {
        used = quoted && (*p == '"' || *p == '\\') ? put(out, size, used, '\\') : used;
        used = put(out, size, used, *p);
    }
    used = quoted ? put(out, size, used, '"') : used;
    if (size > 0) {
        out[used < size ? used : size - 1] = '\0';
    }
    return used;
}

static bool looks_like_a_number(const yaml_node *node)
{
    return node->size > 0 && node->size < 40 && strspn(node->text, "+-.0123456789eE") == node->size &&
           strpbrk(node->text, "0123456789") != NULL;
}

yaml_words yaml_found(const yaml_node *node)
{
    yaml_words out;
    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        const char *what = node->kind == YAML_MAPPING ? "a section" : node->kind == YAML_SEQUENCE ? "a list" : "nothing";
        (void)snprintf(out.text, sizeof out.text, "%s", what);
        return out;
    }
    const yaml_words shown = yaml_shown(node->text, node->size);
    const char *before = !node->plain ? "the quoted text '" : looks_like_a_number(node) ? "" : "'";
    (void)snprintf(out.text, sizeof out.text, "%s%.120s%s", before, shown.text, before[0] == '\0' ? "" : "'");
    return out;
}

/* "models[0].name" into `out`. The tree is shallow (config_yaml.c bounds it), so is the recursion. */
static size_t path_of(const yaml_node *node, char *out, size_t size)
{
    if (node->parent == NULL) {
        return 0;
    }
    size_t used = path_of(node->parent, out, size);
    if (node->parent->kind == YAML_SEQUENCE) {
        char index[32];
        (void)snprintf(index, sizeof index, "[%zu]", node->index);
        return append(out, size, used, index);
    }
    if (used > 0) {
        used = append(out, size, used, ".");
    }
    return append(out, size, used, yaml_shown(node->key, strlen(node->key)).text);
}

/* ":31:16" of a file, nothing of an override. */
static yaml_words position(const yaml_place *at)
{
    yaml_words out = {""};
    if (at->line > 0) {
        (void)snprintf(out.text, sizeof out.text, ":%zu:%zu", at->line, at->column);
    }
    return out;
}

const char *yaml_where(arena *a, const yaml_node *node)
{
    char path[400] = "";
    (void)path_of(node, path, sizeof path);
    return arena_text(a, "%.500s%s: %s", node->at.origin, position(&node->at).text, path);
}

status yaml_fail(const char *file, int line, const char *function, const yaml_node *node, const yaml_place *at,
                 const char *fmt, ...)
{
    char path[400] = "", message[1000];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (path_of(node, path, sizeof path - 2) > 0) {
        (void)append(path, sizeof path, strlen(path), ": ");
    }
    return status_fail(ST_CONFIG, file, line, function, "%.500s%s: %s%s", at->origin, position(at).text, path, message);
}
