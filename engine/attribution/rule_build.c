#include <string.h>

#include "attribution/product_pool.h"
#include "attribution/rule_kernels.h"
#include "attribution/rule_plan.h"

enum { LANE = 16 }; /* floats in 64 bytes: every scratch array starts aligned */

typedef struct builder {
    arena *a, *scratch; /* scratch: for the time of building */
    const rule_layer *l;
    bool load;
    rule_plan *p;
    size_t n_op; /* scratch of the hungriest product */
} builder;

static bool is_all(const rule_map *m)
{
    return m->all == 1.0 && rule_map_is_zero(&(rule_map){0.0, m->positive, m->negative, m->square, m->one});
}

static bool is_output(const rule_terms *t)
{
    const rule_group *g = &t->group[0];
    return t->n_groups == 1 && g->coef == 1.0 && g->gate == GATE_NONE && g->n_terms == 1 &&
           g->term[0].input == INPUT_ALL && !g->term[0].minus && !g->term[0].flat && is_all(&g->term[0].weights) &&
           is_all(&g->term[0].bias);
}

static size_t take(size_t *total, size_t floats)
{
    const size_t at = *total;
    *total += (floats + LANE - 1) / LANE * LANE;
    return at;
}

static void plan_scratch(rule_plan *p, size_t n_op)
{
    rule_scratch *s = &p->scratch;
    if (p->path == PATH_SIGNED || p->path == PATH_FLAT) {
        s->total = p->path == PATH_FLAT ? flat_workspace(&p->flat) : p->signs.scratch.total;
        return;
    }
    if (p->path != PATH_GRADIENT) {
        s->quotient = take(&s->total, p->batch * p->n_out);
    }
    if (p->path == PATH_TERMS) {
        s->denominator = take(&s->total, p->batch * p->n_out);
        s->input = take(&s->total, p->batch * p->n_in);
        s->relevance = take(&s->total, p->batch * p->n_in);
    }
    s->op = take(&s->total, n_op);
}

/* sign map(x), in `a`; the array itself where that is no change. */
static status mapped(arena *a, const rule_map *map, bool minus, size_t n, const float *x, const float **out)
{
    float *copy;
    *out = x;
    if (!is_all(map) || minus) {
        TRY_ALLOC(copy, a, n);
        kernel_map(n, map, minus ? -1.0f : 1.0f, x, copy);
        *out = copy;
    }
    return STATUS_OK;
}

/* A product whose weights are a map of the layer's: packed where the plan packs, else what is not the layer's own, weights and then bias. */
typedef struct term_weights {
    const node *n;
    rule_term term;
    bool with_bias, copies, copies_bias;
    product *product;
} term_weights;

static status pack_term(const term_weights *t, arena *scratch, float *to)
{
    const float *w, *bias = NULL;
    TRY(mapped(scratch, &t->term.weights, t->term.minus, t->n->n_weight, t->n->weight, &w));
    if (t->with_bias) {
        TRY(mapped(scratch, &t->term.bias, t->term.minus, t->n->n_bias, t->n->bias, &bias));
    }
    product_pack(t->product, w, bias, to);
    return STATUS_OK;
}

static status make_term(const void *of, float *to)
{
    const term_weights *t = of;
    const float sign = t->term.minus ? -1.0f : 1.0f;
    if (t->product->plan->n_packed > 0) {
        arena *scratch = NULL;
        TRY(arena_open("rule weights", &scratch));
        const status st = pack_term(t, scratch, to);
        arena_close(&scratch);
        return st;
    }
    if (t->copies) {
        kernel_map(t->n->n_weight, &t->term.weights, sign, t->n->weight, to);
    }
    if (t->copies_bias) {
        kernel_map(t->n->n_bias, &t->term.bias, sign, t->n->bias, to + (t->copies ? t->n->n_weight : 0));
    }
    return STATUS_OK;
}

static void use_term(void *of, const float *at)
{
    const term_weights *t = of;
    product *p = t->product;
    const bool packs = p->plan->n_packed > 0;
    p->w = packs || t->copies ? at : t->n->weight;
    p->bias = packs || !t->with_bias ? NULL : t->copies_bias ? at + (t->copies ? t->n->n_weight : 0) : t->n->bias;
}

