/* Proposals on the table of an exhaustive search (docs/search.md): what another method would have found of the same settings, since each setting's objective is
 * in the result. A JSON line for each search and method: how many repetitions came within 0.005 of the best setting, and how far they stayed behind it.
 *
 * usage: bench_proposals RESULT.h5 SHARE BATCH REPEATS      SHARE: of the settings, 0.15; seeds of the search are 0, 1, ... */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "io/h5.h"
#include "search/propose.h"

static const double close_enough = 0.005;

/* One /search/<model>/<kind>. */
typedef struct table {
    const char *name;
    size_t n, n_dimensions;
    space space;
    const double *point, *objective, *error; /* [n, n_dimensions], [n] */
    double best;
} table;

typedef struct replay {
    search_method method;
    size_t n_trials, batch, repeats;
} replay;

static size_t count_words(const char *list)
{
    size_t n = 1;
    for (; *list != '\0'; list++) {
        n += *list == ',';
    }
    return n;
}

static status open_space(arena *a, const char *const *names, const char *const *choices, table *t)
{
    space_dimension *d;
    TRY_ALLOC(d, a, t->n_dimensions);
    for (size_t i = 0; i < t->n_dimensions; i++) {
        if (choices[i][0] == '\0') {
            return FAIL(ST_DATA, "%s: expected choices in all dimensions, found values in %s", t->name, names[i]);
        }
        d[i] = (space_dimension){.name = names[i], .kind = SPACE_CATEGORICAL, .n_choices = count_words(choices[i]), .parent = SPACE_ALWAYS};
    }
    TRY(space_build(a, t->n_dimensions, d, &t->space));
    return space_combinations(&t->space) == t->n ? STATUS_OK : FAIL(ST_DATA, "%s: expected all settings of the space, found %zu", t->name, t->n);
}

static status read_table(arena *a, const h5_file *f, const char *name, table *out)
{
    const char *const *names, *const *choices, *path;
    *out = (table){.name = name, .n = H5_ANY_SIZE, .n_dimensions = H5_ANY_SIZE, .best = -INFINITY};
    TRY_TEXT(path, a, "%s/dimension", name);
    TRY(h5_get_texts(a, f, path, 1, &out->n_dimensions, &names));
    TRY_TEXT(path, a, "%s/choices", name);
    TRY(h5_get_texts(a, f, path, 1, &out->n_dimensions, &choices));
    TRY_TEXT(path, a, "%s/objective", name);
    TRY(h5_get_reals(a, f, path, 1, &out->n, &out->objective));
    TRY_TEXT(path, a, "%s/error", name);
    TRY(h5_get_reals(a, f, path, 1, &out->n, &out->error));
    TRY_TEXT(path, a, "%s/point", name);
    size_t dims[] = {out->n, out->n_dimensions};
    TRY(h5_get_reals(a, f, path, 2, dims, &out->point));
    for (size_t i = 0; i < out->n; i++) {
        out->best = fmax(out->best, out->objective[i]);
    }
    return open_space(a, names, choices, out);
}

static size_t find(const table *t, const double point[])
{
    size_t i = 0;
    while (i < t->n && memcmp(t->point + i * t->n_dimensions, point, t->n_dimensions * sizeof *point) != 0) {
        i++;
    }
    return i;
}

/* A search as the program has it. *found: the objective of the trial that it would report as its best. */
static status search_once(arena *a, const table *t, const replay *r, uint64_t seed, double *found)
{
    const search_options options = {.method = r->method, .seed = seed};
    search_trial *trials;
    double *point;
    size_t done = 0, best = 0;
    arena *scratch = NULL;
    TRY_ALLOC(trials, a, r->n_trials);
    TRY_ALLOC(point, a, r->n_trials * t->n_dimensions);
    TRY(arena_open("proposals", &scratch));
    status st = STATUS_OK;
    for (size_t n = 1; done < r->n_trials && n > 0 && status_ok(st);) {
        const size_t left = r->n_trials - done;
        search_report report;
        arena_reset(scratch);
        st = search_propose(scratch, &t->space, done, trials, &options, left < r->batch ? left : r->batch, point + done * t->n_dimensions, &n, &report);
        for (size_t i = 0; i < n && status_ok(st); i++, done++) {
            const double *at = point + done * t->n_dimensions;
            const size_t which = find(t, at);
            st = which < t->n ? STATUS_OK : FAIL(ST_BUG, "%s: a proposal is none of the settings", t->name);
            if (status_ok(st)) {
                const double error = isnan(t->error[which]) ? 0.0 : t->error[which];
                trials[done] = (search_trial){.point = at, .state = TRIAL_DONE, .value = t->objective[which], .variance = error * error};
                best = trials[done].value > trials[best].value ? done : best;
            }
        }
    }
    if (status_ok(st) && r->method == SEARCH_BAYES) {
        search_model m;
        arena_reset(scratch);
        st = search_fit_after(scratch, &t->space, done, trials, &options, &m);
        best = status_ok(st) ? m.best : best;
    }
    *found = done > 0 ? trials[best].value : -INFINITY;
    arena_close(&scratch);
    return st;
}

