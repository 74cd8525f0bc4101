#include "attribution/walk_audit.h"

#include <math.h>
#include <string.h>

#include "attribution/rule_kernels.h"
#include "attribution/walk_steps.h"
#include "core/vector.h"

enum { MOST_READINGS = 1 + 2 * MAX_INPUTS }; /* of a step: its output, its inputs before and after others' shares are added */

/* What an audited step adds up, as indices into the readings. */
typedef struct audited {
    node_id id;
    size_t out, n_in, in[MAX_INPUTS];
} audited;

struct walk_audit {
    size_t n_nodes, batch;
    size_t n_audited, n_readings;
    audited *step;                /* [n_audited] */
    audit_reading *reading;       /* [n_readings], of each step of the program together */
    size_t *first, *n_first;      /* [n_steps] those that are read before anything is added up */
    audit_sum (*sum)[MAX_INPUTS]; /* [n_steps] share NULL: none */
};

/* ---- which steps, which arrays ---- */

static bool is_audited(const walk_step *s)
{
    bool hands_on = false;
    for (size_t i = 0; i < MAX_INPUTS; i++) {
        hands_on = hands_on || s->share[i].buffer != NO_BUFFER;
    }
    return s->runs && s->way != RELEVANCE_PASSES && hands_on;
}

static status list_steps(arena *a, const graph *g, const walk_program *p, size_t *n, const audit_step **out)
{
    audit_step *steps;
    *n = 0;
    TRY_ALLOC(steps, a, p->n_steps);
    for (size_t i = 0; i < p->n_steps; i++) {
        const walk_step *s = &p->steps[i];
        bool complete = true;
        for (size_t k = 0; k < g->nodes[s->id].n_in; k++) {
            complete = complete && s->share[k].buffer != NO_BUFFER;
        }
        if (is_audited(s)) {
            steps[(*n)++] = (audit_step){.id = s->id, .rule = s->rule, .complete = complete};
        }
    }
    *out = steps;
    return STATUS_OK;
}

status walk_audit_steps(arena *a, const graph *g, const composite *c, size_t *n, const audit_step **out)
{
    walk_program p;
    TRY(walk_compile(a, g, c, 1, 1, &(walk_options){0}, &p));
    return list_steps(a, g, &p, n, out);
}

/* The builder of readings: which of them still stand for what their buffer holds. */
typedef struct planner {
    walk_audit *w;
    const graph *g;
    bool *changed; /* [n_readings] another reader's share has been added to the buffer since */
} planner;

static size_t new_reading(planner *p, relevance_at r, node_id at)
{
    p->w->reading[p->w->n_readings] = (audit_reading){.buffer = r.buffer, .factor = r.factor, .at = at};
    return p->w->n_readings++;
}

static size_t reading_of(planner *p, relevance_at r, node_id at)
{
    const walk_audit *w = p->w;
    for (size_t k = 0; k < w->n_readings; k++) {
        if (!p->changed[k] && w->reading[k].buffer == r.buffer && w->reading[k].factor == r.factor) {
            return k;
        }
    }
    return new_reading(p, r, at);
}

/* A sum in the buffer of the share and with its factor. */
static bool reads_while_adding(const walk_step *s, size_t input)
{
    const relevance_sum *sum = &s->sum[input];
    return sum->to != NO_BUFFER && sum->to == s->share[input].buffer && sum->mine.factor == sum->before.factor;
}

static void plan_reading(planner *p, size_t step, const walk_step *s)
{
    const node *n = &p->g->nodes[s->id];
    audited *to = &p->w->step[p->w->n_audited++];
    *to = (audited){.id = s->id, .out = reading_of(p, s->r_out, s->id)};
    for (size_t i = 0; i < n->n_in; i++) {
        if (s->share[i].buffer != NO_BUFFER && !reads_while_adding(s, i)) {
            to->in[to->n_in++] = reading_of(p, s->share[i], n->in[i]);
        }
    }
    p->w->n_first[step] = p->w->n_readings - p->w->first[step];
    for (size_t k = 0; k < p->w->n_readings; k++) {
        for (size_t i = 0; i < MAX_INPUTS; i++) {
            p->changed[k] = p->changed[k] || (s->sum[i].to != NO_BUFFER && s->sum[i].to == p->w->reading[k].buffer);
        }
    }
    for (size_t i = 0; i < n->n_in; i++) {
        if (s->share[i].buffer != NO_BUFFER && reads_while_adding(s, i)) {
            const size_t mine = new_reading(p, s->share[i], n->in[i]), after = new_reading(p, s->share[i], n->in[i]);
            p->changed[mine] = true;
            to->in[to->n_in++] = mine;
            p->w->sum[step][i] = (audit_sum){&p->w->reading[mine], &p->w->reading[after]};
        }
    }
}