/* Memory that load takes: of the plan's own, or of what many share. */
static status want(builder *b, const weight_order *o)
{
    if (b->l->weights == NULL) {
        b->p->floats += o->n;
    } else if (!b->load) {
        weights_count(b->l->weights, o->n);
    }
    return b->load ? weights_want(b->l->weights, b->a, o) : STATUS_OK;
}

static status build_own_product(builder *b, conv_pass pass, const rule_term *t, product *out)
{
    const node *n = b->l->n;
    term_weights *of;
    TRY(product_plan(b->a, b->l->backend, b->l->shape, b->l->batch, pass, false, out));
    TRY_ALLOC(of, b->a, 1);
    const size_t packed = out->plan->n_packed;
    *of = (term_weights){.n = n,
                         .term = *t,
                         .with_bias = pass.bias,
                         .copies = packed == 0 && (!is_all(&t->weights) || t->minus),
                         .copies_bias = packed == 0 && pass.bias && (!is_all(&t->bias) || t->minus),
                         .product = out};
    return want(b, &(weight_order){.n = packed + (of->copies ? n->n_weight : 0) + (of->copies_bias ? n->n_bias : 0),
                                   .of = of,
                                   .make = make_term,
                                   .use = use_term});
}

/* The transpose of the layer's weights as they are is common to many rules. */
static status build_product(builder *b, conv_pass pass, const rule_term *t, const product **out)
{
    product *own;
    if (pass.adjoint && is_all(&t->weights) && !t->minus) {
        TRY(product_pool_take(b->a, b->l, pass, b->load, &b->p->floats, out));
    } else {
        TRY_ALLOC(own, b->a, 1);
        TRY(build_own_product(b, pass, t, own));
        *out = own;
    }
    b->n_op = (*out)->plan->n_work > b->n_op ? (*out)->plan->n_work : b->n_op;
    return STATUS_OK;
}

static bool is_constant(const rule_term *t)
{
    return t->input >= INPUT_ONE;
}

static bool takes_bias(const builder *b, const rule_term *t)
{
    return b->l->n->n_bias > 0 && !rule_map_is_zero(&t->bias);
}

/* One sample of an input that is the same for all: 1, or a channel's bound. *out [in] as stored, in `a`. */
static status constant_input(builder *b, arena *a, rule_input input, const float **out)
{
    const conv_shape *s = b->l->shape;
    const rule_terms *t = &b->p->terms;
    const rule_pixels *pixels = &b->l->pixels;
    const shape in = s->rows ? (shape){.rank = 2, .dim = {s->in_height, s->in_channels}}
                             : (shape){.rank = 3, .dim = {s->in_channels, s->in_height, s->in_width}};
    const size_t plane = s->rows ? 1 : s->in_height * s->in_width;
    float *plain, *stored;
    TRY_ALLOC(plain, b->scratch, shape_count(in));
    TRY_ALLOC(stored, a, b->p->n_in);
    for (size_t i = 0; i < shape_count(in); i++) {
        const double bound = input == INPUT_LOW ? t->low : t->high;
        const size_t c = i / plane % s->in_channels;
        plain[i] = input == INPUT_ONE ? 1.0f
                   : t->of_pixels     ? (float)((bound - (double)pixels->mean[c]) / (double)pixels->std[c])
                                      : (float)bound;
    }
    images_store(1, in, s->plain_input ? 1 : b->l->backend->block(), plain, stored);
    *out = stored;
    return STATUS_OK;
}

static status build_bound(builder *b, rule_input input, const float **out)
{
    if (*out == NULL) {
        b->p->floats += b->p->n_in;
        if (b->load) {
            TRY(constant_input(b, b->a, input, out));
        }
    }
    return STATUS_OK;
}

