#ifndef IO_SHA256_H
#define IO_SHA256_H
/* SHA-256 (FIPS 180-4) of inputs, for /provenance. */
#include <stddef.h>
#include <stdint.h>

void sha256(const void *data, size_t size, uint8_t digest[32]);
void sha256_text(const uint8_t digest[32], char text[65]); /* lower-case hexadecimal, terminated */

#endif
