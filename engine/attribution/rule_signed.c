#include "attribution/rule_signed.h"

#include <math.h>
#include <string.h>

#include "attribution/product_pool.h"
#include "attribution/rule_kernels.h"

enum { LANE = 16 }; /* floats in 64 bytes: every scratch array starts aligned */
_Static_assert((int)MAX_SHARE_GROUPS == (int)MAX_RULE_GROUPS, "every group has its shares");

typedef struct builder {
    arena *a;
    const rule_layer *l;
    bool load;
    signed_plan *p;
    size_t *floats;
} builder;

static bool is_plain(const signed_group *g)
{
    return g->agree == g->oppose;
}

static void choose_sums(const signed_form *form, bool nonnegative, signed_plan *p)
{
    bool plain = true;
    for (size_t g = 0; g < form->n_groups; g++) {
        plain = plain && is_plain(&form->group[g]);
    }
    p->sums = plain ? SUMS_NONE : nonnegative ? SUMS_POSITIVE : SUMS_ABSOLUTE;
    p->back = plain || nonnegative ? BACK_ONE : form->n_groups == 1 ? BACK_SELECT : BACK_ADD;
}

/* How much of a group's s goes into each share. */
static void choose_shares(const signed_group *g, const signed_plan *p, float to[2])
{
    if (p->sums == SUMS_NONE) {
        to[0] = (float)(g->coef * g->agree);
    } else if (p->shares.n_shares == 1) {
        to[0] = (float)g->coef;
    } else {
        const bool add = p->back == BACK_ADD;
        to[0] = (float)(g->coef * (add ? (g->agree + g->oppose) / 2.0 : g->agree));
        to[1] = (float)(g->coef * (add ? (g->agree - g->oppose) / 2.0 : g->oppose));
    }
}

/* [row] of what the bias adds to a denominator beyond A and O. */
static status build_extra(builder *b, const signed_group *g, const float **out)
{
    const node *n = b->l->n;
    float *plain, *stored;
    const size_t count = shape_count(n->out), channels = shape_channels(n->out);
    const size_t plane = n->out.rank == 3 ? count / channels : 1;
    *b->floats += b->p->row + count;
    if (!b->load) {
        return STATUS_OK;
    }
    TRY_ALLOC(plain, b->a, count);
    for (size_t i = 0; i < count; i++) {
        const double v = (double)n->bias[i / plane % channels];
        plain[i] = (float)(v * (v > 0.0 ? g->extra_positive : g->extra_negative));
    }
    TRY_ALLOC(stored, b->a, b->p->row);
    if (n->out.rank == 3) {
        images_store(1, n->out, b->l->backend->block(), plain, stored);
    } else {
        memcpy(stored, plain, b->p->row * sizeof *stored); /* all rows have the same */
    }
    *out = stored;
    return STATUS_OK;
}

static status build_shares(builder *b, const signed_form *form, double epsilon)
{
    share_rule *r = &b->p->shares;
    r->absolute = b->p->sums == SUMS_ABSOLUTE;
    r->with_sums = b->p->sums != SUMS_NONE;
    r->epsilon = (float)epsilon;
    r->n_groups = form->n_groups;
    r->n_shares = r->with_sums ? form->n_groups : 1;
    for (size_t g = 0; g < form->n_groups; g++) {
        const signed_group *from = &form->group[g];
        r->with_extra =
            r->with_extra || (b->l->n->n_bias > 0 && (from->extra_positive != 0.0 || from->extra_negative != 0.0));
    }
    for (size_t g = 0; g < form->n_groups; g++) {
        const signed_group *from = &form->group[g];
        share_group *to = &r->group[g];
        *to = (share_group){.agree = (float)from->agree,
                            .oppose = (float)from->oppose,
                            .limit = SHARE_LIMIT * (float)fmax(fabs(from->agree), fabs(from->oppose)),
                            .above = from->gate == GATE_POSITIVE ? 0.0f : -INFINITY,
                            .below = from->gate == GATE_NEGATIVE ? 0.0f : INFINITY};
        to->of_z = (float)(r->absolute ? (from->agree + from->oppose) / 2.0 : from->oppose);
        to->of_sums = (float)(r->absolute ? (from->agree - from->oppose) / 2.0 : from->agree - from->oppose);
        choose_shares(from, b->p, to->to);
        if (r->with_extra) {
            TRY(build_extra(b, from, &to->extra));
        }
    }
    return STATUS_OK;
}

static status build_product(builder *b, conv_pass pass, const product **out)
{
    TRY(product_pool_take(b->a, b->l, pass, b->load, b->floats, out));
    b->p->scratch.op = (*out)->plan->n_work > b->p->scratch.op ? (*out)->plan->n_work : b->p->scratch.op;
    return STATUS_OK;
}

static const weight_part absolute_part = {1.0f, -1.0f}, positive_part = {1.0f, 0.0f}, negative_part = {0.0f, 1.0f};