/* denominator [out] of one sample += what the term gives, which depends on no sample. */
static status add_constant(builder *b, const rule_term *t, bool first, float *denominator)
{
    const node *n = b->l->n;
    const float *w, *bias = NULL, *x;
    float *work;
    product p;
    const bool with_bias = takes_bias(b, t);
    TRY(product_plan(b->scratch, b->l->backend, b->l->shape, 1, (conv_pass){.bias = with_bias, .add = !first}, false,
                     &p));
    TRY(mapped(b->scratch, &t->weights, t->minus, n->n_weight, n->weight, &w));
    if (with_bias) {
        TRY(mapped(b->scratch, &t->bias, t->minus, n->n_bias, n->bias, &bias));
    }
    TRY(product_load(b->scratch, w, bias, &p));
    TRY(constant_input(b, b->scratch, t->input, &x));
    TRY_ALLOC(work, b->scratch, p.plan->n_work);
    product_run(&p, x, denominator, work);
    return STATUS_OK;
}

static status build_constants(builder *b, const rule_group *g, group_plan *out)
{
    size_t n = 0;
    for (size_t k = 0; k < g->n_terms; k++) {
        n += is_constant(&g->term[k]);
    }
    if (n == 0) {
        return STATUS_OK;
    }
    b->p->floats += b->p->n_out;
    float *denominator = NULL;
    for (size_t k = 0; b->load && k < g->n_terms; k++) {
        const bool first = denominator == NULL;
        if (is_constant(&g->term[k])) {
            if (first) {
                TRY_ALLOC(denominator, b->a, b->p->n_out);
            }
            TRY(add_constant(b, &g->term[k], first, denominator));
        }
    }
    out->constant = denominator;
    return STATUS_OK;
}

/* The denominator's products add up: every term after the first adds to what is there. */
static status build_group(builder *b, const rule_group *g, group_plan *out)
{
    TRY(build_constants(b, g, out));
    for (size_t k = 0; k < g->n_terms; k++) {
        const rule_term *t = &g->term[k];
        TRY(build_product(b, (conv_pass){.adjoint = true}, t, &out->term[k].adjoint));
        if (is_constant(t) || b->p->path != PATH_TERMS) {
            continue;
        }
        TRY(build_product(b, (conv_pass){.bias = takes_bias(b, t), .add = out->varies}, t, &out->term[k].forward));
        out->varies = true;
    }
    return STATUS_OK;
}

/* Bounds in pixels mean something only where the image itself comes in. */
static status check_pixels(const builder *b, const rule_def *rule)
{
    const rule_layer *l = b->l;
    if (!b->p->terms.of_pixels || l->pixels.n_channels == l->shape->in_channels) {
        return STATUS_OK;
    }
    if (l->pixels.n_channels == 0) {
        return FAIL(ST_CONFIG,
                    "layer '%s': rule '%s' has bounds in pixels, but how the images were normalised is not known; "
                    "state the bounds with "
                    "`units: input`",
                    l->n->name, rule->name);
    }
    return FAIL(ST_CONFIG,
                "layer '%s': rule '%s' has bounds in pixels, which is for the layer that sees the image: expected an "
                "input of %zu channels, "
                "found %zu; give the rule to the first layer, or state the bounds with `units: input`",
                l->n->name, rule->name, l->pixels.n_channels, l->shape->in_channels);
}

static status build_terms(builder *b, const rule_def *rule)
{
    rule_plan *p = b->p;
    TRY(check_pixels(b, rule));
    for (size_t g = 0; g < p->terms.n_groups; g++) {
        for (size_t k = 0; k < p->terms.group[g].n_terms; k++) {
            const rule_input input = p->terms.group[g].term[k].input;
            if (input == INPUT_LOW || input == INPUT_HIGH) {
                TRY(build_bound(b, input, input == INPUT_LOW ? &p->low : &p->high));
            }
        }
        if (p->terms.group[g].coef != 0.0) {
            TRY(build_group(b, &p->terms.group[g], &p->group[g]));
        }
    }
    return STATUS_OK;
}

static size_t in_block(const rule_layer *l)
{
    return l->shape->plain_input ? 1 : l->backend->block();
}

