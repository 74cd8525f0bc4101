#include "io/config_search.h"

#include <inttypes.h>
#include <string.h>

#include "io/config_rates.h"
#include "io/config_read.h"
#include "io/config_tasks.h"
#include "nn/op.h"
#include "pruning/aggregate.h"

const char *const search_objective_names[CONFIG_OBJECTIVES + 1] = {
    [OBJECTIVE_MEAN] = "a_pr_mean", [OBJECTIVE_TRAPEZOID] = "a_pr_trapezoid", [OBJECTIVE_PARAMETERS] = "area_parameters", [OBJECTIVE_MACS] = "area_macs",
    [OBJECTIVE_ACCURACY] = "accuracy_at"};

const preset_def *search_preset(void)
{
    return preset_find("four-groups");
}

static const setting *setting_of(size_t key)
{
    return &search_section.settings[key];
}

/* A list of different choices; absent: the first n_default. */
static status read_choices(const yaml_node *at, const setting *s, size_t n_default, size_t *n, size_t out[SEARCH_MOST_CHOICES])
{
    const setting one = {.field = {.kind = FIELD_CHOICE, .choices = s->field.choices}, .choice = s->choice};
    *n = n_default;
    for (size_t i = 0; i < n_default; i++) {
        out[i] = i;
    }
    if (at == NULL) {
        return STATUS_OK;
    }
    TRY(read_list(at, s, 1, SEARCH_MOST_CHOICES));
    *n = at->n;
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_choice(v, &one, &out[v->index]));
        for (size_t i = 0; i < v->index; i++) {
            if (out[i] == out[v->index]) {
                return FAIL_AT(v, "expected each choice once, found %s again", yaml_found(v).text);
            }
        }
    }
    return STATUS_OK;
}

static size_t count_choices(const setting *s)
{
    size_t n = 0;
    while (n < SEARCH_MOST_CHOICES && setting_choice(s, n) != NULL) {
        n++;
    }
    return n;
}

/* Two numbers, the smaller first. */
static status read_range(const yaml_node *at, const setting *s, const double absent[2], double out[2])
{
    const setting one = {.field = {.kind = FIELD_REAL, .min = s->field.min, .max = s->field.max}};
    memcpy(out, absent, 2 * sizeof *out);
    if (at == NULL) {
        return STATUS_OK;
    }
    TRY(read_list(at, s, 2, 2));
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_real(v, &one, &out[v->index]));
    }
    return out[0] < out[1] ? STATUS_OK : FAIL_AT(at, "expected a smaller number and a larger one, found %s and %s", number_text(out[0]).text, number_text(out[1]).text);
}

static bool is_in(uint64_t seed, size_t n, const uint64_t seeds[])
{
    size_t i = 0;
    while (i < n && seeds[i] != seed) {
        i++;
    }
    return i < n;
}

/* A list, or how many behind the largest of tasks.seeds: what is found is judged on seeds that the search has not seen. */
static status read_tuning_seeds(arena *a, const yaml_node *at, const config *c, config_search *o)
{
    uint64_t largest = 0, *seeds;
    const uint64_t *read;
    const bool list = at != NULL && at->kind == YAML_SEQUENCE;
    TRY(seeds_read(a, at, setting_of(SEARCH_SEEDS), &o->n_seeds, &read));
    TRY_ALLOC(seeds, a, o->n_seeds);
    for (size_t i = 0; i < c->n_seeds; i++) {
        largest = c->seeds[i] > largest ? c->seeds[i] : largest;
    }
    if (!list && largest > (uint64_t)INT64_MAX - o->n_seeds) {
        return FAIL(ST_CONFIG, "%s: search.seeds: expected a list, since seeds are below 2^63 and no %zu are left behind the largest of tasks.seeds, %" PRIu64,
                    c->path, o->n_seeds, largest);
    }
    for (size_t i = 0; i < o->n_seeds; i++) {
        seeds[i] = list ? read[i] : largest + 1 + i;
        if (is_in(seeds[i], c->n_seeds, c->seeds)) {
            return FAIL_AT(at, "expected seeds that are not in tasks.seeds, on which the best settings are judged again, found %" PRIu64, seeds[i]);
        }
    }
    o->seeds = seeds;
    return STATUS_OK;
}

static status read_references(const yaml_node *at, const config *c, config_search *o)
{
    uint64_t n = c->references[c->n_references - 1];
    if (at != NULL) {
        TRY(read_count(at, setting_of(SEARCH_REFERENCES), &n));
    }
    o->references = (size_t)n;
    for (size_t i = 0; i < c->n_references; i++) {
        if (c->references[i] == n) {
            return STATUS_OK;
        }
    }
    return FAIL_AT(at, "expected one of tasks.references, found %" PRIu64, n);
}

