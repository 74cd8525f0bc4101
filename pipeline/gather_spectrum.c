#include "pipeline/gather_spectrum.h"

#include "pipeline/gather_audit.h"
#include "pipeline/gather_rows.h"
#include "stages/spectrum.h"

static status gather_parts(arena *a, const spectrum_pair *p, const result_part **out)
{
    result_part *parts;
    TRY_ALLOC(parts, a, p->n_parts);
    for (size_t i = 0; i < p->n_parts; i++) {
        const spectrum_part *from = &p->parts[i];
        parts[i] = (result_part){from->name, spectrum_level_names[from->level],
                                 from->kind == COMPONENT_NONE ? "" : component_kind_name(from->kind), from->n};
    }
    *out = parts;
    return STATUS_OK;
}

status gather_spectra(arena *a, const study *s, const stage_ctx *c, results *out)
{
    const size_t n = s->n_models * s->config->n_criteria;
    result_spectrum *spectra;
    const result_set *sets;
    if (!s->config->spectrum) {
        return STATUS_OK;
    }
    TRY_ALLOC(spectra, a, n);
    TRY(gather_sets(a, s, &sets));
    for (size_t i = 0; i < n; i++) {
        const size_t model = i / s->config->n_criteria, criterion = i % s->config->n_criteria;
        const spectrum_pair *p = spectrum_of_pair(c, model, criterion);
        if (p != NULL && study_wants(s, model, criterion)) {
            result_spectrum *to = &spectra[out->n_spectra++];
            *to = (result_spectrum){.model = model, .criterion = criterion, .scored = gather_first_scored(s, model, criterion), .n_parts = p->n_parts,
                                    .n_sets = s->n_references, .sets = sets, .order = p->order, .values = p->values,
                                    .over_ranks = p->over_ranks, .measures = p->measures};
            TRY(gather_parts(a, p, &to->parts));
        }
    }
    out->spectra = spectra;
    return STATUS_OK;
}

static size_t most_parts(const study_model *m)
{
    return m->graph->n_layers + m->n_kinds + 1;
}

size_t gather_spectra_bytes(const study *s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s->n_models * s->config->n_criteria && s->config->spectrum; i++) {
        sum += sizeof(result_spectrum) + most_parts(&s->models[i / s->config->n_criteria]) * sizeof(result_part);
    }
    return sum + (s->config->spectrum ? s->n_references * sizeof(result_set) : 0);
}

/* Eigenvalues as they are: what stands for the missing ones is the same number throughout and takes next to nothing. */
size_t gather_spectra_file_bytes(const study *s)
{
    const size_t measures = sizeof(spectrum) + 1;
    size_t sum = 0;
    for (size_t i = 0; i < s->n_models * s->config->n_criteria; i++) {
        const study_model *m = &s->models[i / s->config->n_criteria];
        for (size_t r = 0; r < s->n_references && spectrum_exists(s, i / s->config->n_criteria, i % s->config->n_criteria); r++) {
            const size_t images = s->references[r].samples.n;
            sum += most_parts(m) * measures;
            for (size_t l = 0; l < m->graph->n_layers; l++) {
                const size_t n = m->graph->nodes[m->graph->layers[l]].n_components;
                sum += (n < images ? n : images) * sizeof(double);
            }
            sum += (m->n_kinds + 1) * (m->graph->n_components < images ? m->graph->n_components : images) * sizeof(double);
        }
    }
    return sum;
}
