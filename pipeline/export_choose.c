#include "pipeline/export_choose.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* What tells cells apart, in the order in which one would say it. */
enum { MODEL, KIND, CRITERION, TASK, REFERENCES, SEED, KEYS };
static const char *const option[KEYS] = {"--model", "--kind", "--criterion", "--task", "--references", "--seed"};

typedef struct chooser {
    arena *a;
    const cli *cl;
    const results_cells *cells;
    const char **value; /* [n, KEYS] of every cell, as text */
    bool *left;         /* [n] */
    size_t n_left;
} chooser;

static const char *given(const cli *cl, size_t key)
{
    const char *const all[KEYS] = {cl->model, cl->kind, cl->criterion, cl->task, cl->references, cl->seed};
    return all[key];
}

static status make_values(chooser *c)
{
    TRY_ALLOC(c->value, c->a, c->cells->n * KEYS);
    TRY_ALLOC(c->left, c->a, c->cells->n);
    for (size_t i = 0; i < c->cells->n; i++) {
        const results_cell *cell = &c->cells->list[i];
        const char **to = c->value + i * KEYS;
        to[MODEL] = cell->model;
        to[KIND] = cell->kind;
        to[CRITERION] = cell->criterion;
        to[TASK] = cell->task;
        TRY_TEXT(to[REFERENCES], c->a, "%zu", cell->references);
        TRY_TEXT(to[SEED], c->a, "%" PRIu64, cell->seed);
        c->left[i] = true;
    }
    c->n_left = c->cells->n;
    return STATUS_OK;
}

/* The different values of the cells that are left, in their order. */
static status list_values(const chooser *c, size_t key, size_t *n, const char ***out)
{
    const char **list;
    TRY_ALLOC(list, c->a, c->cells->n);
    *n = 0;
    for (size_t i = 0; i < c->cells->n; i++) {
        size_t k = 0;
        while (k < *n && strcmp(list[k], c->value[i * KEYS + key]) != 0) {
            k++;
        }
        if (c->left[i] && k == *n) {
            list[(*n)++] = c->value[i * KEYS + key];
        }
    }
    *out = list;
    return STATUS_OK;
}

/* "0, 1, 2 or 3" */
static const char *choices(arena *a, size_t n, const char *const list[])
{
    enum { MOST = 24 };
    const char *text = n > 0 ? arena_text(a, "%s", list[0]) : "";
    for (size_t i = 1; i < n && i < MOST && text != NULL; i++) {
        text = arena_text(a, "%s%s%s", text, i + 1 == n ? " or " : ", ", list[i]);
    }
    return n > MOST && text != NULL ? arena_text(a, "%s, ...", text) : text;
}

static bool is_count(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 20;
}

/* Numbers may have leading zeros. */
static bool same(const char *wanted, const char *found)
{
    return is_count(wanted) && is_count(found) ? strtoull(wanted, NULL, 10) == strtoull(found, NULL, 10) : strcmp(wanted, found) == 0;
}

/* Keeps the cells with the given value; the choices of an option are those that options before it leave. */
static status narrow(chooser *c, size_t key)
{
    const char *wanted = given(c->cl, key), **list;
    size_t n, left = 0;
    if (wanted == NULL) {
        return STATUS_OK;
    }
    TRY(list_values(c, key, &n, &list));
    for (size_t i = 0; i < c->cells->n; i++) {
        c->left[i] = c->left[i] && same(wanted, c->value[i * KEYS + key]);
        left += c->left[i];
    }
    if (left == 0) {
        const char *all = choices(c->a, n, list), *close = key <= TASK ? text_closest(wanted, n, list) : NULL;
        return FAIL(ST_USAGE, "%s: %s %s: expected %s%s, found none such%s%s%s", c->cl->file, option[key], wanted, n > 1 ? "one of " : "",
                    all == NULL ? "" : all, close == NULL ? "" : "; did you mean '", close == NULL ? "" : close, close == NULL ? "" : "'?");
    }
    c->n_left = left;
    return STATUS_OK;
}

/* All options that would tell the cells apart, with their values. */
static status ambiguous(const chooser *c)
{
    const char *text = "";
    for (size_t key = 0; key < KEYS; key++) {
        const char **list, *all;
        size_t n;
        TRY(list_values(c, key, &n, &list));
        if (n > 1) {
            all = choices(c->a, n, list);
            TRY_TEXT(text, c->a, "%s; %s: %s", text, option[key], all == NULL ? "" : all);
        }
    }
    return FAIL(ST_USAGE, "%s: the options leave %zu cells to choose from; say which%s", c->cl->file, c->n_left, text);
}

static status find_rate(arena *a, const cli *cl, const results_cells *cells, size_t *rate)
{
    const char **list, *all;
    char *end = NULL;
    const double wanted = cl->rate == NULL ? NAN : strtod(cl->rate, &end);
    TRY_ALLOC(list, a, cells->n_rates);
    for (size_t i = 0; i < cells->n_rates; i++) {
        if (end != NULL && *end == '\0' && fabs(cells->rates[i] - wanted) < 1e-9) {
            *rate = i;
            return STATUS_OK;
        }
        TRY_TEXT(list[i], a, "%.10g", cells->rates[i]);
    }
    all = choices(a, cells->n_rates, list);
    return FAIL(ST_USAGE, "%s: --rate: expected one of the study, %s, found %s", cl->file, all == NULL ? "" : all,
                cl->rate == NULL ? "none" : cl->rate);
}

status export_choose(arena *a, const cli *cl, const results_cells *cells, size_t *cell, size_t *rate)
{
    chooser c = {.a = a, .cl = cl, .cells = cells};
    TRY(make_values(&c));
    for (size_t key = 0; key < KEYS; key++) {
        TRY(narrow(&c, key));
    }
    if (c.n_left != 1) {
        return ambiguous(&c);
    }
    *cell = 0;
    while (!c.left[*cell]) {
        ++*cell;
    }
    return find_rate(a, cl, cells, rate);
}
