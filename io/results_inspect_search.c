#include "io/results_inspect_search.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "io/text_table.h"

enum { LONGEST_NAME = 60, LONGEST_SETTING = 1000, BEST = 10, MEASURES = 9 }; /* columns before those of the dimensions */

/* One /search/<model>/<kind>. */
typedef struct search {
    const char *objective_name;
    int64_t n_masks, n_evaluated, n_images;
    size_t n_trials, n_dimensions;
    const char *const *setting, *const *state, *const *dimension, *const *choices;
    const int64_t *round, *rank, *front;
    const double *objective, *error, *held_out, *held_out_error; /* [n_trials] */
    const double *point;                                         /* [n_trials, n_dimensions] */
    const double *alone, *total;                                 /* [n_dimensions] */
} search;

/* The variables of the group, of lengths that have to agree. */
static status read_texts(arena *a, const h5_file *f, const char *group, search *s)
{
    const struct {
        const char *name;
        size_t *n;
        const char *const **out;
    } texts[] = {{"setting", &s->n_trials, &s->setting}, {"state", &s->n_trials, &s->state}, {"dimension", &s->n_dimensions, &s->dimension}, {"choices", &s->n_dimensions, &s->choices}};
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *path;
        TRY_TEXT(path, a, "%s/%s", group, texts[i].name);
        TRY(h5_get_texts(a, f, path, 1, texts[i].n, texts[i].out));
    }
    return STATUS_OK;
}

static status read_counts(arena *a, const h5_file *f, const char *group, search *s)
{
    const struct {
        const char *name;
        const int64_t **out;
    } counts[] = {{"round", &s->round}, {"rank", &s->rank}, {"front", &s->front}};
    for (size_t i = 0; i < COUNT(counts); i++) {
        const char *path;
        TRY_TEXT(path, a, "%s/%s", group, counts[i].name);
        TRY(h5_get_counts(a, f, path, 1, &s->n_trials, counts[i].out));
    }
    return STATUS_OK;
}

static status read_reals(arena *a, const h5_file *f, const char *group, search *s)
{
    const struct {
        const char *name;
        size_t *n;
        const double **out;
    } reals[] = {{"objective", &s->n_trials, &s->objective},
                 {"error", &s->n_trials, &s->error},
                 {"held_out", &s->n_trials, &s->held_out},
                 {"held_out_error", &s->n_trials, &s->held_out_error},
                 {"importance_main", &s->n_dimensions, &s->alone},
                 {"importance_total", &s->n_dimensions, &s->total}};
    for (size_t i = 0; i < COUNT(reals); i++) {
        const char *path;
        TRY_TEXT(path, a, "%s/%s", group, reals[i].name);
        TRY(h5_get_reals(a, f, path, 1, reals[i].n, reals[i].out));
    }
    return STATUS_OK;
}

static status read_search(arena *a, const h5_file *f, const char *group, search *s)
{
    *s = (search){.n_trials = H5_ANY_SIZE, .n_dimensions = H5_ANY_SIZE};
    TRY(h5_get_attr_text(a, f, group, "objective", &s->objective_name));
    TRY(h5_get_attr_count(f, group, "n_masks", &s->n_masks));
    TRY(h5_get_attr_count(f, group, "n_evaluated", &s->n_evaluated));
    TRY(h5_get_attr_count(f, group, "n_images", &s->n_images));
    TRY(read_texts(a, f, group, s));
    TRY(read_counts(a, f, group, s));
    TRY(read_reals(a, f, group, s));
    const char *path;
    size_t both[] = {s->n_trials, s->n_dimensions};
    TRY_TEXT(path, a, "%s/point", group);
    return h5_get_reals(a, f, path, 2, both, &s->point);
}

/* A number, or a dash where there is none. */
static status number(arena *a, double value, const char **cell)
{
    if (isnan(value)) {
        *cell = "-";
        return STATUS_OK;
    }
    TRY_TEXT(*cell, a, "%.4f", value);
    return STATUS_OK;
}