static void set_sizes(const rule_layer *l, rule_plan *p)
{
    const conv_shape *s = l->shape;
    const shape in = s->rows ? (shape){.rank = 2, .dim = {s->in_height, s->in_channels}}
                             : (shape){.rank = 3, .dim = {s->in_channels, s->in_height, s->in_width}};
    p->batch = l->batch;
    p->n_in = images_floats(in, in_block(l));
    p->n_out = images_floats(l->n->out, l->backend->block());
}

static status build_gradient(builder *b)
{
    static const rule_term plain = {.weights = {.all = 1.0}};
    b->p->path = PATH_GRADIENT;
    return build_product(b, (conv_pass){.adjoint = true}, &plain, &b->p->group[0].term[0].adjoint);
}

static void build_flat(builder *b, double value, double coef)
{
    rule_plan *p = b->p;
    p->path = PATH_FLAT;
    p->flat = (flat_plan){.shape = *b->l->shape,
                          .batch = p->batch,
                          .in_block = in_block(b->l),
                          .out_block = b->l->backend->block(),
                          .in_floats = p->n_in,
                          .out_floats = p->n_out,
                          .value = value,
                          .coef = coef,
                          .epsilon = (double)p->epsilon};
}

/* The shortest way for a table. */
static status build_table(builder *b, const rule_def *rule, const double parameters[])
{
    rule_plan *p = b->p;
    const rule_layer *l = b->l;
    signed_form form;
    double value, coef;
    p->terms = rule->terms(parameters);
    p->whole = rule_is_whole(rule, parameters);
    p->epsilon = (float)parameters[rule->epsilon_field];
    if (l->spread_bias) {
        rule_spread_bias(&p->terms);
    }
    if (is_output(&p->terms)) {
        p->path = PATH_OUTPUT;
    } else if (!l->by_terms && flat_find(&p->terms, &value, &coef)) {
        build_flat(b, value, coef);
        return STATUS_OK;
    } else if (!l->by_terms && l->shape->groups == 1 && rule_find_form(&p->terms, l->nonnegative, l->gated, &form)) {
        p->path = PATH_SIGNED;
        return signed_build(b->a, &form, parameters[rule->epsilon_field], l, b->load, &p->signs, &p->floats);
    } else {
        p->path = PATH_TERMS;
    }
    return build_terms(b, rule);
}

static status build(builder *b, const rule_def *rule, const double parameters[])
{
    set_sizes(b->l, b->p);
    TRY(rule->kind == RULE_GRADIENT ? build_gradient(b) : build_table(b, rule, parameters));
    plan_scratch(b->p, b->n_op);
    return STATUS_OK;
}

status rule_build(arena *a, const rule_def *rule, const double parameters[], const rule_layer *l, bool load,
                  const rule_plan **out)
{
    rule_plan *p;
    TRY_ALLOC(p, a, 1);
    builder b = {.a = a, .l = l, .load = load, .p = p};
    TRY(arena_open("rule weights", &b.scratch));
    const status st = build(&b, rule, parameters);
    arena_close(&b.scratch);
    *out = p;
    return st;
}

size_t rule_products(const rule_plan *p)
{
    size_t n = 0;
    if (p->path == PATH_SIGNED) {
        return signed_products(&p->signs);
    }
    for (size_t g = 0; g < MAX_RULE_GROUPS; g++) {
        for (size_t k = 0; k < MAX_RULE_TERMS; k++) {
            n += p->group[g].term[k].forward != NULL;
            n += p->group[g].term[k].adjoint != NULL;
        }
    }
    return n;
}

size_t rule_sum_products(const rule_plan *p)
{
    size_t n = 0;
    if (p->path == PATH_SIGNED) {
        return signed_sums_floats(&p->signs) > 0 ? 1 : 0;
    }
    for (size_t g = 0; g < MAX_RULE_GROUPS; g++) {
        for (size_t k = 0; k < MAX_RULE_TERMS; k++) {
            n += p->group[g].term[k].forward != NULL;
        }
    }
    return n;
}

size_t rule_workspace(const rule_plan *p)
{
    return p->scratch.total;
}

size_t rule_floats(const rule_plan *p)
{
    return p->floats;
}
