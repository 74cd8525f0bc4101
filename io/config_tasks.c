#include "io/config_tasks.h"

#include <inttypes.h>
#include <string.h>

status sizes_read(arena *a, const yaml_node *at, const setting *s, size_t *n, const size_t **out)
{
    size_t *sizes = NULL;
    setting one = *s;
    one.field.kind = FIELD_COUNT;
    if (at != NULL) {
        TRY(read_list(at, s, 1, MOST_SIZES));
    }
    *n = at != NULL ? at->n : 1;
    TRY_ALLOC(sizes, a, *n);
    sizes[0] = (size_t)s->field.def;
    for (const yaml_node *v = at != NULL ? at->first : NULL; v != NULL; v = v->next) {
        uint64_t value = 0;
        TRY(read_count(v, &one, &value));
        sizes[v->index] = (size_t)value;
        if (v->index > 0 && sizes[v->index] <= sizes[v->index - 1]) {
            return FAIL_AT(v, "expected more than %zu (the list ascends), found %zu", sizes[v->index - 1], sizes[v->index]);
        }
    }
    *out = sizes;
    return STATUS_OK;
}

static status read_seed_list(const yaml_node *at, const setting *s, uint64_t seeds[])
{
    setting one = *s;
    one.form = NULL;
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_count(v, &one, &seeds[v->index]));
        for (size_t i = 0; i < v->index; i++) {
            if (seeds[i] == seeds[v->index]) {
                return FAIL_AT(v, "expected distinct seeds, found %" PRIu64 " again; it is [%zu] already", seeds[i], i);
            }
        }
    }
    return STATUS_OK;
}

/* A count n, which stands for 0 .. n-1, or a list. */
status seeds_read(arena *a, const yaml_node *at, const setting *s, size_t *n, const uint64_t **out)
{
    uint64_t *seeds = NULL, count = (uint64_t)s->field.def;
    const bool list = at != NULL && at->kind == YAML_SEQUENCE;
    if (list) {
        TRY(read_list(at, s, 1, MOST_SEEDS));
        count = at->n;
    } else if (at != NULL) {
        setting one = *s;
        one.field.min = 1;
        one.field.max = MOST_SEEDS;
        one.below = false;
        one.form = "list of seeds or a count";
        TRY(read_count(at, &one, &count));
    }
    *n = (size_t)count;
    TRY_ALLOC(seeds, a, *n);
    for (size_t i = 0; i < *n; i++) {
        seeds[i] = i;
    }
    *out = seeds;
    return list ? read_seed_list(at, s, seeds) : STATUS_OK;
}

static bool is_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

/* Results tell tasks apart by name, and a drawn subset has its size for one. */
static status read_subset_name(const yaml_node *at, const char **out)
{
    TRY(read_unique_name(at, &subset_section.settings[SUBSET_NAME], out));
    if (is_number(*out)) {
        return FAIL_AT(at, "expected a name that is no number, since '%s' would be the name of a drawn subset of so many classes, found %s", *out,
                       yaml_found(at).text);
    }
    return STATUS_OK;
}

/* Whether there are such classes, and whether they are different ones, is seen when the data are known. */
static status read_subset(arena *a, const yaml_node *at, config_subset *out)
{
    const setting *s = &subset_section.settings[SUBSET_CLASSES];
    const setting one = {.field = {.kind = FIELD_TEXT}, .form = "name or number of a class"};
    const yaml_node *v[SUBSET_KEYS];
    const char **class, **where;
    TRY(read_section(at, &subset_section, v));
    TRY(read_subset_name(v[SUBSET_NAME], &out->name));
    const yaml_node *list = v[SUBSET_CLASSES];
    TRY(read_list(list, s, 2, MOST_CLASSES));
    out->n = list->n;
    TRY_ALLOC(class, a, out->n);
    TRY_ALLOC(where, a, out->n);
    for (const yaml_node *c = list->first; c != NULL; c = c->next) {
        TRY(read_text(c, &one, &class[c->index]));
        where[c->index] = yaml_where(a, c);
        TRY(where[c->index] != NULL ? STATUS_OK : (status){ST_ENVIRONMENT});
    }
    out->class = class;
    out->where = where;
    return STATUS_OK;
}

static status read_subsets(arena *a, const yaml_node *at, config *c)
{
    config_subset *subsets;
    if (at == NULL) {
        return STATUS_OK;
    }
    TRY(read_list(at, &tasks_section.settings[TASKS_SUBSETS], 1, MOST_SUBSETS));
    TRY_ALLOC(subsets, a, at->n);
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_subset(a, v, &subsets[v->index]));
    }
    c->n_subsets = at->n;
    c->subsets = subsets;
    return STATUS_OK;
}

/* Drawn subsets first, then stated ones. */
static status join_tasks(arena *a, size_t n_drawn, const size_t drawn[], config *c)
{
    size_t *classes;
    const char **name;
    c->n_tasks = n_drawn + c->n_subsets;
    TRY_ALLOC(classes, a, c->n_tasks);
    TRY_ALLOC(name, a, c->n_tasks);
    for (size_t i = 0; i < c->n_tasks; i++) {
        const config_subset *s = i < n_drawn ? NULL : &c->subsets[i - n_drawn];
        classes[i] = s == NULL ? drawn[i] : s->n;
        if (s != NULL) {
            name[i] = s->name;
        } else {
            TRY_TEXT(name[i], a, "%zu", drawn[i]);
        }
    }
    c->task_classes = classes;
    c->task_name = name;
    return STATUS_OK;
}

status tasks_read(arena *a, const yaml_node *at, config *c)
{
    const setting *s = tasks_section.settings;
    const yaml_node *v[TASKS_KEYS];
    const size_t *drawn = NULL;
    size_t n_drawn = 0;
    TRY(read_section(at, &tasks_section, v));
    if (v[TASKS_CLASSES] == NULL && v[TASKS_SUBSETS] == NULL) {
        return FAIL_AT(at, "the key '%s' is missing; expected %s, or the key '%s' in its place", s[TASKS_CLASSES].field.name,
                       setting_expected(&s[TASKS_CLASSES]).text, s[TASKS_SUBSETS].field.name);
    }
    if (v[TASKS_CLASSES] != NULL) {
        TRY(sizes_read(a, v[TASKS_CLASSES], &s[TASKS_CLASSES], &n_drawn, &drawn));
    }
    TRY(read_subsets(a, v[TASKS_SUBSETS], c));
    TRY(join_tasks(a, n_drawn, drawn, c));
    TRY(seeds_read(a, v[TASKS_SEEDS], &s[TASKS_SEEDS], &c->n_seeds, &c->seeds));
    return sizes_read(a, v[TASKS_REFERENCES], &s[TASKS_REFERENCES], &c->n_references, &c->references);
}