static status build_forward(builder *b)
{
    const weight_part part = b->p->sums == SUMS_ABSOLUTE ? absolute_part : positive_part;
    return b->p->sums == SUMS_NONE
               ? STATUS_OK
               : build_product(b, (conv_pass){.bias = b->l->n->n_bias > 0, .n_parts = 1, .part = {part}},
                               &b->p->forward);
}

static status build_adjoints(builder *b, const signed_group *g)
{
    signed_plan *p = b->p;
    const weight_part same = {(float)g->agree, (float)g->oppose}, other = {(float)g->oppose, (float)g->agree};
    conv_pass first = {.adjoint = true}, second = {.adjoint = true, .n_parts = 1};
    if (p->back == BACK_ADD) {
        second.part[0] = absolute_part;
    } else if (p->shares.n_shares == 2) {
        first.n_parts = 2;
        first.part[0] = positive_part;
        first.part[1] = negative_part;
    } else if (p->sums != SUMS_NONE) {
        first.n_parts = 1;
        first.part[0] = same;
        second.part[0] = other;
    }
    TRY(build_product(b, first, &p->adjoint[0]));
    return p->back == BACK_ONE ? STATUS_OK : build_product(b, second, &p->adjoint[1]);
}

static size_t take(size_t *total, size_t floats)
{
    const size_t at = *total;
    *total += (floats + LANE - 1) / LANE * LANE;
    return at;
}

static size_t chunks(const signed_plan *p)
{
    return (p->row + SHARE_CHUNK - 1) / SHARE_CHUNK;
}

/* A single share takes the place of the sums; |x| is not needed any more when what comes back for the other sign arrives. */
static void plan_scratch(signed_plan *p)
{
    const size_t n_op = p->scratch.op, n_out = p->n_rows * p->row;
    size_t total = 0;
    p->scratch.sums = take(&total, n_out);
    p->scratch.shares = p->shares.n_shares == 2 ? take(&total, 2 * n_out) : p->scratch.sums;
    p->scratch.input = take(&total, p->sums == SUMS_ABSOLUTE ? p->n_in : 0);
    p->scratch.marks = take(&total, p->back == BACK_ADD ? p->n_rows * chunks(p) : 0);
    p->scratch.op = take(&total, n_op);
    p->scratch.total = total;
}

status signed_build(arena *a, const signed_form *form, double epsilon, const rule_layer *l, bool load, signed_plan *out,
                    size_t *floats)
{
    builder b = {.a = a, .l = l, .load = load, .p = out, .floats = floats};
    const conv_shape *s = l->shape;
    const size_t block = l->backend->block(), in_block = s->plain_input ? 1 : block;
    const shape in = {.rank = 3, .dim = {s->in_channels, s->in_height, s->in_width}};
    *out = (signed_plan){0};
    out->n_rows = s->rows ? l->batch * s->in_height : l->batch;
    out->row = s->rows ? s->out_channels : images_floats(l->n->out, block);
    out->exact = (exact_layer){.shape = *s,
                               .in_block = in_block,
                               .out_block = block,
                               .in_floats = s->rows ? s->in_channels * s->in_height : images_floats(in, in_block),
                               .w = l->n->weight,
                               .bias = l->n->n_bias > 0 ? l->n->bias : NULL};
    out->n_in = l->batch * out->exact.in_floats;
    choose_sums(form, l->nonnegative, out);
    TRY(build_shares(&b, form, epsilon));
    TRY(build_forward(&b));
    TRY(build_adjoints(&b, &form->group[0]));
    plan_scratch(out);
    return STATUS_OK;
}

size_t signed_products(const signed_plan *p)
{
    const bool stacked = p->back == BACK_ONE && p->shares.n_shares == 2;
    return (p->sums != SUMS_NONE ? 1U : 0U) + (p->back == BACK_ONE && !stacked ? 1U : 2U);
}

size_t signed_sums_floats(const signed_plan *p)
{
    return p->sums == SUMS_NONE ? 0 : p->n_rows * p->row;
}

void signed_find_sums(const signed_plan *p, const rule_call *c, float *out)
{
    const float *x = c->in;
    if (p->sums == SUMS_ABSOLUTE) {
        float *absolute = c->work + p->scratch.input;
        kernel_absolute(p->n_in, c->in, absolute);
        x = absolute;
    }
    if (p->sums != SUMS_NONE) {
        product_run(p->forward, x, out, c->work + p->scratch.op);
    }
}

/* A piece of a row: where it is, and what is there. */
typedef struct piece {
    size_t row, at, n;
    const float *z, *q, *t, *f;
} piece;

