#include "core/exact_sum.h"

#include <math.h>
#include <string.h>

/* Limb i has the weight 2^(32 i - 149): bit 0 of limb 0 is the smallest subnormal float. */
enum { PAYLOAD_BITS = 32, LOWEST_EXPONENT = -149, WORD_NAN = EXACT_LIMBS, WORD_POS_INF, WORD_NEG_INF };

void exact_sum_add(exact_sum *s, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    const int negative = (int)(bits >> 31);
    if (exponent == 0xff) {
        s->word[fraction != 0 ? WORD_NAN : negative ? WORD_NEG_INF : WORD_POS_INF]++;
        return;
    }
    const uint64_t mantissa = exponent == 0 ? fraction : fraction | 0x800000u;
    const uint32_t shift = exponent == 0 ? 0 : exponent - 1;
    const uint64_t wide = mantissa << (shift % PAYLOAD_BITS); /* at most 24 + 31 bits */
    const int64_t low = (int64_t)(wide & 0xffffffffu), high = (int64_t)(wide >> PAYLOAD_BITS);
    int64_t *limb = &s->word[shift / PAYLOAD_BITS];
    limb[0] += negative ? -low : low;
    limb[1] += negative ? -high : high;
}

void exact_sum_carry(exact_sum *s)
{
    for (size_t i = 0; i + 1 < EXACT_LIMBS; i++) {
        const int64_t low = (int64_t)((uint64_t)s->word[i] & 0xffffffffu);
        const int64_t carry = (s->word[i] - low) / ((int64_t)1 << PAYLOAD_BITS); /* exact: floor division */
        s->word[i] = low;
        s->word[i + 1] += carry;
    }
}

void exact_sum_merge(exact_sum *s, const exact_sum *other)
{
    for (size_t i = 0; i < EXACT_WORDS; i++) {
        s->word[i] += other->word[i];
    }
}

/* Limbs of |s| in normal form (each below 2^32); returns the sign. */
static int magnitude(const exact_sum *s, uint32_t limb[EXACT_LIMBS + 1])
{
    exact_sum t = *s;
    exact_sum_carry(&t);
    const int negative = t.word[EXACT_LIMBS - 1] < 0;
    if (negative) {
        for (size_t i = 0; i < EXACT_LIMBS; i++) {
            t.word[i] = -t.word[i];
        }
        exact_sum_carry(&t);
    }
    for (size_t i = 0; i + 1 < EXACT_LIMBS; i++) {
        limb[i] = (uint32_t)t.word[i];
    }
    const uint64_t top = (uint64_t)t.word[EXACT_LIMBS - 1];
    limb[EXACT_LIMBS - 1] = (uint32_t)top;
    limb[EXACT_LIMBS] = (uint32_t)(top >> PAYLOAD_BITS);
    return negative;
}

double exact_sum_value(const exact_sum *s)
{
    if (s->word[WORD_NAN] != 0 || (s->word[WORD_POS_INF] != 0 && s->word[WORD_NEG_INF] != 0)) {
        return NAN;
    }
    if (s->word[WORD_POS_INF] != 0 || s->word[WORD_NEG_INF] != 0) {
        return s->word[WORD_POS_INF] != 0 ? INFINITY : -INFINITY;
    }
    uint32_t limb[EXACT_LIMBS + 1];
    const int negative = magnitude(s, limb);
    int top = EXACT_LIMBS;
    while (top >= 0 && limb[top] == 0) {
        top--;
    }
    if (top < 0) {
        return 0.0;
    }
    /* The 64 leading bits, the last of them sticky: converting that integer to double rounds once and correctly. */
    int lead = 31;
    while ((limb[top] >> lead & 1u) == 0) {
        lead--;
    }
    const int highest = top * PAYLOAD_BITS + lead;
    uint64_t head = 0;
    for (int bit = highest; bit > highest - 64; bit--) {
        head = head << 1 | (bit < 0 ? 0u : limb[bit / PAYLOAD_BITS] >> (bit % PAYLOAD_BITS) & 1u);
    }
    for (int bit = highest - 64; bit >= 0 && (head & 1u) == 0; bit--) {
        head |= limb[bit / PAYLOAD_BITS] >> (bit % PAYLOAD_BITS) & 1u;
    }
    const double value = ldexp((double)head, highest - 63 + LOWEST_EXPONENT);
    return negative ? -value : value;
}
