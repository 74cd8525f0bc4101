#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "io/image_codec.h"

enum {
    /* Deflate makes at most 1032 bytes of one (a match of 258 bytes in two bits), and a byte holds at most eight pixels. */
    MOST_PIXELS_PER_BYTE = 8 * 1032
};

typedef struct decoder {
    const char *name;
    file_bytes bytes;
    size_t position;
    png_structp png;
    png_infop info;
    size_t height, width, channels, sample_bytes;
    png_bytep *rows; /* [height] */
    jmp_buf failed;
    char text[160]; /* what libpng said */
} decoder;

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    decoder *d = png_get_error_ptr(png);
    (void)snprintf(d->text, sizeof d->text, "%s", text);
    longjmp(d->failed, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png; /* what libpng can live with does not change pixels */
    (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    decoder *d = png_get_io_ptr(png);
    if (n > d->bytes.size - d->position) {
        png_error(png, "the file is truncated");
    }
    memcpy(to, d->bytes.data + d->position, n);
    d->position += n;
}

/* Runs a step from which libpng may jump out. */
static status guarded(decoder *d, void (*step)(decoder *))
{
    if (setjmp(d->failed) != 0) {
        return FAIL(ST_DATA, "%s: broken PNG image: %s; replace or remove it", d->name, d->text);
    }
    step(d);
    return STATUS_OK;
}

/* Samples become bytes, except those of 16-bit grey; palette indices stay. */
static void read_header(decoder *d)
{
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, on_error, on_warning);
    d->info = d->png == NULL ? NULL : png_create_info_struct(d->png);
    if (d->info == NULL) {
        (void)snprintf(d->text, sizeof d->text, "libpng cannot start (memory or version)");
        longjmp(d->failed, 1);
    }
    png_set_read_fn(d->png, d, read_bytes);
    png_set_user_limits(d->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* image_prepare() has its own */
    png_read_info(d->png, d->info);
    const int type = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
    const bool wide_grey = type == PNG_COLOR_TYPE_GRAY && depth == 16;
    if (depth == 16 && !wide_grey) {
        png_set_strip_16(d->png);
    } else if (depth < 8 && type == PNG_COLOR_TYPE_GRAY) {
        png_set_expand_gray_1_2_4_to_8(d->png);
    } else if (depth < 8) {
        png_set_packing(d->png);
    }
    (void)png_set_interlace_handling(d->png);
    d->height = png_get_image_height(d->png, d->info);
    d->width = png_get_image_width(d->png, d->info);
    d->channels = png_get_channels(d->png, d->info);
    d->sample_bytes = wide_grey ? 2 : 1;
}

static void read_rows(decoder *d)
{
    png_read_update_info(d->png, d->info);
    if (png_get_rowbytes(d->png, d->info) != d->width * d->channels * d->sample_bytes) {
        png_error(d->png, "unexpected row size");
    }
    png_read_image(d->png, d->rows);
    png_read_end(d->png, NULL);
}

static status copy_palette(decoder *d, image *out)
{
    png_colorp palette = NULL;
    int n = 0;
    (void)png_get_PLTE(d->png, d->info, &palette, &n);
    for (size_t y = 0; y < d->height; y++) {
        for (size_t x = 0; x < d->width; x++) {
            const unsigned index = d->rows[y][x];
            uint8_t *to = out->rgb + 3 * (y * d->width + x);
            if (index >= (unsigned)n) {
                return FAIL(
                    ST_DATA,
                    "%s: broken PNG image: row %zu, column %zu has colour %u of a palette of %d; replace or remove it",
                    d->name, y, x, index, n);
            }
            to[0] = palette[index].red;
            to[1] = palette[index].green;
            to[2] = palette[index].blue;
        }
    }
    return STATUS_OK;
}

/* Grey goes to all three channels, alpha is left out, 16-bit grey is clipped at 255 (as Pillow converts its mode I). */
static void copy_samples(const decoder *d, image *out)
{
    const size_t stride = d->channels * d->sample_bytes, colours = d->channels >= 3 ? 3 : 1;
    for (size_t y = 0; y < d->height; y++) {
        for (size_t x = 0; x < d->width; x++) {
            const uint8_t *from = d->rows[y] + x * stride;
            uint8_t *to = out->rgb + 3 * (y * d->width + x);
            const uint8_t grey = d->sample_bytes == 1 ? from[0] : from[0] > 0 ? 255 : from[1];
            for (size_t c = 0; c < 3; c++) {
                to[c] = colours == 3 ? from[c] : grey;
            }
        }
    }
}

static status decode(arena *a, decoder *d, image *out)
{
    unsigned char *samples;
    TRY(guarded(d, read_header));
    TRY(image_prepare(a, d->name, d->height, d->width, d->bytes.size, MOST_PIXELS_PER_BYTE, out));
    const size_t row = d->width * d->channels * d->sample_bytes;
    TRY_ALLOC(samples, a, d->height * row);
    TRY_ALLOC(d->rows, a, d->height);
    for (size_t y = 0; y < d->height; y++) {
        d->rows[y] = samples + y * row;
    }
    TRY(guarded(d, read_rows));
    if (png_get_color_type(d->png, d->info) == PNG_COLOR_TYPE_PALETTE) {
        return copy_palette(d, out);
    }
    copy_samples(d, out);
    return STATUS_OK;
}

status image_png(arena *a, const char *name, file_bytes bytes, image *out)
{
    decoder d = {.name = name, .bytes = bytes};
    const status st = decode(a, &d, out);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    return st;
}