/* What a point's number of a dimension stands for: the word at that place of "a,b,c", or the value. */
static status choice(arena *a, const char *choices, double at, const char **cell)
{
    const char *word = choices;
    if (isnan(at)) {
        *cell = "-";
        return STATUS_OK;
    }
    if (choices[0] == '\0') {
        TRY_TEXT(*cell, a, "%.4g", at);
        return STATUS_OK;
    }
    for (double i = 0.0; i < at && word != NULL; i += 1.0) {
        word = strchr(word, ',');
        word = word == NULL ? NULL : word + 1;
    }
    if (word == NULL) { /* a damaged file */
        *cell = "?";
        return STATUS_OK;
    }
    TRY_TEXT(word, a, "%.*s", (int)strcspn(word, ","), word);
    return text_printable(a, word, LONGEST_NAME, cell);
}

static bool is_value(const search *s, size_t dimension)
{
    return s->choices[dimension][0] == '\0';
}

/* Does `value`, "low.gamma", belong to `of`, "low"? */
static bool belongs(const char *value, const char *of)
{
    const size_t n = strlen(of);
    return strncmp(value, of, n) == 0 && value[n] == '.';
}

/* A choice and the values that come with it: "gamma 0.25". */
static status with_values(arena *a, const search *s, const double point[], size_t dimension, const char **cell)
{
    TRY(choice(a, s->choices[dimension], point[dimension], cell));
    for (size_t d = 0; d < s->n_dimensions; d++) {
        if (is_value(s, d) && belongs(s->dimension[d], s->dimension[dimension]) && !isnan(point[d])) {
            TRY_TEXT(*cell, a, "%s %.4g", *cell, point[d]);
        }
    }
    return STATUS_OK;
}

static status fill_trial(arena *a, const search *s, size_t trial, const char **cell)
{
    size_t column = 0;
    TRY_TEXT(cell[0], a, "%" PRId64, s->rank[trial] + 1);
    TRY_TEXT(cell[1], a, "%zu", trial);
    TRY_TEXT(cell[2], a, "%" PRId64, s->round[trial]);
    TRY(number(a, s->objective[trial], &cell[3]));
    TRY(number(a, s->error[trial], &cell[4]));
    TRY(number(a, s->held_out[trial], &cell[5]));
    TRY(number(a, s->held_out_error[trial], &cell[6]));
    TRY(number(a, s->objective[trial] - s->held_out[trial], &cell[7])); /* what choosing the best of many owes to luck */
    TRY_TEXT(cell[8], a, "%" PRId64, s->front[trial]);
    for (size_t d = 0; d < s->n_dimensions; d++) {
        if (!is_value(s, d)) {
            TRY(with_values(a, s, s->point + trial * s->n_dimensions, d, &cell[MEASURES + column++]));
        }
    }
    return STATUS_OK;
}

static status print_best(arena *a, const search *s, FILE *to)
{
    static const char *const headings[MEASURES] = {"place", "trial", "round", "objective", "+-", "held out", "+-", "gap", "front"};
    const size_t n = s->n_trials < BEST ? s->n_trials : BEST;
    size_t columns = MEASURES;
    text_table t;
    for (size_t d = 0; d < s->n_dimensions; d++) {
        columns += !is_value(s, d);
    }
    TRY(text_table_open(a, columns, n, &t));
    memcpy(t.cell, headings, sizeof headings);
    for (size_t c = 0; c < MEASURES; c++) {
        t.right[c] = true;
    }
    for (size_t d = 0, column = MEASURES; d < s->n_dimensions; d++) {
        if (!is_value(s, d)) {
            TRY(text_printable(a, s->dimension[d], LONGEST_NAME, &t.cell[column++]));
        }
    }
    t.n_rows = 0;
    for (size_t place = 0; place < n; place++) { /* a damaged file may lack a place, or have one twice */
        for (size_t i = 0; i < s->n_trials; i++) {
            if (s->rank[i] == (int64_t)place && t.n_rows < n) {
                TRY(fill_trial(a, s, i, &t.cell[++t.n_rows * t.n_columns]));
            }
        }
    }
    text_table_print(&t, to);
    for (size_t i = 0; i < s->n_trials; i++) {
        if (s->rank[i] == 0) {
            const char *setting;
            TRY(text_printable(a, s->setting[i], LONGEST_SETTING, &setting));
            (void)fprintf(to, "The best one as a criterion: %s\n", setting);
        }
    }
    return STATUS_OK;
}