static status repeat(arena *a, const table *t, const replay *r)
{
    static const char *const names[SEARCH_METHODS] = {[SEARCH_RANDOM] = "random", [SEARCH_SOBOL] = "sobol", [SEARCH_BAYES] = "bayes"};
    size_t close = 0, exact = 0;
    double sum = 0.0, most = 0.0;
    for (size_t i = 0; i < r->repeats; i++) {
        double found = 0.0;
        arena_reset(a);
        TRY(search_once(a, t, r, i, &found));
        const double regret = t->best - found;
        close += regret <= close_enough;
        exact += regret == 0.0;
        sum += regret;
        most = fmax(most, regret);
    }
    (void)printf("{\"search\": \"%s\", \"method\": \"%s\", \"settings\": %zu, \"trials\": %zu, \"repeats\": %zu, \"within_0.005\": %zu, \"exact\": %zu, "
                 "\"mean_regret\": %.4f, \"largest_regret\": %.4f}\n",
                 t->name, names[r->method], t->n, r->n_trials, r->repeats, close, exact, sum / (double)r->repeats, most);
    return fflush(stdout) == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "standard output cannot be written");
}

static status replay_search(arena *a, const h5_file *f, const char *name, double share, replay *r)
{
    table t;
    arena *memory = NULL;
    TRY(read_table(a, f, name, &t));
    r->n_trials = (size_t)(share * (double)t.n);
    TRY(arena_open("trials", &memory));
    status st = STATUS_OK;
    for (size_t m = SEARCH_METHODS; m-- > 0 && status_ok(st);) {
        r->method = (search_method)m;
        st = repeat(memory, &t, r);
    }
    arena_close(&memory);
    return st;
}

static status replay_all(arena *a, const h5_file *f, double share, replay *r)
{
    const char *const *models, *const *kinds, *path;
    size_t n = 0, n_kinds = 0;
    TRY(h5_list(a, f, "/search", &n, &models));
    for (size_t m = 0; m < n; m++) {
        TRY_TEXT(path, a, "/search/%s", models[m]);
        TRY(h5_list(a, f, path, &n_kinds, &kinds));
        for (size_t k = 0; k < n_kinds; k++) {
            TRY_TEXT(path, a, "/search/%s/%s", models[m], kinds[k]);
            TRY(replay_search(a, f, path, share, r));
        }
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    arena *a = NULL, *scratch = NULL;
    h5_file f;
    replay r = {.batch = argc == 5 ? strtoul(argv[3], NULL, 10) : 0, .repeats = argc == 5 ? strtoul(argv[4], NULL, 10) : 0};
    const double share = argc == 5 ? strtod(argv[2], NULL) : 0.0;
    if (r.batch == 0 || r.repeats == 0 || !(share > 0.0 && share <= 1.0)) {
        (void)fprintf(stderr, "usage: bench_proposals RESULT.h5 SHARE BATCH REPEATS\n");
        return 2;
    }
    status st = backend_default()->start();
    if (status_ok(st)) {
        st = arena_open("tables", &a);
    }
    if (status_ok(st)) {
        st = arena_open("file", &scratch);
    }
    if (status_ok(st)) {
        st = h5_file_open(argv[1], scratch, &f);
    }
    if (status_ok(st)) {
        st = replay_all(a, &f, share, &r);
        st = h5_file_close(st, &f);
    }
    arena_close(&scratch);
    arena_close(&a);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    return 0;
}
