#include "io/number_type.h"

#include <stdint.h>
#include <string.h>

#include "core/status.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are used as they lie in the file, which is little-endian"
#endif
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8 && sizeof(size_t) >= 8, "IEEE 754; file offsets are 64-bit");

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float read_f32(const unsigned char *from)
{
    float value;
    memcpy(&value, from, sizeof value);
    return value;
}

static float read_f64(const unsigned char *from)
{
    double value;
    memcpy(&value, from, sizeof value);
    return (float)value;
}

/* bfloat16: the upper half of a float32. */
static float read_bf16(const unsigned char *from)
{
    return from_bits((uint32_t)from[0] << 16 | (uint32_t)from[1] << 24);
}

/* binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. Every value is a float32, so nothing is rounded. */
static float read_f16(const unsigned char *from)
{
    const uint32_t bits = (uint32_t)from[0] | (uint32_t)from[1] << 8;
    const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    if (exponent == 31) { /* infinite, or no number */
        return from_bits(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent != 0) {
        return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    }
    const float small = (float)fraction * 0x1p-24f; /* zero and subnormal */
    return sign != 0 ? -small : small;
}

static const number_type types[] = {
    {"F32", "FloatStorage", 4, read_f32},
    {"F16", "HalfStorage", 2, read_f16},
    {"BF16", "BFloat16Storage", 2, read_bf16},
    {"F64", "DoubleStorage", 8, read_f64},
    {"I64", "LongStorage", 8, NULL},
    {"I32", "IntStorage", 4, NULL},
    {"I16", "ShortStorage", 2, NULL},
    {"I8", "CharStorage", 1, NULL},
    {"U8", "ByteStorage", 1, NULL},
    {"BOOL", "BoolStorage", 1, NULL},
    {"C64", "ComplexFloatStorage", 8, NULL},
    {"C128", "ComplexDoubleStorage", 16, NULL},
    {"U16", NULL, 2, NULL},
    {"U32", NULL, 4, NULL},
    {"U64", NULL, 8, NULL},
    {"F8_E4M3", NULL, 1, NULL},
    {"F8_E5M2", NULL, 1, NULL},
};

const number_type *number_type_called(const char *name)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const number_type *number_type_of_storage(const char *storage, size_t length)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        const char *own = types[i].storage;
        if (own != NULL && strlen(own) == length && memcmp(own, storage, length) == 0) {
            return &types[i];
        }
    }
    return NULL;
}
