#include "support/support.h"

#include <dirent.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "io/image.h"
#include "io/sha256.h"

static arena *a;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &a)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&a);
    return 0;
}

/* Decodes a copy that ends where the heap block ends, so that the sanitizer sees a read behind it. */
static status decode(const unsigned char *data, size_t size, image *out)
{
    unsigned char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    const status st = image_decode(a, "x.img", (file_bytes){copy, size}, out);
    free(copy);
    return st;
}

static void assert_pixels(const image *found, size_t height, size_t width, const char *digest)
{
    uint8_t sum[32];
    char text[65];
    assert_int_equal(found->height, height);
    assert_int_equal(found->width, width);
    sha256(found->rgb, height * width * 3, sum);
    sha256_text(sum, text);
    assert_string_equal(text, digest);
}

/* ---- A PNG writer: stored deflate blocks, all colour types and depths, Adam7. ---- */

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };

typedef struct png_kind {
    unsigned type, depth;
    bool interlaced, transparency;
    size_t height, width;
    unsigned palette; /* entries */
} png_kind;

typedef struct buffer {
    unsigned char data[1 << 15];
    size_t size;
} buffer;

static void put(buffer *b, const void *data, size_t size)
{
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_u32(buffer *b, uint32_t value)
{
    const unsigned char bytes[] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                   (unsigned char)(value >> 8), (unsigned char)value};
    put(b, bytes, 4);
}