static status read_number(const yaml_node *at, size_t key, double *out)
{
    *out = setting_of(key)->field.def;
    return at == NULL ? STATUS_OK : read_value(at, setting_of(key), out);
}

static status read_whole(const yaml_node *at, size_t key, size_t *out)
{
    double value = 0.0;
    TRY(read_number(at, key, &value));
    *out = (size_t)value;
    return STATUS_OK;
}

static status check_names(const yaml_node *at, const config *c)
{
    for (size_t i = 0; i < c->n_criteria; i++) {
        if (strncmp(c->criteria[i].name, "tuned", strlen("tuned")) == 0) {
            return FAIL_AT(at, "expected no criterion whose name begins with 'tuned', as those of the best settings do, found '%s'", c->criteria[i].name);
        }
    }
    return STATUS_OK;
}

static status read_at(arena *a, const yaml_node *at, const config *c, config_search *o)
{
    const bool *chosen = NULL;
    double *values;
    if (at == NULL) {
        return STATUS_OK;
    }
    const rate_list rates = {c->n_rates, c->rates, c->rate_text};
    TRY(rates_choose(a, at, setting_of(SEARCH_AT), &rates, &chosen));
    TRY_ALLOC(values, a, c->n_rates);
    for (size_t i = 0; i < c->n_rates; i++) {
        if (chosen[i]) {
            values[o->n_at++] = c->rates[i];
        }
    }
    o->at = values;
    return STATUS_OK;
}

/* ---- as it is written again ---- */

static status add_choices(arena *a, const char **text, size_t key, size_t n, const size_t choice[])
{
    TRY_TEXT(*text, a, "%s  %s: [", *text, setting_of(key)->field.name);
    for (size_t i = 0; i < n; i++) {
        TRY_TEXT(*text, a, "%s%s%s", *text, i == 0 ? "" : ", ", setting_choice(setting_of(key), choice[i]));
    }
    TRY_TEXT(*text, a, "%s]\n", *text);
    return STATUS_OK;
}

static status add_range(arena *a, const char **text, size_t key, const double range[2])
{
    TRY_TEXT(*text, a, "%s  %s: [%s, %s]\n", *text, setting_of(key)->field.name, number_text(range[0]).text, number_text(range[1]).text);
    return STATUS_OK;
}

static status write_again(arena *a, config_search *o)
{
    const char *t;
    TRY_TEXT(t, a, "search:\n  method: %s\n", setting_choice(setting_of(SEARCH_METHOD), (size_t)o->method));
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        TRY(add_choices(a, &t, SEARCH_LOW + g, o->n_rules[g], o->rule[g]));
    }
    TRY(add_choices(a, &t, SEARCH_ABSOLUTE, o->n_absolute, o->absolute));
    TRY(add_choices(a, &t, SEARCH_SOFTMAX, o->n_softmax, o->softmax));
    TRY_TEXT(t, a, "%s  continuous: %s\n", t, o->continuous ? "true" : "false");
    TRY(add_range(a, &t, SEARCH_GAMMA, o->gamma));
    TRY(add_range(a, &t, SEARCH_GAMMA_FC, o->gamma_fc));
    TRY(add_range(a, &t, SEARCH_ALPHA, o->alpha));
    TRY(add_range(a, &t, SEARCH_EPSILON, o->epsilon));
    TRY_TEXT(t, a, "%s  trials: %zu\n  batch: %zu\n  seed: %" PRIu64 "\n", t, o->trials, o->batch, o->seed);
    TRY_TEXT(t, a, "%s  eta: %zu\n  confidence: %s\n  first_images: %s\n  first_rates: %zu\n  first_seeds: %zu\n  seeds: [", t, o->eta,
             number_text(o->confidence).text, number_text(o->first_images).text, o->first_rates, o->first_seeds);
    for (size_t i = 0; i < o->n_seeds; i++) {
        TRY_TEXT(t, a, "%s%s%" PRIu64, t, i == 0 ? "" : ", ", o->seeds[i]);
    }
    TRY_TEXT(t, a, "%s]\n  references: %zu\n  split: %s\n  objective: %s\n  report: %zu\n", t, o->references, number_text(o->split).text,
             search_objective_names[o->objective], o->report);
    if (o->n_at > 0) {
        TRY_TEXT(t, a, "%s  at: [", t);
        for (size_t i = 0; i < o->n_at; i++) {
            TRY_TEXT(t, a, "%s%s%s", t, i == 0 ? "" : ", ", number_text(o->at[i]).text);
        }
        TRY_TEXT(t, a, "%s]\n", t);
    }
    o->resolved = t;
    return STATUS_OK;
}