static piece piece_at(const signed_plan *p, const rule_call *c, size_t row, size_t at)
{
    const size_t i = row * p->row + at;
    return (piece){.row = row,
                   .at = at,
                   .n = p->row - at < SHARE_CHUNK ? p->row - at : SHARE_CHUNK,
                   .z = c->out + i,
                   .q = p->sums == SUMS_NONE ? c->out + i : (c->sums != NULL ? c->sums : c->work + p->scratch.sums) + i,
                   .t = c->r_out + i,
                   .f = c->factor == NULL ? NULL : c->factor + i};
}

/* Share k of a row: behind the other of the same row where one product takes both, else in an array of its own. */
static float *share_at(const signed_plan *p, const rule_call *c, size_t row, size_t at, size_t k)
{
    const size_t i = p->back == BACK_ADD ? k * p->n_rows + row : row * p->shares.n_shares + k;
    return c->work + p->scratch.shares + i * p->row + at;
}

static float relevance_of(const piece *v, size_t i)
{
    return v->f == NULL ? v->t[i] : v->t[i] * v->f[i];
}

static void exact_shares(const signed_plan *p, const rule_call *c, const piece *v, size_t i, exact_place *place,
                         double share[2])
{
    double agreeing, opposing;
    *place = exact_find(&p->exact, c->in, v->row, v->at + i);
    exact_sums(&p->exact, place, &agreeing, &opposing);
    share_exactly(&p->shares, v->at + i, v->z[i], agreeing, opposing, relevance_of(v, i), share);
}

/* Elements of a piece that have to be computed again: by their exact shares, or, where the products back would cancel, left out. */
static void mend(const signed_plan *p, const rule_call *c, const piece *v, float *const share[2])
{
    for (size_t i = 0; i < v->n; i++) {
        exact_place place;
        double exact[2] = {0.0, 0.0};
        if (!share_cancels(&p->shares, v->at + i, v->z[i], v->q[i], relevance_of(v, i))) {
            continue;
        }
        if (p->back != BACK_ADD) {
            exact_shares(p, c, v, i, &place, exact);
        }
        for (size_t k = 0; k < p->shares.n_shares; k++) {
            share[k][i] = (float)exact[k];
        }
    }
}

static void find_shares(const signed_plan *p, const rule_call *c)
{
    float sums[SHARE_CHUNK], *marks = c->work + p->scratch.marks;
    for (size_t row = 0; row < p->n_rows; row++) {
        for (size_t at = 0; at < p->row; at += SHARE_CHUNK) {
            float *const share[2] = {share_at(p, c, row, at, 0),
                                     p->shares.n_shares == 2 ? share_at(p, c, row, at, 1) : NULL};
            piece v = piece_at(p, c, row, at);
            if (share[0] == v.q) { /* about to be written over */
                memcpy(sums, v.q, v.n * sizeof *sums);
                v.q = sums;
            }
            const bool again = share_chunk(&p->shares, at, v.n, v.z, v.q, v.t, v.f, share);
            if (again) {
                mend(p, c, &v, share);
            }
            if (p->back == BACK_ADD) {
                marks[row * chunks(p) + at / SHARE_CHUNK] = again ? 1.0f : 0.0f;
            }
        }
    }
}

/* What was left out goes its own way. */
static void add_exactly(const signed_plan *p, const rule_call *c, size_t row, size_t at)
{
    const piece v = piece_at(p, c, row, at);
    for (size_t i = 0; i < v.n; i++) {
        exact_place place;
        double share[2];
        if (share_cancels(&p->shares, at + i, v.z[i], v.q[i], relevance_of(&v, i))) {
            exact_shares(p, c, &v, i, &place, share);
            exact_add(&p->exact, &place, share[0] + share[1], share[0] - share[1], c->r_in);
        }
    }
}

static void hand_back(const signed_plan *p, const rule_call *c)
{
    float *other = c->work + p->scratch.input;
    const float *marks = c->work + p->scratch.marks;
    product_run(p->adjoint[0], share_at(p, c, 0, 0, 0), c->r_in, c->work + p->scratch.op);
    if (p->back == BACK_ONE) {
        return;
    }
    product_run(p->adjoint[1], share_at(p, c, 0, 0, p->back == BACK_ADD ? 1 : 0), other, c->work + p->scratch.op);
    if (p->back == BACK_SELECT) {
        kernel_select(p->n_in, c->in, other, c->r_in);
        return;
    }
    kernel_add_signed(p->n_in, c->in, other, c->r_in);
    for (size_t row = 0; row < p->n_rows; row++) {
        for (size_t at = 0; at < p->row; at += SHARE_CHUNK) {
            if (marks[row * chunks(p) + at / SHARE_CHUNK] != 0.0f) {
                add_exactly(p, c, row, at);
            }
        }
    }
}

void signed_relevance(const signed_plan *p, const rule_call *c)
{
    if (c->sums == NULL) {
        signed_find_sums(p, c, c->work + p->scratch.sums);
    }
    find_shares(p, c);
    hand_back(p, c);
}
