#ifndef NN_EXPONENTIAL_H
#define NN_EXPONENTIAL_H
/* exp(a + b) in fp32, written so that loops with it are vectorised; relative error below 2e-7 (tests/unit/test_exponential.c). `b` is a small
 * correction to a sum that one float does not hold. Not-a-number stays one; below -87 the result is 0, above 88 it stays at e^88. */
#include <stdint.h>
#include <string.h>

static inline float exponential(float a, float b)
{
    const float lowest = -87.0f, highest = 88.0f, shift = 12582912.0f; /* 1.5 2^23: adding it rounds to an integer */
    const float x = a < lowest ? lowest : a > highest ? highest : a;
    const float shifted = x * 1.44269504f + shift, n = shifted - shift; /* |n| <= 127 */
    /* ln 2 in two parts, the first with so few bits that n times it is exact. */
    const float r = ((x - n * 0.693359375f) + n * 2.12194440e-4f) + b;
    float p = 1.0f / 5040.0f; /* Taylor: |r| <= 0.35 leaves an error of 6e-9 */
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits; /* n as the low bits of `shifted`; 2^n by way of the exponent */
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return a < lowest ? 0.0f : p * power;
}

#endif
