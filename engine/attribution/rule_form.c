#include "attribution/rule_form.h"

/* Coefficients of x+ W+, x+ W-, x- W+, x- W-, and of b+, b-. */
typedef struct coefficients {
    double of[2][2], bias[2];
} coefficients;

static bool add_term(const rule_term *t, coefficients *c)
{
    const double sign = t->minus ? -1.0 : 1.0;
    const double weight[2] = {sign * (t->weights.all + t->weights.positive),
                              sign * (t->weights.all + t->weights.negative)};
    const double bias[2] = {sign * (t->bias.all + t->bias.positive), sign * (t->bias.all + t->bias.negative)};
    if (t->input >= INPUT_ONE || t->flat || t->weights.square != 0.0 || t->weights.one != 0.0 ||
        t->bias.square != 0.0 || t->bias.one != 0.0) {
        return false;
    }
    for (size_t k = 0; k < 2; k++) {
        c->of[0][k] += t->input != INPUT_NEGATIVE ? weight[k] : 0.0;
        c->of[1][k] += t->input != INPUT_POSITIVE ? weight[k] : 0.0;
        c->bias[k] += bias[k];
    }
    return true;
}

static bool find_group(const rule_group *g, bool nonnegative, signed_group *out)
{
    coefficients c = {.of = {{0.0}}};
    for (size_t k = 0; k < g->n_terms; k++) {
        if (!add_term(&g->term[k], &c)) {
            return false;
        }
    }
    *out = (signed_group){.coef = g->coef,
                          .agree = c.of[0][0],
                          .oppose = c.of[0][1],
                          .gate = g->gate,
                          .extra_positive = c.bias[0] - c.of[0][0],
                          .extra_negative = c.bias[1] - c.of[0][1]};
    return nonnegative || (c.of[1][1] == out->agree && c.of[1][0] == out->oppose);
}

bool rule_find_form(const rule_terms *t, bool nonnegative, bool gated, signed_form *out)
{
    *out = (signed_form){0};
    for (size_t g = 0; g < t->n_groups; g++) {
        const bool silent = t->group[g].coef == 0.0 || (gated && t->group[g].gate == GATE_NEGATIVE);
        if (silent) {
            continue;
        }
        if (!find_group(&t->group[g], nonnegative, &out->group[out->n_groups])) {
            return false;
        }
        out->n_groups++;
    }
    return out->n_groups > 0;
}