static void put_chunk(buffer *b, const char *type, const unsigned char *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    put_u32(b, (uint32_t)size);
    const size_t start = b->size;
    put(b, type, 4);
    put(b, data, size);
    for (size_t i = start; i < b->size; i++) {
        crc ^= b->data[i];
        for (size_t bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
    }
    put_u32(b, ~crc);
}

static size_t channels_of(unsigned type)
{
    return type == RGB ? 3 : type == RGBA ? 4 : type == GREY_ALPHA ? 2 : 1;
}

/* The sample that the test image has there; palette images stay within the palette. */
static unsigned sample(const png_kind *k, size_t y, size_t x, size_t c)
{
    const unsigned v = (unsigned)(x * 40503 + y * 9176 + c * 25717 + x * y * 77) & ((1u << k->depth) - 1);
    return k->type == PALETTE ? v % k->palette : v;
}

/* Rows of every step-th pixel from (y0, x0), each behind filter byte 0, samples packed from the highest bit. */
static void put_rows(buffer *b, const png_kind *k, size_t y0, size_t dy, size_t x0, size_t dx)
{
    for (size_t y = y0; y < k->height && x0 < k->width; y += dy) {
        unsigned bits = 0, filled = 0;
        put(b, "", 1);
        for (size_t x = x0; x < k->width; x += dx) {
            for (size_t c = 0; c < channels_of(k->type); c++) {
                bits = bits << k->depth | sample(k, y, x, c);
                for (filled += k->depth; filled >= 8; filled -= 8) {
                    put(b, &(unsigned char){(unsigned char)(bits >> (filled - 8))}, 1);
                }
                bits &= (1u << filled) - 1;
            }
        }
        if (filled > 0) {
            put(b, &(unsigned char){(unsigned char)(bits << (8 - filled))}, 1);
        }
    }
}

static void put_image_data(buffer *b, const png_kind *k)
{
    static buffer raw, zlib;
    static const size_t passes[7][4] = {{0, 8, 0, 8}, {0, 8, 4, 8}, {4, 8, 0, 4}, {0, 4, 2, 4},
                                        {2, 4, 0, 2}, {0, 2, 1, 2}, {1, 2, 0, 1}};
    uint32_t s1 = 1, s2 = 0;
    raw.size = zlib.size = 0;
    for (size_t p = 0; p < (k->interlaced ? 7 : 1); p++) {
        if (k->interlaced) {
            put_rows(&raw, k, passes[p][0], passes[p][1], passes[p][2], passes[p][3]);
        } else {
            put_rows(&raw, k, 0, 1, 0, 1);
        }
    }
    for (size_t i = 0; i < raw.size; i++) {
        s1 = (s1 + raw.data[i]) % 65521;
        s2 = (s2 + s1) % 65521;
    }
    const unsigned n = (unsigned)raw.size;
    const unsigned char head[] = {
        0x78, 0x01, 0x01, (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)~n, (unsigned char)(~n >> 8)};
    put(&zlib, head, sizeof head);
    put(&zlib, raw.data, raw.size);
    put_u32(&zlib, s2 << 16 | s1);
    put_chunk(b, "IDAT", zlib.data, zlib.size);
}

static void make_png(buffer *b, const png_kind *k)
{
    buffer header = {.size = 0};
    unsigned char palette[768];
    b->size = 0;
    put(b, "\x89PNG\r\n\x1a\n", 8);
    put_u32(&header, (uint32_t)k->width);
    put_u32(&header, (uint32_t)k->height);
    const unsigned char rest[] = {(unsigned char)k->depth, (unsigned char)k->type, 0, 0, k->interlaced};
    put(&header, rest, sizeof rest);
    put_chunk(b, "IHDR", header.data, header.size);
    for (size_t i = 0; i < sizeof palette; i++) {
        palette[i] = (unsigned char)(i * 37 + 11);
    }
    if (k->type == PALETTE) {
        put_chunk(b, "PLTE", palette, 3 * (size_t)k->palette);
    }
    if (k->transparency) {
        const unsigned char keys[] = {0, 1, 0, 2, 0, 3}; /* three alphas of a palette, or one transparent colour */
        put_chunk(b, "tRNS", keys, k->type == PALETTE ? 3 : k->type == GREY ? 2 : 6);
    }
    put_image_data(b, k);
    put_chunk(b, "IEND", (const unsigned char *)"", 0);
}

/* What Pillow's convert("RGB") makes of a sample. */
static uint8_t expected(const png_kind *k, size_t y, size_t x, size_t c)
{
    const bool colour = k->type == RGB || k->type == RGBA;
    const unsigned v = sample(k, y, x, colour ? c : 0);
    if (k->type == PALETTE) {
        return (uint8_t)((3 * v + c) * 37 + 11);
    }
    if (k->depth == 16) {
        return (uint8_t)(k->type != GREY ? v >> 8 : v > 255 ? 255 : v);
    }
    return (uint8_t)(v * 255 / ((1u << k->depth) - 1));
}

static void check_png(const png_kind *k)
{
    static buffer b;
    image found = {0};
    make_png(&b, k);
    assert_ok(decode(b.data, b.size, &found));
    assert_int_equal(found.height, k->height);
    assert_int_equal(found.width, k->width);
    for (size_t i = 0; i < k->height * k->width * 3; i++) {
        assert_int_equal(found.rgb[i], expected(k, i / 3 / k->width, i / 3 % k->width, i % 3));
    }
}

static void every_kind_of_png_is_decoded(void **state)
{
    (void)state;
    const unsigned kinds[][2] = {{GREY, 1},    {GREY, 2},    {GREY, 4},       {GREY, 8},        {GREY, 16},
                                 {PALETTE, 1}, {PALETTE, 2}, {PALETTE, 4},    {PALETTE, 8},     {RGB, 8},
                                 {RGB, 16},    {RGBA, 8},    {GREY_ALPHA, 8}, {GREY_ALPHA, 16}, {RGBA, 16}};
    const size_t sizes[][2] = {{1, 1}, {9, 7}, {3, 17}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        for (size_t variant = 0; variant < 4 * COUNT(sizes); variant++) {
            const unsigned type = kinds[i][0], depth = kinds[i][1];
            const png_kind k = {.type = type,
                                .depth = depth,
                                .interlaced = variant & 1,
                                .transparency = (variant & 2) && type <= PALETTE && !(type == PALETTE && depth == 1),
                                .height = sizes[variant / 4][0],
                                .width = sizes[variant / 4][1],
                                .palette = depth == 8 ? 200 : 1u << (depth & 7)};
            check_png(&k);
        }
    }
}

static void a_png_that_is_cut_is_refused(void **state)
{
    (void)state;
    static buffer b;
    image found;
    const png_kind kinds[] = {{RGB, 8, false, false, 3, 4, 0}, {PALETTE, 4, true, true, 5, 5, 16}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        make_png(&b, &kinds[i]);
        for (size_t size = 0; size < b.size; size++) {
            assert_fails(decode(b.data, size, &found), ST_DATA, "x.img", NULL);
        }
        assert_ok(decode(b.data, b.size, &found));
    }
}

/* Any answer but a crash, an endless loop or another code. */
static void survive_changes(const unsigned char *data, size_t size)
{
    unsigned char changed[1 << 15];
    for (size_t at = 0; at < size; at++) {
        static const unsigned char masks[] = {0x01, 0x80, 0xff};
        for (size_t m = 0; m < COUNT(masks); m++) {
            image found = {0};
            memcpy(changed, data, size);
            changed[at] ^= masks[m];
            const status st = decode(changed, size, &found);
            if (!status_ok(st)) {
                assert_fails(st, ST_DATA, "x.img", NULL);
            }
            arena_reset(a);
        }
    }
}

static void a_changed_png_is_survived(void **state)
{
    (void)state;
    static buffer b;
    image found;
    const png_kind k = {PALETTE, 4, true, true, 5, 5, 16};
    make_png(&b, &k);
    survive_changes(b.data, b.size);
    b.data[b.size - 20]++; /* within the data: the checksum no longer fits */
    assert_fails(decode(b.data, b.size, &found), ST_DATA, "x.img: broken PNG image", "IDAT", NULL);
}

static void a_colour_outside_the_palette_is_refused(void **state)
{
    (void)state;
    static buffer b;
    image found;
    const png_kind k = {PALETTE, 4, false, false, 3, 3, 16};
    make_png(&b, &k);
    static buffer shorter;
    shorter.size = 0;
    put(&shorter, b.data, 33);
    put_chunk(&shorter, "PLTE", (const unsigned char *)"abcdef", 6);
    put(&shorter, b.data + 33 + 12 + 48, b.size - 33 - 12 - 48);
    assert_fails(decode(shorter.data, shorter.size, &found), ST_DATA, "row 0", "palette of 2", NULL);
}

static void a_small_file_of_a_huge_image_is_refused(void **state)
{
    (void)state;
    const size_t sizes[][2] = {{1 << 14, 1 << 14}, {1, 0x7fffffff}, {0x7fffffff, 0x7fffffff}, {0, 5}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        static buffer b, header;
        image found;
        const unsigned char rest[] = {8, RGBA, 0, 0, 0};
        b.size = header.size = 0;
        put(&b, "\x89PNG\r\n\x1a\n", 8);
        put_u32(&header, (uint32_t)sizes[i][1]);
        put_u32(&header, (uint32_t)sizes[i][0]);
        put(&header, rest, sizeof rest);
        put_chunk(&b, "IHDR", header.data, header.size);
        put_chunk(&b, "IDAT", (const unsigned char *)"x\x9c\x03", 3);
        arena_reset(a);
        assert_fails(decode(b.data, b.size, &found), ST_DATA, "x.img",
                     i == 0  ? "cannot hold"
                     : i < 3 ? "2^28"
                             : "broken",
                     NULL);
        assert_true(arena_bytes(a) < 1000);
    }
}

static void what_is_no_image_is_refused(void **state)
{
    (void)state;
    image found;
    assert_fails(decode((const unsigned char *)"", 0, &found), ST_DATA, "x.img", "empty file", NULL);
    assert_fails(decode((const unsigned char *)"GIF89a", 6, &found), ST_DATA, "x.img", "expected a PNG or JPEG", "0x47",
                 NULL);
    assert_fails(decode((const unsigned char *)"\xff\xd8", 2, &found), ST_DATA, "x.img", "expected a PNG or JPEG",
                 NULL);
    assert_fails(decode((const unsigned char *)"\x89PNG\r\n\x1a\n", 8, &found), ST_DATA, "x.img", "truncated", NULL);
    file_bytes bytes;
    assert_fails(file_read(a, scratch_folder(), SIZE_MAX, &bytes), ST_NO_INPUT, "a folder", NULL);
}

/* ---- JPEG: images of 10 x 9 and 8 x 8 pixels that Pillow wrote with quality 30; digests of what Pillow reads from them. ---- */

static const unsigned char colour_jpeg[] = {
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
    0x00, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x1b, 0x12, 0x14, 0x17, 0x14, 0x11, 0x1b, 0x17, 0x16, 0x17, 0x1e, 0x1c, 0x1b,
    0x20, 0x28, 0x42, 0x2b, 0x28, 0x25, 0x25, 0x28, 0x51, 0x3a, 0x3d, 0x30, 0x42, 0x60, 0x55, 0x65, 0x64, 0x5f, 0x55,
    0x5d, 0x5b, 0x6a, 0x78, 0x99, 0x81, 0x6a, 0x71, 0x90, 0x73, 0x5b, 0x5d, 0x85, 0xb5, 0x86, 0x90, 0x9e, 0xa3, 0xab,
    0xad, 0xab, 0x67, 0x80, 0xbc, 0xc9, 0xba, 0xa6, 0xc7, 0x99, 0xa8, 0xab, 0xa4, 0xff, 0xdb, 0x00, 0x43, 0x01, 0x1c,
    0x1e, 0x1e, 0x28, 0x23, 0x28, 0x4e, 0x2b, 0x2b, 0x4e, 0xa4, 0x6e, 0x5d, 0x6e, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4,
    0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xa4, 0xff, 0xc0, 0x00, 0x11, 0x08, 0x00, 0x09, 0x00, 0x0a, 0x03, 0x01, 0x22, 0x00,
    0x02, 0x11, 0x01, 0x03, 0x11, 0x01, 0xff, 0xc4, 0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0xff, 0xc4, 0x00, 0x1a, 0x10, 0x00, 0x01, 0x05, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x04, 0x05, 0x21, 0x31, 0x41, 0xff,
    0xc4, 0x00, 0x14, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0xff, 0xc4, 0x00, 0x18, 0x11, 0x00, 0x03, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x01, 0x12, 0xff, 0xda, 0x00, 0x0c, 0x03, 0x01, 0x00, 0x02, 0x11, 0x03,
    0x11, 0x00, 0x3f, 0x00, 0x2b, 0x68, 0xfc, 0xa1, 0xc9, 0x1f, 0x58, 0x29, 0xb7, 0x07, 0x26, 0x02, 0xb6, 0x84, 0xd4,
    0xbf, 0x27, 0xff, 0xd9,
};
static const unsigned char progressive_jpeg[] = {
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
    0x00, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x1b, 0x12, 0x14, 0x17, 0x14, 0x11, 0x1b, 0x17, 0x16, 0x17, 0x1e, 0x1c, 0x1b,
    0x20, 0x28, 0x42, 0x2b, 0x28, 0x25, 0x25, 0x28, 0x51, 0x3a, 0x3d, 0x30, 0x42, 0x60, 0x55, 0x65, 0x64, 0x5f, 0x55,
    0x5d, 0x5b, 0x6a, 0x78, 0x99, 0x81, 0x6a, 0x71, 0x90, 0x73, 0x5b, 0x5d, 0x85, 0xb5, 0x86, 0x90, 0x9e, 0xa3, 0xab,
    0xad, 0xab, 0x67, 0x80, 0xbc, 0xc9, 0xba, 0xa6, 0xc7, 0x99, 0xa8, 0xab, 0xa4, 0xff, 0xc2, 0x00, 0x0b, 0x08, 0x00,
    0x09, 0x00, 0x0a, 0x01, 0x01, 0x11, 0x00, 0xff, 0xc4, 0x00, 0x15, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x03, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00,
    0x00, 0x01, 0x8a, 0x85, 0xa9, 0xff, 0xc4, 0x00, 0x15, 0x10, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x10, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x05, 0x02,
    0x18, 0x33, 0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x20, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x06, 0x3f, 0x02, 0x1f, 0xff, 0xc4, 0x00,
    0x17, 0x10, 0x01, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x31, 0x41, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x01, 0x3f, 0x21, 0xc2, 0x29, 0x84, 0x53, 0xff, 0xda,
    0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x10, 0x0f, 0xff, 0xc4, 0x00, 0x17, 0x10, 0x00, 0x03, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x31, 0x71, 0x10, 0xff, 0xda, 0x00, 0x08,
    0x01, 0x01, 0x00, 0x01, 0x3f, 0x10, 0x24, 0x4c, 0x91, 0x0f, 0xff, 0xd9,
};
static const unsigned char cmyk_jpeg[] = {
    0xff, 0xd8, 0xff, 0xee, 0x00, 0x0e, 0x41, 0x64, 0x6f, 0x62, 0x65, 0x00, 0x64, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xdb, 0x00, 0x43, 0x00, 0x1b, 0x12, 0x14, 0x17, 0x14, 0x11, 0x1b, 0x17, 0x16, 0x17, 0x1e, 0x1c, 0x1b,
    0x20, 0x28, 0x42, 0x2b, 0x28, 0x25, 0x25, 0x28, 0x51, 0x3a, 0x3d, 0x30, 0x42, 0x60, 0x55, 0x65, 0x64, 0x5f,
    0x55, 0x5d, 0x5b, 0x6a, 0x78, 0x99, 0x81, 0x6a, 0x71, 0x90, 0x73, 0x5b, 0x5d, 0x85, 0xb5, 0x86, 0x90, 0x9e,
    0xa3, 0xab, 0xad, 0xab, 0x67, 0x80, 0xbc, 0xc9, 0xba, 0xa6, 0xc7, 0x99, 0xa8, 0xab, 0xa4, 0xff, 0xc0, 0x00,
    0x14, 0x08, 0x00, 0x08, 0x00, 0x08, 0x04, 0x43, 0x11, 0x00, 0x4d, 0x11, 0x00, 0x59, 0x11, 0x00, 0x4b, 0x11,
    0x00, 0xff, 0xc4, 0x00, 0x15, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x04, 0x03, 0xff, 0xc4, 0x00, 0x1b, 0x10, 0x00, 0x01, 0x04, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x05, 0x15, 0x42, 0x21, 0x31, 0x62, 0xff,
    0xda, 0x00, 0x0e, 0x04, 0x43, 0x00, 0x4d, 0x00, 0x59, 0x00, 0x4b, 0x00, 0x00, 0x3f, 0x00, 0x63, 0xcd, 0x84,
    0xcd, 0x74, 0x2d, 0x6a, 0xcd, 0xe4, 0xa3, 0x35, 0x4f, 0xff, 0xd9,
};
static const struct jpeg {
    const unsigned char *data;
    size_t size, height, width;
    const char *digest;
} jpegs[] = {
    {colour_jpeg, sizeof colour_jpeg, 9, 10, "d1494de4e10052e2c6b4e154a2f2a7889d16b85c1110be1b856ee3cfb799a8ed"},
    {progressive_jpeg, sizeof progressive_jpeg, 9, 10,
     "aaeaba40c998494b0ddbef4e337578fe3a514227964dc2bdc074508e8878dae3"},
    {cmyk_jpeg, sizeof cmyk_jpeg, 8, 8, "849658e088075b3fc56906a70db01545f5bcab5d55f54247c00c0c488b8bdc32"},
};

static void jpegs_are_decoded_cut_and_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(jpegs); i++) {
        image found = {0};
        assert_ok(decode(jpegs[i].data, jpegs[i].size, &found));
        assert_pixels(&found, jpegs[i].height, jpegs[i].width, jpegs[i].digest);
        for (size_t size = 0; size < jpegs[i].size; size++) {
            assert_fails(decode(jpegs[i].data, size, &found), ST_DATA, "x.img", NULL);
        }
        survive_changes(jpegs[i].data, jpegs[i].size);
    }
}