status search_read(arena *a, const yaml_node *at, config *out)
{
    static const double gamma[2] = {0.01, 10.0}, alpha[2] = {1.0, 4.0}, epsilon[2] = {1e-9, 0.1};
    const yaml_node *v[SEARCH_KEYS];
    config_search *o = &out->search;
    size_t method = 0, objective = 0;
    double continuous = 0.0;
    uint64_t exact = 0;
    if (at == NULL) {
        return STATUS_OK;
    }
    TRY(read_section(at, &search_section, v));
    TRY(check_names(at, out));
    TRY(read_whole(v[SEARCH_METHOD], SEARCH_METHOD, &method));
    for (size_t g = 0; g < SEARCH_GROUPS; g++) {
        TRY(read_choices(v[SEARCH_LOW + g], setting_of(SEARCH_LOW + g), count_choices(setting_of(SEARCH_LOW + g)), &o->n_rules[g], o->rule[g]));
    }
    o->n_absolute = 2;
    o->absolute[0] = ABSOLUTE_TOKEN;
    o->absolute[1] = ABSOLUTE_NEVER;
    if (v[SEARCH_ABSOLUTE] != NULL) {
        TRY(read_choices(v[SEARCH_ABSOLUTE], setting_of(SEARCH_ABSOLUTE), 0, &o->n_absolute, o->absolute));
    }
    for (size_t i = 0; i < o->n_absolute; i++) {
        if (o->absolute[i] == ABSOLUTE_SAMPLE) {
            return FAIL_AT(v[SEARCH_ABSOLUTE], "expected token, sum or never, found sample: settings of a search are added up over samples together");
        }
    }
    TRY(read_choices(v[SEARCH_SOFTMAX], setting_of(SEARCH_SOFTMAX), 1, &o->n_softmax, o->softmax));
    TRY(read_number(v[SEARCH_CONTINUOUS], SEARCH_CONTINUOUS, &continuous));
    TRY(read_range(v[SEARCH_GAMMA], setting_of(SEARCH_GAMMA), gamma, o->gamma));
    TRY(read_range(v[SEARCH_GAMMA_FC], setting_of(SEARCH_GAMMA_FC), gamma, o->gamma_fc));
    TRY(read_range(v[SEARCH_ALPHA], setting_of(SEARCH_ALPHA), alpha, o->alpha));
    TRY(read_range(v[SEARCH_EPSILON], setting_of(SEARCH_EPSILON), epsilon, o->epsilon));
    TRY(read_whole(v[SEARCH_TRIALS], SEARCH_TRIALS, &o->trials));
    TRY(read_whole(v[SEARCH_BATCH], SEARCH_BATCH, &o->batch));
    TRY(read_whole(v[SEARCH_ETA], SEARCH_ETA, &o->eta));
    TRY(read_number(v[SEARCH_CONFIDENCE], SEARCH_CONFIDENCE, &o->confidence));
    TRY(read_number(v[SEARCH_FIRST_IMAGES], SEARCH_FIRST_IMAGES, &o->first_images));
    TRY(read_whole(v[SEARCH_FIRST_RATES], SEARCH_FIRST_RATES, &o->first_rates));
    TRY(read_whole(v[SEARCH_FIRST_SEEDS], SEARCH_FIRST_SEEDS, &o->first_seeds));
    if (v[SEARCH_SEED] != NULL) {
        TRY(read_count(v[SEARCH_SEED], setting_of(SEARCH_SEED), &exact));
    }
    TRY(read_tuning_seeds(a, v[SEARCH_SEEDS], out, o));
    TRY(read_references(v[SEARCH_REFERENCES], out, o));
    TRY(read_number(v[SEARCH_SPLIT], SEARCH_SPLIT, &o->split));
    TRY(read_whole(v[SEARCH_OBJECTIVE], SEARCH_OBJECTIVE, &objective));
    TRY(read_at(a, v[SEARCH_AT], out, o));
    if (objective == OBJECTIVE_ACCURACY && o->n_at == 0) {
        return FAIL_AT(v[SEARCH_OBJECTIVE], "expected search.at beside it, the rates at which accuracy is meant, found none");
    }
    TRY(read_whole(v[SEARCH_REPORT], SEARCH_REPORT, &o->report));
    o->on = true;
    o->method = (config_search_method)method;
    o->objective = (config_search_objective)objective;
    o->continuous = continuous != 0.0;
    o->seed = exact;
    if (o->continuous && (o->method == SEARCH_EVERYTHING || o->method == SEARCH_BY_HALVING)) {
        return FAIL_AT(v[SEARCH_CONTINUOUS], "expected false with the method %s, which cannot try all values, found true; take method: bayes",
                       setting_choice(setting_of(SEARCH_METHOD), method));
    }
    return write_again(a, o);
}
