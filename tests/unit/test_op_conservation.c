/* Conservation in every layer of the family that has a relevance rule of its own (docs/attribution.md, section l): without biases and without a
 * stabiliser its inputs get what its output has. By every layer case, so that a new layer type is tested without a word here; attention with every
 * softmax rule of the list. */
#include "support/layer_cases.h"

#include <math.h>
#include <string.h>

/* Relevance that shares out by quotients is good to a float's rounding of every share. */
static const double tolerance = 1e-6; /* of the sum of the sizes of all shares */

enum { BATCH = 3, SEED = 5 };

static bool has_own_rule(const op_def *op)
{
    return op->product == NULL && op->way != RELEVANCE_NONE;
}

/* What a sample's inputs get and its output has. */
typedef struct account {
    double in, out, size;
} account;

/* What sums to the class token is the learned token and not the image, which keeps its share. */
static bool is_learned(const layer *l, size_t i)
{
    return l->n.op == &op_tokens && i < l->n.out.dim[1];
}

/* Where the output is 0 whatever comes in there is nothing that could have a share. */
static float *some_relevance(layer *l)
{
    float *r = layer_random(l, l->batch * l->n_out, SEED + 20);
    for (size_t i = 0; i < l->batch * l->n_out; i++) {
        r[i] = l->out[i] == 0.0f ? 0.0f : r[i];
    }
    return r;
}

static void without_bias(layer *l)
{
    l->n.bias = l->n.bias == NULL ? NULL : layer_floats(l, l->n.n_bias);
}

/* Logits of either sign, none near 0: a quotient by one of those has shares that cancel, which float32 rounds. */
static void condition_logits(layer *l)
{
    const size_t width = l->in_shape[1].dim[1];
    for (size_t i = 0; i < BATCH * l->n_x[0]; i++) {
        l->x[0][i] = fabsf(l->x[0][i]);
    }
    for (size_t i = 0; i < BATCH * l->n_x[1]; i++) {
        l->x[1][i] = copysignf(l->x[1][i], i / width % 2 == 0 ? 1.0f : -1.0f);
    }
}

/* accounts [BATCH] */
static void run(const layer_spec *s, int softmax_rule, account accounts[BATCH])
{
    layer l;
    float *r_in[MAX_INPUTS] = {NULL};
    layer_open(&l, s, BATCH, SEED);
    without_bias(&l);
    l.softmax_rule = softmax_rule;
    if ((s->op->relevance_reads & READS_SOFTMAX_RULE) != 0) {
        condition_logits(&l);
    }
    layer_forward(&l, NULL);
    const float *r_out = some_relevance(&l);
    for (size_t i = 0; i < l.n_in; i++) {
        const bool reached = s->op->reaches == NULL || s->op->reaches(softmax_rule, i);
        r_in[i] = reached ? layer_floats(&l, BATCH * l.n_x[i]) : NULL;
    }
    layer_relevance(&l, 0.0, r_out, r_in, NULL);
    for (size_t b = 0; b < BATCH; b++) {
        accounts[b] = (account){0.0, 0.0, 0.0};
        for (size_t i = 0; i < l.n_out; i++) {
            accounts[b].out += is_learned(&l, i) ? 0.0 : (double)r_out[b * l.n_out + i];
        }
        for (size_t k = 0; k < l.n_in; k++) {
            for (size_t i = 0; r_in[k] != NULL && i < l.n_x[k]; i++) {
                accounts[b].in += (double)r_in[k][b * l.n_x[k] + i];
                accounts[b].size += fabs((double)r_in[k][b * l.n_x[k] + i]);
            }
        }
    }
    layer_close(&l);
}

/* Largest of the samples. */
static double residual(const layer_spec *s, int softmax_rule)
{
    account a[BATCH];
    double worst = 0.0;
    run(s, softmax_rule, a);
    for (size_t b = 0; b < BATCH; b++) {
        assert_true(a[b].size > 0.0);
        worst = worst_of(worst, fabs(a[b].in - a[b].out) / a[b].size);
    }
    return worst;
}

static void every_own_rule_conserves(void **state)
{
    (void)state;
    for (size_t k = 0; k < op_count; k++) {
        size_t cases = 0;
        for (size_t i = 0; i < layer_case_count && has_own_rule(op_table[k]); i++) {
            if (layer_cases[i].op != op_table[k] || (op_table[k]->relevance_reads & READS_SOFTMAX_RULE) != 0) {
                continue;
            }
            const double off = residual(&layer_cases[i], 0);
            if (!(off <= tolerance)) {
                fail_msg("%s (%s): %.3g of the shares is lost or made", layer_cases[i].what,
                         op_table[k]->relevance_name, off);
            }
            cases++;
        }
        if (has_own_rule(op_table[k]) && cases == 0 && (op_table[k]->relevance_reads & READS_SOFTMAX_RULE) == 0) {
            fail_msg("the layer '%s' is in no case", op_table[k]->name);
        }
    }
}

/* docs/attribution.md, section d, step 7: input times gradient adds up to nothing in particular, a virtual bias takes a share. */
static const struct {
    const char *softmax;
    bool conserves;
} softmaxes[] = {{"epsilon", false}, {"z-plus", true}, {"z-plus-bias", false}, {"cp", true}};

static void attention_conserves_as_its_softmax_rule_does(void **state)
{
    (void)state;
    for (int rule = 0; softmax_rule_names[rule] != NULL; rule++) {
        size_t k = 0, cases = 0;
        while (k < COUNT(softmaxes) && strcmp(softmaxes[k].softmax, softmax_rule_names[rule]) != 0) {
            k++;
        }
        if (k == COUNT(softmaxes)) {
            fail_msg("is the softmax rule '%s' one that conserves?", softmax_rule_names[rule]);
        }
        for (size_t i = 0; i < layer_case_count; i++) {
            if ((layer_cases[i].op->relevance_reads & READS_SOFTMAX_RULE) != 0) {
                const double off = residual(&layer_cases[i], rule);
                print_message("%s, softmax %s: %.2g\n", layer_cases[i].what, softmax_rule_names[rule], off);
                assert_true(softmaxes[k].conserves ? off <= tolerance : off > 1e-2);
                cases++;
            }
        }
        assert_true(cases >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_own_rule_conserves),
        cmocka_unit_test(attention_conserves_as_its_softmax_rule_does),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
