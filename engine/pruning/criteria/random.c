#include "core/rng.h"
#include "pruning/criterion.h"

/* Uniform scores, one draw a component (docs/attribution.md, section g): what any criterion has to beat. */
static status scores(const criterion_setup *s, uint64_t seed, double *score)
{
    for (size_t i = 0; i < s->graph->n_components; i++) {
        score[i] = rng_uniform(seed, RNG_SCORES, 0, (uint32_t)i);
    }
    return STATUS_OK;
}

const criterion_def criterion_random = {
    .name = "random",
    .help = "uniform scores drawn from the seed, the baseline of every comparison",
    .uses_seed = true,
    .scores = scores,
};
