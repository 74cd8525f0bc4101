#include "search/sobol.h"

#include <assert.h>

#include "core/rng.h"

/* A primitive polynomial x^degree + a_1 x^(degree-1) + ... + 1 with the bits a_1 a_2 ... in `a`, and the first odd numbers m_1, m_2, ... */
typedef struct direction {
    uint8_t degree;
    uint16_t a, m[10];
} direction;

/* Dimensions 1 to 127; dimension 0 is van der Corput's sequence. The numbers are from the file new-joe-kuo-6.21201 of
 * https://web.maths.unsw.edu.au/~fkuo/sobol/; NOTICE has its licence. */
static const direction directions[SOBOL_DIMENSIONS - 1] = {
#include "search/joe_kuo.def"
};

/* v_k for k = 1..n as numerators over 2^32 (Joe and Kuo 2008): m_k = 2 a_1 m_(k-1) ^ ... ^ 2^s m_(k-s) ^ m_(k-s). */
static void direction_numbers(size_t dimension, unsigned n, uint32_t v[SOBOL_BITS])
{
    if (dimension == 0) {
        for (unsigned k = 0; k < n; k++) {
            v[k] = UINT32_C(1) << (31 - k);
        }
        return;
    }
    const direction *d = &directions[dimension - 1];
    const unsigned s = d->degree;
    for (unsigned k = 0; k < n; k++) {
        if (k < s) {
            v[k] = (uint32_t)d->m[k] << (31 - k);
            continue;
        }
        v[k] = v[k - s] ^ v[k - s] >> s;
        for (unsigned i = 1; i < s; i++) {
            if ((d->a >> (s - 1 - i) & 1) != 0) {
                v[k] ^= v[k - i];
            }
        }
    }
}

uint32_t sobol_digits(size_t dimension, uint32_t index)
{
    assert(dimension < SOBOL_DIMENSIONS);
    uint32_t v[SOBOL_BITS], x = 0;
    const uint32_t gray = index ^ index >> 1;
    unsigned n = 0;
    while (n < SOBOL_BITS && gray >> n != 0) {
        n++;
    }
    direction_numbers(dimension, n, v);
    for (unsigned k = 0; k < n; k++) {
        if ((gray >> k & 1) != 0) {
            x ^= v[k];
        }
    }
    return x;
}

/* The random bits form a binary tree: the one at the node that the digits before lead to flips the next digit. A number of 64 bits holds the nodes
 * of LEVELS levels, level j at bits 2^j - 1 to 2^(j + 1) - 2. */
enum { LEVELS = 6 };

static uint32_t scrambled(uint64_t seed, size_t dimension, uint32_t digits)
{
    uint32_t out = 0;
    uint64_t nodes = 0;
    for (unsigned k = 0; k < SOBOL_BITS; k++) { /* from the first binary place on */
        const unsigned level = k % LEVELS;
        const uint32_t before = k == 0 ? 0 : digits >> (SOBOL_BITS - k);
        if (level == 0) {
            nodes = rng_u64(seed, RNG_SOBOL, (uint32_t)(SOBOL_BITS * dimension + k), before);
        }
        const uint32_t here = before & ((UINT32_C(1) << level) - 1);
        const uint32_t flip = (uint32_t)(nodes >> ((1u << level) - 1 + here)) & 1;
        out |= ((digits >> (31 - k) & 1) ^ flip) << (31 - k);
    }
    return out;
}

void sobol_point(uint64_t seed, size_t n, uint32_t index, double x[])
{
    for (size_t i = 0; i < n; i++) {
        x[i] = ((double)scrambled(seed, i, sobol_digits(i, index)) + 0.5) * 0x1p-32;
    }
}

void random_point(uint64_t seed, size_t n, uint32_t index, double x[])
{
    for (size_t i = 0; i < n; i++) {
        x[i] = rng_uniform(seed, RNG_DESIGN, (uint32_t)i, index);
    }
}
