#include "support/audited.h"

#include <string.h>

#include "nn/arch.h"

const char *const audited_files[AUDITED_FILES] = {"vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

void *audited_get(const audited_net *t, size_t n, size_t size)
{
    void *p = arena_alloc(t->a, n, size);
    assert_non_null(p);
    return p;
}

static const float *copy(const audited_net *t, size_t n, const float *x)
{
    float *y = audited_get(t, n, sizeof *y);
    if (n > 0) {
        memcpy(y, x, n * sizeof *y);
    }
    return x == NULL ? NULL : y;
}

void audited_open(const char *name, audited_net *t)
{
    const graph *g;
    assert_ok(arena_open("audit test", &t->a));
    t->file = golden_open(name);
    assert_ok(graph_build(t->a, golden_tensors(t->file), &g));
    t->nodes = audited_get(t, g->n_nodes, sizeof *t->nodes);
    memcpy(t->nodes, g->nodes, g->n_nodes * sizeof *t->nodes);
    t->g = *g;
    t->g.nodes = t->nodes;
    for (node_id id = 0; id < g->n_nodes; id++) {
        t->nodes[id].weight = copy(t, t->nodes[id].n_weight, t->nodes[id].weight);
        t->nodes[id].bias = copy(t, t->nodes[id].n_bias, t->nodes[id].bias);
    }
    t->images = golden_read(t->file, "inputs").f32;
    const golden_array target = golden_read(t->file, "targets");
    for (size_t b = 0; b < AUDITED_BATCH; b++) {
        t->target[b] = (size_t)target.integer[b];
    }
}

void audited_close(audited_net *t)
{
    golden_close(&t->file);
    arena_close(&t->a);
}

float *audited_weights(const audited_net *t, node_id id)
{
    return (float *)(uintptr_t)t->nodes[id].weight; /* the copy */
}

float *audited_biases(const audited_net *t, node_id id)
{
    return (float *)(uintptr_t)t->nodes[id].bias;
}

void audited_without_biases(audited_net *t)
{
    for (node_id id = 0; id < t->g.n_nodes; id++) {
        t->nodes[id].bias = audited_get(t, t->nodes[id].n_bias, sizeof(float));
    }
}

node_id audited_named(const audited_net *t, const char *name)
{
    node_id id = 0;
    while (strcmp(t->nodes[id].name, name) != 0) {
        id++;
        assert_true(id < t->g.n_nodes);
    }
    return id;
}

const composite *audited_rule(const audited_net *t, const char *name, double eps)
{
    composite_entry *e = audited_get(t, 1, sizeof *e);
    composite *c = audited_get(t, 1, sizeof *c);
    e->rule = rule_find(name);
    assert_non_null(e->rule);
    for (size_t i = 0; i < e->rule->n_fields; i++) {
        e->parameters[i] = strcmp(e->rule->fields[i].name, "epsilon") == 0 ? eps : e->rule->fields[i].def;
    }
    *c = (composite){.n = 1, .entries = e, .epsilon = eps};
    return c;
}

void audited_explain(const audited_net *t, const composite *c, audited *out)
{
    const size_t row = t->g.n_nodes * AUDIT_SUMS;
    *out = (audited){.t = t};
    assert_ok(walk_audit_steps(t->a, &t->g, c, &out->n, &out->steps));
    assert_ok(walk_build_keeping(t->a, &t->g, c, test_backend(), AUDITED_BATCH, &out->w));
    assert_ok(walk_start_audit(t->a, out->w));
    walk_run(out->w, t->images, t->target, audited_get(t, AUDITED_BATCH * WALK_MOMENTS * t->g.n_components, sizeof(float)));
    out->audit = audited_get(t, AUDITED_BATCH * row, sizeof *out->audit);
    for (size_t b = 0; b < AUDITED_BATCH; b++) {
        walk_read_audit(out->w, b, out->audit + b * row);
    }
    assert_ok(forward_build(t->a, &t->g, test_backend(), AUDITED_BATCH, KEEP_ALL, &out->f));
    forward_run(out->f, t->images, NULL);
}

const float *audited_sums(const audited *x, size_t sample, node_id id)
{
    return x->audit + (sample * x->t->g.n_nodes + id) * AUDIT_SUMS;
}

audit_verdict audited_verdict(const audited *x)
{
    const size_t row = x->t->g.n_nodes * AUDIT_SUMS;
    double *all = audited_get(x->t, row, sizeof *all), *sums = audited_get(x->t, x->n * AUDIT_SUMS, sizeof *sums);
    for (size_t i = 0; i < AUDITED_BATCH * row; i++) {
        all[i % row] += (double)x->audit[i];
    }
    audit_select(x->n, x->steps, all, sums);
    return audit_judge(x->n, sums);
}