status walk_audit_build(arena *a, const graph *g, const walk_program *p, size_t batch, walk_audit **out)
{
    walk_audit *w;
    planner plan = {.g = g};
    TRY_ALLOC(w, a, 1);
    *w = (walk_audit){.n_nodes = g->n_nodes, .batch = batch};
    TRY_ALLOC(w->step, a, p->n_steps);
    TRY_ALLOC(w->reading, a, p->n_steps * MOST_READINGS);
    TRY_ALLOC(w->first, a, p->n_steps);
    TRY_ALLOC(w->n_first, a, p->n_steps);
    TRY_ALLOC(w->sum, a, p->n_steps);
    plan.w = w;
    TRY_ALLOC(plan.changed, a, p->n_steps * MOST_READINGS);
    for (size_t i = 0; i < p->n_steps; i++) {
        w->first[i] = w->n_readings;
        if (is_audited(&p->steps[i])) {
            plan_reading(&plan, i, &p->steps[i]);
        }
    }
    for (size_t k = 0; k < w->n_readings; k++) {
        TRY_ALLOC(w->reading[k].total, a, batch);
    }
    *out = w;
    return STATUS_OK;
}

size_t walk_audit_readings(const walk_audit *w, size_t step, const audit_reading **out)
{
    *out = w->reading + w->first[step];
    return w->n_first[step];
}

const audit_sum *walk_audit_sum(const walk_audit *w, size_t step, size_t input)
{
    return w->sum[step][input].share == NULL ? NULL : &w->sum[step][input];
}

/* ---- sums: LANES partial ones, added in order at the end: the same bits wherever the sample lies ---- */

enum { LANES = 8, BLOCK = 1024 }; /* BLOCK: floats that are read twice stay in the nearest cache */

typedef struct partial {
    double value[LANES], size[LANES];
} partial;

static inline float times(bool multiply, float t, const float *f, size_t i)
{
    return multiply ? t * f[i] : t;
}

/* Adds whole steps of LANES elements, n of them a multiple. `multiply` is a constant where this is inlined: without it f is NULL. */
static inline void add_steps(bool multiply, size_t n, const float *restrict t, const float *restrict f, partial *restrict p)
{
    double value[LANES], size[LANES];
    memcpy(value, p->value, sizeof value);
    memcpy(size, p->size, sizeof size);
    for (size_t i = 0; i < n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            const double r = (double)times(multiply, t[i + k], f, i + k);
            value[k] += r;
            size[k] += fabs(r);
        }
    }
    memcpy(p->value, value, sizeof value);
    memcpy(p->size, size, sizeof size);
}

VECTOR_KERNEL
static void add_relevance(size_t n, const float *restrict t, partial *restrict p)
{
    add_steps(false, n, t, NULL, p);
}

VECTOR_KERNEL
static void add_quotient(size_t n, const float *restrict t, const float *restrict f, partial *restrict p)
{
    add_steps(true, n, t, f, p);
}

/* n elements from `first` on; where n is no multiple of LANES it is the end of the sample. */
static void add(size_t first, size_t n, const float *t, const float *f, partial *p)
{
    const size_t whole = n / LANES * LANES;
    if (f == NULL) {
        add_relevance(whole, t + first, p);
    } else {
        add_quotient(whole, t + first, f + first, p);
    }
    for (size_t k = whole; k < n; k++) {
        const double r = (double)times(f != NULL, t[first + k], f, first + k);
        p->value[k - whole] += r;
        p->size[k - whole] += fabs(r);
    }
}

static void finish(const partial *p, audit_total total)
{
    total[0] = total[1] = 0.0;
    for (size_t k = 0; k < LANES; k++) {
        total[0] += p->value[k];
        total[1] += p->size[k];
    }
}

