#include "io/config_rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A rate in units of 10^-9. */
typedef int64_t nano;
enum { PLACES = 9 };

#define WHY_ZERO "the first rate has to be 0, which measures the accuracy before pruning"

/* Decimal text of a number in [0, 1) (checked by read_real) -> nanos; false where it needs more than 9 places. */
static bool nano_parse(const char *text, nano *out)
{
    char digits[PLACES + 1];
    size_t n = 0, zeros = 0; /* significant digits so far, and zeros that count only if a digit follows */
    long places = 0;         /* digits behind the point, up to the last significant one */
    bool behind = false;
    const char *p = text + (*text == '+' || *text == '-' ? 1 : 0);
    for (; *p != '\0' && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            behind = true;
            continue;
        }
        places += behind ? 1 : 0;
        if (*p == '0') {
            zeros++;
            continue;
        }
        zeros = n == 0 ? 0 : zeros;
        if (n + zeros >= PLACES) {
            return false;
        }
        for (; zeros > 0; zeros--) {
            digits[n++] = '0';
        }
        digits[n++] = *p;
    }
    if (n == 0) {
        *out = 0;
        return true;
    }
    const long exponent = *p == '\0' ? 0 : strtol(p + 1, NULL, 10); /* saturates */
    if (exponent > 100000000 || exponent < -100000000) {
        return false;
    }
    /* value = digits x 10^(zeros - places + exponent); below 1, so the digits fit in front of the last place */
    const long shift = PLACES + (long)zeros - places + exponent;
    if (shift < 0 || shift > PLACES) {
        return false;
    }
    digits[n] = '\0';
    nano value = strtol(digits, NULL, 10);
    for (long i = 0; i < shift; i++) {
        value *= 10;
    }
    *out = value;
    return true;
}

/* "0", "0.35", "0.000000001" */
static char *nano_text(arena *a, nano value)
{
    char *text = arena_text(a, "0.%09lld", (long long)value);
    size_t n = text != NULL ? strlen(text) : 0;
    while (n > 1 && (text[n - 1] == '0' || text[n - 1] == '.')) {
        text[--n] = '\0';
    }
    return text;
}

static status read_nano(const yaml_node *node, const setting *s, nano *out)
{
    double value = 0.0;
    TRY(read_real(node, s, &value));
    if (!nano_parse(node->text, out)) {
        return FAIL_AT(node, "expected a number with at most %d decimal places, found %s", PLACES, yaml_found(node).text);
    }
    return STATUS_OK;
}

static status finish(arena *a, size_t n, const nano rates[], rate_list *out)
{
    double *value = NULL;
    const char **text = NULL;
    TRY_ALLOC(value, a, n);
    TRY_ALLOC(text, a, n);
    for (size_t i = 0; i < n; i++) {
        char *t = nano_text(a, rates[i]);
        if (t == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        text[i] = t;
        value[i] = strtod(t, NULL);
    }
    *out = (rate_list){n, value, text};
    return STATUS_OK;
}

static status from_list(arena *a, const yaml_node *node, rate_list *out)
{
    const setting element = {.field = {.kind = FIELD_REAL, .min = 0.0, .max = 1.0}, .below = true};
    nano *rates = NULL;
    size_t n = 0;
    TRY(read_list(node, &study_section.settings[STUDY_RATES], 1, MOST_RATES));
    TRY_ALLOC(rates, a, node->n);
    for (const yaml_node *v = node->first; v != NULL; v = v->next, n++) {
        TRY(read_nano(v, &element, &rates[n]));
        if (n == 0 && rates[n] != 0) {
            return FAIL_AT(v, "expected 0, found %s; " WHY_ZERO, yaml_found(v).text);
        }
        if (n > 0 && rates[n] <= rates[n - 1]) {
            return FAIL_AT(v, "expected a rate above the one before it (rates ascend), found %s", yaml_found(v).text);
        }
    }
    return finish(a, n, rates, out);
}

static status from_steps(arena *a, const yaml_node *node, rate_list *out)
{
    const yaml_node *given[RATES_KEYS] = {NULL};
    nano part[RATES_KEYS], *rates = NULL;
    if (node != NULL) {
        TRY(read_section(node, &rates_section, given));
    }
    for (size_t i = 0; i < RATES_KEYS; i++) {
        const setting *s = &rates_section.settings[i];
        if (given[i] != NULL) {
            TRY(read_nano(given[i], s, &part[i]));
        } else if (!nano_parse(number_text(s->field.def).text, &part[i])) {
            return FAIL(ST_BUG, "the default of rates.%s is no decimal", s->field.name);
        }
    }
    if (part[RATES_FROM] != 0) {
        return FAIL_AT(given[RATES_FROM], "expected 0, found %s; " WHY_ZERO, yaml_found(given[RATES_FROM]).text);
    }
    /* The range of `step` keeps this within MOST_RATES. */
    const size_t n = (size_t)(part[RATES_TO] / part[RATES_STEP]) + 1;
    TRY_ALLOC(rates, a, n);
    for (size_t i = 0; i < n; i++) {
        rates[i] = (nano)i * part[RATES_STEP];
    }
    return finish(a, n, rates, out);
}

status rates_read(arena *a, const yaml_node *node, rate_list *out)
{
    return node != NULL && node->kind != YAML_MAPPING ? from_list(a, node, out) : from_steps(a, node, out);
}

static size_t nearest_rate(const rate_list *rates, double rate)
{
    size_t nearest = 0;
    for (size_t i = 1; i < rates->n; i++) {
        nearest = fabs(rates->value[i] - rate) < fabs(rates->value[nearest] - rate) ? i : nearest;
    }
    return nearest;
}

/* A rate is found by its value: two decimal texts of one number are the same double. */
status rates_choose(arena *a, const yaml_node *at, const setting *s, const rate_list *rates, const bool **chosen)
{
    const setting one = {.field = {.kind = FIELD_REAL, .min = s->field.min, .max = s->field.max}, .below = s->below};
    bool *list;
    size_t next = 0;
    TRY_ALLOC(list, a, rates->n);
    if (at != NULL) {
        TRY(read_list(at, s, 1, MOST_RATES));
    }
    for (size_t i = 0; i < rates->n; i++) {
        list[i] = at == NULL;
    }
    for (const yaml_node *v = at != NULL ? at->first : NULL; v != NULL; v = v->next) {
        double rate = 0.0;
        TRY(read_real(v, &one, &rate));
        const size_t i = nearest_rate(rates, rate);
        if (rates->value[i] != rate) {
            return FAIL_AT(v, "expected one of the study's rates, found %s; the nearest is %s", yaml_found(v).text, rates->text[i]);
        }
        if (i < next) {
            return FAIL_AT(v, "expected more than %s (the list ascends), found %s", rates->text[next - 1], yaml_found(v).text);
        }
        next = i + 1;
        list[i] = true;
    }
    *chosen = list;
    return STATUS_OK;
}
