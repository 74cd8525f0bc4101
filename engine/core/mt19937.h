#ifndef CORE_MT19937_H
#define CORE_MT19937_H
/* Mersenne Twister MT19937 (Matsumoto, Nishimura 1998), the generator of torch's CPU tensors: only to draw what the reference program draws.
 * Everything of ours is counter-based (core/rng.h). */
#include <stddef.h>
#include <stdint.h>

enum { MT19937_STATE = 624 };

typedef struct mt19937 {
    uint32_t state[MT19937_STATE];
    size_t next; /* of the state's words; MT19937_STATE: make new ones */
} mt19937;

void mt19937_seed(mt19937 *g, uint32_t seed); /* torch.manual_seed takes the lower 32 bits of its argument */
uint32_t mt19937_u32(mt19937 *g);
/* torch.randperm(n) on the CPU: n - 1 draws, n below 2^32. out [n]. */
void mt19937_permutation(mt19937 *g, size_t n, size_t out[]);

#endif
