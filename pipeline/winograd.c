#include "pipeline/winograd.h"

#include "core/log.h"
#include "nn/forward.h"
#include "nn/op.h"

status winograd_find(arena *a, const config *cfg, const backend_def *backend, study_model *m)
{
    m->n_winograd = 0;
    m->winograd = NULL;
    return cfg->winograd
               ? forward_winograd_layers(a, m->logits_graph, backend, cfg->micro_batch, &m->n_winograd, &m->winograd)
               : STATUS_OK;
}

bool winograd_any(const study *s)
{
    bool any = false;
    for (size_t i = 0; i < s->n_models; i++) {
        any = any || s->models[i].n_winograd > 0;
    }
    return any;
}

static size_t count_convolutions(const graph *g)
{
    size_t n = 0;
    for (node_id id = 0; id < g->n_nodes; id++) {
        n += g->nodes[id].op == &op_conv2d;
    }
    return n;
}

static const char *model_text(arena *a, const study_model *m)
{
    const char *text = arena_text(a, "%s: %zu of %zu convolutions", m->config->name, m->n_winograd,
                                  count_convolutions(m->logits_graph));
    for (size_t i = 0; i < m->n_winograd && text != NULL; i++) {
        text = arena_text(a, "%s%s %s", text, i == 0 ? ":" : ",", m->logits_graph->nodes[m->winograd[i]].name);
    }
    return text;
}

const char *winograd_text(arena *a, const study *s)
{
    const char *text = arena_text(a, "%s", winograd_any(s) ? "" : "none");
    for (size_t i = 0; winograd_any(s) && i < s->n_models && text != NULL; i++) {
        const char *line = model_text(a, &s->models[i]);
        text = line == NULL ? NULL : arena_text(a, "%s%s%s", text, i == 0 ? "" : "\n", line);
    }
    return text;
}

void winograd_announce(const study *s)
{
    if (s->config->winograd && !winograd_any(s)) {
        log_line(
            LOG_WARNING,
            "convolutions=direct although the study asks for winograd: %s has no such kernel for these networks here "
            "(`backend: onednn` has, for 3x3 at stride 1 on processors with AVX-512)",
            s->backend->name);
        return;
    }
    for (size_t i = 0; i < s->n_models && s->config->winograd; i++) {
        log_line(LOG_INFO, "convolutions=winograd model=%s layers=%zu of=%zu", s->models[i].config->name,
                 s->models[i].n_winograd, count_convolutions(s->models[i].logits_graph));
    }
}
