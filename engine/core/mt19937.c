#include "core/mt19937.h"

/* The recurrence x[k+n] = x[k+m] ^ (upper bit of x[k] | lower bits of x[k+1]) A, then tempering; constants of the paper's table. */
enum { MIDDLE = 397 };

void mt19937_seed(mt19937 *g, uint32_t seed)
{
    g->state[0] = seed;
    for (uint32_t i = 1; i < MT19937_STATE; i++) {
        const uint32_t before = g->state[i - 1];
        g->state[i] = 1812433253u * (before ^ before >> 30) + i;
    }
    g->next = MT19937_STATE;
}

static void make_new_words(mt19937 *g)
{
    for (size_t k = 0; k < MT19937_STATE; k++) {
        const uint32_t mixed = (g->state[k] & 0x80000000u) | (g->state[(k + 1) % MT19937_STATE] & 0x7fffffffu);
        g->state[k] = g->state[(k + MIDDLE) % MT19937_STATE] ^ mixed >> 1 ^ (mixed % 2 == 1 ? 0x9908b0dfu : 0);
    }
    g->next = 0;
}

uint32_t mt19937_u32(mt19937 *g)
{
    if (g->next == MT19937_STATE) {
        make_new_words(g);
    }
    uint32_t y = g->state[g->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

void mt19937_permutation(mt19937 *g, size_t n, size_t out[])
{
    for (size_t i = 0; i < n; i++) {
        out[i] = i;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        const size_t k = i + mt19937_u32(g) % (n - i), moved = out[i];
        out[i] = out[k];
        out[k] = moved;
    }
}