static void harmless_bytes_are_passed_over_and_lost_pixels_are_not(void **state)
{
    (void)state;
    static const char junk[] = "bytes that belong to nothing";
    const size_t size = sizeof colour_jpeg, n_junk = sizeof junk - 1;
    unsigned char changed[sizeof colour_jpeg + sizeof junk];
    image found = {0};
    memcpy(changed, colour_jpeg, size - 2);
    memcpy(changed + size - 2, junk, n_junk);
    memcpy(changed + size - 2 + n_junk, "\xff\xd9", 2);
    assert_ok(decode(changed, size + n_junk, &found));
    assert_pixels(&found, 9, 10, jpegs[0].digest);
    assert_fails(decode(changed, size - 2 + n_junk, &found), ST_DATA, "x.img: broken JPEG image", "Premature end",
                 NULL);
    memcpy(changed + size - 15, "\xff\xd9", 2); /* the end marker within the blocks */
    assert_fails(decode(changed, size, &found), ST_DATA, "x.img: broken JPEG image", "premature end", NULL);
}

static void endless_scans_are_refused(void **state)
{
    (void)state;
    static buffer b;
    image found = {0};
    const size_t scan = 125, end = 138; /* the first scan, of the constant coefficients */
    assert_memory_equal(progressive_jpeg + scan, "\xff\xda\x00\x08", 4);
    assert_memory_equal(progressive_jpeg + end, "\xff\xc4", 2);
    b.size = 0;
    put(&b, progressive_jpeg, scan);
    for (size_t i = 0; i < 600; i++) {
        put(&b, progressive_jpeg + scan, end - scan);
    }
    put(&b, progressive_jpeg + end, sizeof progressive_jpeg - end);
    assert_fails(decode(b.data, b.size, &found), ST_DATA, "x.img: broken JPEG image", "more than 500 scans", NULL);
}