static size_t block_of(size_t n, size_t first)
{
    return n - first < BLOCK ? n - first : BLOCK;
}

static const float *of_sample(const float *f, size_t at)
{
    return f == NULL ? NULL : f + at;
}

void walk_audit_total(size_t batch, size_t n, const float *t, const float *f, audit_total *total)
{
    for (size_t b = 0; b < batch; b++) {
        partial p = {{0.0}, {0.0}};
        add(0, n, t + b * n, of_sample(f, b * n), &p);
        finish(&p, total[b]);
    }
}

void walk_audit_totals(size_t batch, size_t n, const float *t, const float *f, const float *g, audit_total *of_f, audit_total *of_g)
{
    for (size_t b = 0; b < batch; b++) {
        partial with_f = {{0.0}, {0.0}}, with_g = {{0.0}, {0.0}};
        for (size_t i = 0; i < n; i += BLOCK) {
            add(i, block_of(n, i), t + b * n, f + b * n, &with_f);
            add(i, block_of(n, i), t + b * n, g + b * n, &with_g);
        }
        finish(&with_f, of_f[b]);
        finish(&with_g, of_g[b]);
    }
}

void walk_audit_add(size_t batch, size_t n, const float *before, const float *f, float *t, audit_total *share, audit_total *after)
{
    for (size_t b = 0; b < batch; b++) {
        partial mine = {{0.0}, {0.0}}, both = {{0.0}, {0.0}};
        for (size_t i = 0; i < n; i += BLOCK) {
            add(i, block_of(n, i), t + b * n, of_sample(f, b * n), &mine);
            kernel_add(block_of(n, i), before + b * n + i, t + b * n + i);
            add(i, block_of(n, i), t + b * n, of_sample(f, b * n), &both);
        }
        finish(&mine, share[b]);
        finish(&both, after[b]);
    }
}

void walk_audit_row(const walk_audit *w, size_t sample, float *row)
{
    memset(row, 0, w->n_nodes * AUDIT_SUMS * sizeof *row);
    for (size_t i = 0; i < w->n_audited; i++) {
        const audited *s = &w->step[i];
        const double *out = w->reading[s->out].total[sample];
        double in[2] = {0.0, 0.0};
        for (size_t k = 0; k < s->n_in; k++) {
            in[0] += w->reading[s->in[k]].total[sample][0];
            in[1] += w->reading[s->in[k]].total[sample][1];
        }
        float *to = row + s->id * AUDIT_SUMS;
        to[AUDIT_OUT] = (float)out[0];
        to[AUDIT_ABS_OUT] = (float)out[1];
        to[AUDIT_IN] = (float)in[0];
        to[AUDIT_ABS_IN] = (float)in[1];
    }
}

/* ---- what the sums say ---- */

void audit_select(size_t n, const audit_step steps[], const double *audit, double *sums)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(sums + i * AUDIT_SUMS, audit + steps[i].id * AUDIT_SUMS, AUDIT_SUMS * sizeof *sums);
    }
}

double audit_residual(const double sums[AUDIT_SUMS])
{
    return (sums[AUDIT_IN] - sums[AUDIT_OUT]) / sums[AUDIT_ABS_OUT];
}

double audit_gain(const double sums[AUDIT_SUMS])
{
    return sums[AUDIT_ABS_IN] / sums[AUDIT_ABS_OUT];
}

static audit_finding find(double gain, double growth, const double sums[AUDIT_SUMS])
{
    if (!isfinite(sums[AUDIT_IN]) || !isfinite(sums[AUDIT_ABS_IN])) {
        return AUDIT_NOT_FINITE;
    }
    return gain > 1.0 && growth > AUDIT_GROWTH ? AUDIT_EXPLODES : AUDIT_FINE;
}

audit_verdict audit_judge(size_t n, const double *sums)
{
    audit_verdict first = {AUDIT_FINE, 0, 0.0, 0.0};
    for (size_t i = 0; i < n; i++) {
        const double *of = sums + i * AUDIT_SUMS;
        const double gain = audit_gain(of), growth = of[AUDIT_ABS_IN] / sums[AUDIT_ABS_OUT];
        const audit_finding finding = find(gain, growth, of);
        if (finding > first.finding) { /* what is not finite says more than what explodes */
            first = (audit_verdict){finding, i, gain, growth};
        }
    }
    return first;
}
