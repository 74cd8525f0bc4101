#include "attribution/walk_audit.h"

#include <math.h>
#include <string.h>

#include "attribution/walk_steps.h"
#include "core/vector.h"

enum { LANES = 16, MOST_READINGS = 1 + MAX_INPUTS }; /* of a step: its output, its inputs */

/* What an audited step adds up, as indices into the readings. */
typedef struct audited {
    node_id id;
    size_t out, n_in, in[MAX_INPUTS];
} audited;

struct walk_audit {
    size_t n_nodes, batch;
    size_t n_audited, n_readings;
    audited *step;          /* [n_audited] */
    audit_reading *reading; /* [n_readings] in the order in which they are made */
    size_t *first;          /* [n_steps + 1] of the readings of each step of the program */
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
    TRY(walk_compile(a, g, c, NULL, 1, 1, false, &p));
    return list_steps(a, g, &p, n, out);
}

/* The builder of readings: which of them still stand for what their buffer holds. */
typedef struct planner {
    walk_audit *w;
    bool *changed; /* [n_readings] another reader's share has been added to the buffer since */
} planner;

static size_t read_of(planner *p, relevance_at r, node_id at)
{
    walk_audit *w = p->w;
    for (size_t k = 0; k < w->n_readings; k++) {
        if (!p->changed[k] && w->reading[k].buffer == r.buffer && w->reading[k].factor == r.factor) {
            return k;
        }
    }
    w->reading[w->n_readings] = (audit_reading){.buffer = r.buffer, .factor = r.factor, .at = at};
    return w->n_readings++;
}

static void plan_step(planner *p, const graph *g, const walk_step *s)
{
    audited *to = &p->w->step[p->w->n_audited++];
    *to = (audited){.id = s->id, .out = read_of(p, s->r_out, s->id)};
    for (size_t i = 0; i < g->nodes[s->id].n_in; i++) {
        if (s->share[i].buffer != NO_BUFFER) {
            to->in[to->n_in++] = read_of(p, s->share[i], g->nodes[s->id].in[i]);
        }
    }
    for (size_t k = 0; k < p->w->n_readings; k++) {
        for (size_t i = 0; i < MAX_INPUTS; i++) {
            p->changed[k] = p->changed[k] || (s->sum[i].to != NO_BUFFER && s->sum[i].to == p->w->reading[k].buffer);
        }
    }
}

status walk_audit_build(arena *a, const graph *g, const walk_program *p, size_t batch, walk_audit **out)
{
    walk_audit *w;
    planner plan;
    TRY_ALLOC(w, a, 1);
    *w = (walk_audit){.n_nodes = g->n_nodes, .batch = batch};
    TRY_ALLOC(w->step, a, p->n_steps);
    TRY_ALLOC(w->reading, a, p->n_steps * MOST_READINGS);
    TRY_ALLOC(w->first, a, p->n_steps + 1);
    plan.w = w;
    TRY_ALLOC(plan.changed, a, p->n_steps * MOST_READINGS);
    for (size_t i = 0; i < p->n_steps; i++) {
        w->first[i] = w->n_readings;
        if (is_audited(&p->steps[i])) {
            plan_step(&plan, g, &p->steps[i]);
        }
    }
    w->first[p->n_steps] = w->n_readings;
    for (size_t k = 0; k < w->n_readings; k++) {
        TRY_ALLOC(w->reading[k].total, a, batch);
    }
    *out = w;
    return STATUS_OK;
}

size_t walk_audit_readings(const walk_audit *w, size_t step, const audit_reading **out)
{
    *out = w->reading + w->first[step];
    return w->first[step + 1] - w->first[step];
}

/* ---- sums ---- */

static inline float element(const float *t, const float *f, size_t i)
{
    return f == NULL ? t[i] : t[i] * f[i];
}

/* LANES partial sums, added in order at the end: the same bits wherever the sample lies. */
static inline void total_of(size_t n, const float *restrict t, const float *restrict f, double total[2])
{
    double value[LANES] = {0.0}, size[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            const double r = (double)element(t, f, i + k);
            value[k] += r;
            size[k] += fabs(r);
        }
    }
    for (size_t k = 0; i < n; i++, k++) {
        const double r = (double)element(t, f, i);
        value[k] += r;
        size[k] += fabs(r);
    }
    total[0] = total[1] = 0.0;
    for (size_t k = 0; k < LANES; k++) {
        total[0] += value[k];
        total[1] += size[k];
    }
}

VECTOR_KERNEL
static void total_of_relevance(size_t n, const float *restrict t, double total[2])
{
    total_of(n, t, NULL, total);
}

VECTOR_KERNEL
static void total_of_quotient(size_t n, const float *restrict t, const float *restrict f, double total[2])
{
    total_of(n, t, f, total);
}

void walk_audit_total(size_t batch, size_t n, const float *t, const float *f, double (*total)[2])
{
    for (size_t b = 0; b < batch; b++) {
        if (f == NULL) {
            total_of_relevance(n, t + b * n, total[b]);
        } else {
            total_of_quotient(n, t + b * n, f + b * n, total[b]);
        }
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
    return gain > AUDIT_GAIN && growth > AUDIT_GROWTH ? AUDIT_EXPLODES : AUDIT_FINE;
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
