#ifndef CORE_EXACT_SUM_H
#define CORE_EXACT_SUM_H
/* Sums of float32 values without rounding, so that neither their order nor their distribution over ranks matters.
 *
 * A sum is a fixed-point number over the whole float32 range (2^-149 .. 2^127) in limbs of 32 payload bits, held in 64-bit
 * integers: 2^31 additions fit before a carry is needed. Limbs of different ranks are added with an integer Allreduce
 * (MPI_INT64_T, MPI_SUM) after exact_sum_carry(). The result is rounded once, at the end. Not-a-numbers and infinities are
 * counted and decide the result as IEEE addition would. */
#include <stddef.h>
#include <stdint.h>

enum {
    EXACT_LIMBS = 10,                       /* 277 bits of range, 32 bits for 2^31 summands, and the sign */
    EXACT_WORDS = EXACT_LIMBS + 3           /* + counts of NaN, +inf, -inf: also plain integers to be summed */
};

typedef struct exact_sum {
    int64_t word[EXACT_WORDS]; /* all zero = the empty sum */
} exact_sum;

void exact_sum_add(exact_sum *s, float x);
void exact_sum_carry(exact_sum *s);           /* bounds every limb below 2^32; value unchanged */
void exact_sum_merge(exact_sum *s, const exact_sum *other);
double exact_sum_value(const exact_sum *s);   /* correctly rounded (nearest, ties to even) */

#endif
