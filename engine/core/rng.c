#include "core/rng.h"

#include <Random123/philox.h>

static philox4x32_ctr_t numbers(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index)
{
    const philox4x32_ctr_t counter = {{index, stream, (uint32_t)purpose, 0}};
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(counter, key);
}

uint64_t rng_u64(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index)
{
    const philox4x32_ctr_t r = numbers(seed, purpose, stream, index);
    return (uint64_t)r.v[1] << 32 | r.v[0];
}

static double uniform(uint32_t low, uint32_t high)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

double rng_uniform(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index)
{
    const philox4x32_ctr_t r = numbers(seed, purpose, stream, index);
    return uniform(r.v[0], r.v[1]);
}

void rng_uniform_pair(uint64_t seed, rng_purpose purpose, uint32_t stream, uint32_t index, double out[2])
{
    const philox4x32_ctr_t r = numbers(seed, purpose, stream, index);
    out[0] = uniform(r.v[0], r.v[1]);
    out[1] = uniform(r.v[2], r.v[3]);
}

void rng_subset(uint64_t seed, rng_purpose purpose, uint32_t stream, size_t n, size_t k, size_t scratch[], size_t out[])
{
    for (size_t i = 0; i < n; i++) {
        scratch[i] = i;
    }
    for (size_t i = 0; i < k; i++) {
        /* 64 random bits modulo at most 2^32 values: a bias below 2^-32, which no study can see. */
        const size_t j = i + (size_t)(rng_u64(seed, purpose, stream, (uint32_t)i) % (n - i));
        const size_t t = scratch[i];
        scratch[i] = scratch[j];
        scratch[j] = t;
        out[i] = scratch[i];
    }
}
