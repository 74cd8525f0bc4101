#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "io/image_codec.h"

enum {
    /* A block of 64 pixels takes at least one bit, and odd sampling factors halve the number of blocks at most. Arithmetic coding can
     * do better on empty images; there only the number of pixels limits. */
    MOST_PIXELS_PER_BYTE = 64 * 8 * 2,
    MOST_SCANS = 500 /* a progressive file has about ten; each costs a pass over the image */
};

typedef struct decoder {
    const char *name;
    file_bytes bytes;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    image *out;
    JSAMPROW cmyk; /* one row; NULL where libjpeg gives RGB */
    jmp_buf failed;
    char text[JMSG_LENGTH_MAX]; /* what libjpeg said */
} decoder;

static _Noreturn void on_error(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    jpeg->err->format_message(jpeg, d->text);
    longjmp(d->failed, 1);
}

/* Warnings that mean lost pixels are errors: the end of the file, or garbage where blocks should be. Others are as harmless to us as to
 * Pillow: bytes between segments, unknown revisions. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0) {
        return;
    }
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
#if JPEG_LIB_VERSION >= 70 || defined(C_ARITH_CODING_SUPPORTED) || defined(D_ARITH_CODING_SUPPORTED)
    case JWRN_ARITH_BAD_CODE:
#endif
    case JWRN_MUST_RESYNC:
        on_error(jpeg);
    default:
        break;
    }
}

static void on_progress(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    if (d->jpeg.input_scan_number > MOST_SCANS) {
        (void)snprintf(d->text, sizeof d->text, "more than %d scans", (int)MOST_SCANS);
        longjmp(d->failed, 1);
    }
}

/* Runs a step from which libjpeg may jump out. */
static status guarded(decoder *d, void (*step)(decoder *))
{
    if (setjmp(d->failed) != 0) {
        return FAIL(ST_DATA, "%s: broken JPEG image: %s; replace or remove it", d->name, d->text);
    }
    step(d);
    return STATUS_OK;
}

/* The settings are libjpeg's defaults and Pillow's: accurate integer transform, smooth upsampling. */
static void read_header(decoder *d)
{
    jpeg_create_decompress(&d->jpeg); /* keeps err and client_data */
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, d->bytes.data, (unsigned long)d->bytes.size);
    (void)jpeg_read_header(&d->jpeg, TRUE);
    d->jpeg.dct_method = JDCT_ISLOW;
    d->jpeg.do_fancy_upsampling = TRUE;
    d->jpeg.out_color_space = d->jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
}

/* As Pillow: the planes of a CMYK JPEG are inverted (Adobe's habit), then R = K' - C K' / 255 with K' = 255 - K. */
static void cmyk_to_rgb(const JSAMPLE *cmyk, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++) {
        const int light = cmyk[4 * x + 3];
        for (size_t c = 0; c < 3; c++) {
            const int product = (255 - cmyk[4 * x + c]) * light + 128;
            rgb[3 * x + c] = (uint8_t)(light - (((product >> 8) + product) >> 8));
        }
    }
}

static void read_rows(decoder *d)
{
    const size_t width = d->out->width;
    (void)jpeg_start_decompress(&d->jpeg);
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        uint8_t *rgb = d->out->rgb + 3 * width * d->jpeg.output_scanline;
        JSAMPROW row = d->cmyk != NULL ? d->cmyk : rgb;
        (void)jpeg_read_scanlines(&d->jpeg, &row, 1);
        if (d->cmyk != NULL) {
            cmyk_to_rgb(d->cmyk, width, rgb);
        }
    }
    (void)jpeg_finish_decompress(&d->jpeg); /* reads on to the end marker, so that a cut file is noticed */
}

static status decode(arena *a, decoder *d, image *out)
{
    TRY(guarded(d, read_header));
    const int components = d->jpeg.num_components;
    if (components != 1 && components != 3 && components != 4) {
        return FAIL(ST_DATA, "%s: expected a JPEG image of 1, 3 or 4 colour components, found %d; replace or remove it",
                    d->name, components);
    }
    TRY(image_prepare(a, d->name, d->jpeg.image_height, d->jpeg.image_width, d->bytes.size,
                      d->jpeg.arith_code ? SIZE_MAX : MOST_PIXELS_PER_BYTE, out));
    if (components == 4) {
        TRY_ALLOC(d->cmyk, a, out->width * 4);
    }
    d->out = out;
    return guarded(d, read_rows);
}

status image_jpeg(arena *a, const char *name, file_bytes bytes, image *out)
{
    decoder d = {.name = name, .bytes = bytes, .progress = {.progress_monitor = on_progress}};
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.jpeg.client_data = &d;
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    const status st = decode(a, &d, out);
    jpeg_destroy_decompress(&d.jpeg);
    return st;
}