/* Of a race: how many settings came how far. */
static void print_states(const search *s, FILE *to)
{
    static const char *const names[] = {"complete", "worse", "share"};
    size_t n[COUNT(names)] = {0};
    for (size_t i = 0; i < s->n_trials; i++) {
        for (size_t k = 0; k < COUNT(names); k++) {
            n[k] += strcmp(s->state[i], names[k]) == 0;
        }
    }
    if (n[0] < s->n_trials) {
        (void)fprintf(to, "%zu settings have seen everything; dropped before: %zu clearly worse than the leader, %zu since enough were better\n", n[0], n[1], n[2]);
    }
}

static status print_importance(arena *a, const search *s, FILE *to)
{
    static const char *const headings[] = {"dimension", "alone", "with others", "choices"};
    text_table t;
    TRY(text_table_open(a, COUNT(headings), s->n_dimensions, &t));
    memcpy(t.cell, headings, sizeof headings);
    t.right[1] = t.right[2] = true;
    for (size_t d = 0; d < s->n_dimensions; d++) {
        const char **cell = &t.cell[(d + 1) * t.n_columns];
        TRY(text_printable(a, s->dimension[d], LONGEST_NAME, &cell[0]));
        TRY(number(a, s->alone[d], &cell[1]));
        TRY(number(a, s->total[d], &cell[2]));
        TRY(text_printable(a, s->choices[d], LONGEST_SETTING, &cell[3]));
    }
    (void)fputs("Importance: share of the variance of the objective over all settings\n", to);
    text_table_print(&t, to);
    return STATUS_OK;
}

static status print_search(arena *a, const h5_file *f, const char *model, const char *kind, FILE *to)
{
    const char *group, *names[3];
    search s;
    TRY_TEXT(group, a, "/search/%s/%s", model, kind);
    TRY(read_search(a, f, group, &s));
    TRY(text_printable(a, model, LONGEST_NAME, &names[0]));
    TRY(text_printable(a, kind, LONGEST_NAME, &names[1]));
    TRY(text_printable(a, s.objective_name, LONGEST_NAME, &names[2]));
    (void)fprintf(to,
                  "\nSearch of %s, %s: %zu settings by %s on the tuning images, %" PRId64 " points of curves by %" PRId64 " masks and %" PRId64
                  " images; gap: objective less the value on images and seeds that the search never saw\n",
                  names[0], names[1], s.n_trials, names[2], s.n_masks, s.n_evaluated, s.n_images);
    print_states(&s, to);
    TRY(print_best(a, &s, to));
    return print_importance(a, &s, to);
}

status results_inspect_searches(arena *a, const h5_file *f, FILE *to)
{
    const char *const *models = NULL, *const *kinds = NULL;
    size_t n = 0, n_kinds = 0, i = 0;
    TRY(h5_list(a, f, "/", &n, &models));
    while (i < n && strcmp(models[i], "search") != 0) {
        i++;
    }
    if (i == n) { /* a result of a program that did not search */
        return STATUS_OK;
    }
    TRY(h5_list(a, f, "/search", &n, &models));
    for (size_t m = 0; m < n; m++) {
        const char *path;
        TRY_TEXT(path, a, "/search/%s", models[m]);
        TRY(h5_list(a, f, path, &n_kinds, &kinds));
        for (size_t k = 0; k < n_kinds; k++) {
            TRY(print_search(a, f, models[m], kinds[k], to));
        }
    }
    return STATUS_OK;
}