/* Every file of the variants, pixel for pixel what Pillow gives; the cut one is refused. */
static void variants_match_pillow(void **state)
{
    (void)state;
    const char *golden = shared_path("data/imagenet_sample/variants_golden.h5");
    if (golden == NULL) {
        print_message("the image variants are not beside the repository\n");
        skip();
    }
    const hid_t file = H5Fopen(golden, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    char folder[4096], path[5000];
    (void)snprintf(folder, sizeof folder, "%s", shared_path("data/imagenet_sample/variants"));
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    size_t compared = 0, refused = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        file_bytes bytes;
        image found = {0};
        hsize_t dims[3] = {0};
        static unsigned char pixels[1 << 16];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_ok(file_read(a, path, SIZE_MAX, &bytes));
        if (H5Lexists(file, entry->d_name, H5P_DEFAULT) <= 0) {
            assert_fails(image_decode(a, entry->d_name, bytes, &found), ST_DATA, entry->d_name, "broken JPEG", NULL);
            refused++;
            continue;
        }
        assert_ok(image_decode(a, entry->d_name, bytes, &found));
        const hid_t set = H5Dopen2(file, entry->d_name, H5P_DEFAULT), space = H5Dget_space(set);
        assert_int_equal(H5Sget_simple_extent_dims(space, dims, NULL), 3);
        assert_int_equal(found.height, dims[0]);
        assert_int_equal(found.width, dims[1]);
        assert_true(dims[0] * dims[1] * 3 <= sizeof pixels);
        assert_true(H5Dread(set, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
        assert_memory_equal(found.rgb, pixels, dims[0] * dims[1] * 3);
        assert_true(H5Sclose(space) >= 0 && H5Dclose(set) >= 0);
        compared++;
    }
    (void)closedir(dir);
    assert_true(H5Fclose(file) >= 0);
    assert_int_equal(compared, 21);
    assert_int_equal(refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_png_is_decoded),
        cmocka_unit_test(a_png_that_is_cut_is_refused),
        cmocka_unit_test(a_changed_png_is_survived),
        cmocka_unit_test(a_colour_outside_the_palette_is_refused),
        cmocka_unit_test(a_small_file_of_a_huge_image_is_refused),
        cmocka_unit_test(what_is_no_image_is_refused),
        cmocka_unit_test(jpegs_are_decoded_cut_and_changed),
        cmocka_unit_test(harmless_bytes_are_passed_over_and_lost_pixels_are_not),
        cmocka_unit_test(endless_scans_are_refused),
        cmocka_unit_test(variants_match_pillow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
