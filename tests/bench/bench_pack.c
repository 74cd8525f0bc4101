/* How fast images come out of a data set. Of original files: our decoding against libjpeg-turbo's own of the same JPEG files, decoding with
 * preprocessing, and all that a stage does for an image (read, digest, decode, preprocess), file by file in turns, so that what others do on
 * the machine falls on all alike. Of a pack of decoded images: bytes a second. Seconds are the processor's. A JSON line.
 *
 * usage: bench_pack DATA ROUNDS SIZE [PACK]      DATA a folder of classes, tar shards or a pack; SIZE as bench_images, unused for decoded
 * packs; PACK: where a pack of the decoded images goes, for another call */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "bench/clock.h"
#include "core/log.h"
#include "io/dataset_read.h"
#include "io/file_kind.h"
#include "io/pack.h"
#include "stages/batch.h"

typedef struct pack_bench {
    arena *arena, *scratch;
    dataset *data;
    size_t rounds, size, images;
    double library, ours, preprocessed, whole, bytes; /* seconds; bytes */
    float *out;
    uint8_t *pixels;
    size_t room;
} pack_bench;

/* What a program of two dozen lines would do, with the same settings (io/image_jpeg.c). */
static size_t decompress(file_bytes bytes, uint8_t *out, size_t room)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, bytes.data, (unsigned long)bytes.size);
    (void)jpeg_read_header(&j, TRUE);
    j.dct_method = JDCT_ISLOW;
    j.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&j);
    const size_t row = (size_t)j.output_width * 3, size = row * j.output_height;
    while (size <= room && j.output_scanline < j.output_height) {
        JSAMPROW to = out + row * j.output_scanline;
        (void)jpeg_read_scanlines(&j, &to, 1);
    }
    (void)(size <= room ? jpeg_finish_decompress(&j) : FALSE);
    jpeg_destroy_decompress(&j);
    return size;
}

/* Three colours, which both can turn into RGB. */
static bool is_plain_jpeg(file_bytes bytes)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    if (!file_starts_with(bytes, "\xff\xd8\xff", 3)) {
        return false;
    }
    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, bytes.data, (unsigned long)bytes.size);
    (void)jpeg_read_header(&j, TRUE);
    const bool plain = j.num_components == 3;
    jpeg_destroy_decompress(&j);
    return plain;
}

static status one_file(pack_bench *b, size_t i, const preprocess *p, bool counts)
{
    dataset_image from;
    image picture;
    file_mark mark;
    double at[5];
    arena_reset(b->scratch);
    TRY(dataset_read(b->scratch, b->data, i, &from));
    if (!is_plain_jpeg(from.bytes)) {
        return STATUS_OK;
    }
    at[0] = clock_processor();
    if (decompress(from.bytes, b->pixels, b->room) > b->room) {
        return FAIL(ST_DATA, "%s: larger than this bench has room for", from.name);
    }
    at[1] = clock_processor();
    TRY(image_decode(b->scratch, from.name, from.bytes, &picture));
    at[2] = clock_processor();
    TRY(preprocess_apply(b->scratch, p, from.name, &picture, b->out));
    at[3] = clock_processor();
    if (memcmp(picture.rgb, b->pixels, picture.height * picture.width * 3) != 0) {
        return FAIL(ST_BUG, "%s: decoded to other pixels", from.name);
    }
    at[4] = clock_processor();
    TRY(batch_read_image(b->scratch, b->data, i, p, &mark, b->out));
    if (counts) {
        b->library += at[1] - at[0];
        b->ours += at[2] - at[1];
        b->preprocessed += at[3] - at[1];
        b->whole += clock_processor() - at[4];
        b->images++;
    }
    return STATUS_OK;
}

static status read_pixels(pack_bench *b)
{
    const double started = clock_processor();
    for (size_t i = 0; i < b->data->n_samples; i++) {
        dataset_image from;
        arena_reset(b->scratch);
        TRY(dataset_read(b->scratch, b->data, i, &from));
        b->bytes += (double)from.bytes.size;
    }
    b->whole += clock_processor() - started;
    b->images += b->data->n_samples;
    return STATUS_OK;
}

static status round_of(pack_bench *b, const preprocess *p, bool counts)
{
    if (b->data->steps != NULL) {
        const pack_bench before = *b;
        TRY(read_pixels(b));
        if (!counts) {
            *b = before;
        }
        return STATUS_OK;
    }
    for (size_t i = 0; i < b->data->n_samples; i++) {
        TRY(one_file(b, i, p, counts));
    }
    return STATUS_OK;
}

static void print(const pack_bench *b)
{
    const double n = (double)b->images;
    if (b->data->steps != NULL) {
        (void)printf("{\"bench\": \"pack\", \"images\": %.0f, \"images_per_s\": %.0f, \"gigabytes_per_s\": %.3f}\n", n, n / b->whole, b->bytes / b->whole / 1e9);
        return;
    }
    (void)printf("{\"bench\": \"pack\", \"images\": %.0f, \"library_images_per_s\": %.1f, \"decode_images_per_s\": %.1f, \"decode_share\": %.3f, ", n,
                 n / b->library, n / b->ours, b->library / b->ours);
    (void)printf("\"preprocessed_images_per_s\": %.1f, \"preprocessed_share\": %.3f, \"read_images_per_s\": %.1f, \"read_share\": %.3f}\n",
                 n / b->preprocessed, b->library / b->preprocessed, n / b->whole, b->library / b->whole);
}

static status make_pack(pack_bench *b, const preprocess *p, const char *folder)
{
    pack_plan plan;
    arena *single = NULL;
    TRY(pack_plan_build(b->arena, b->data, p, PACK_SHARD_IMAGES, &plan));
    TRY(arena_open("image", &single));
    status st = STATUS_OK;
    for (size_t i = 0; i < plan.n_shards && status_ok(st); i++) {
        st = pack_write_shard(b->scratch, single, &plan, folder, i);
    }
    arena_close(&single);
    TRY(st);
    arena_release(b->scratch);
    return pack_write_index(b->scratch, &plan, folder);
}

static status bench(int argc, char *argv[], pack_bench *b)
{
    if (argc < 4 || argc > 5 || (b->rounds = strtoul(argv[2], NULL, 10)) == 0 || (b->size = strtoul(argv[3], NULL, 10)) == 0 || b->size > 4096) {
        return FAIL(ST_USAGE, "expected DATA ROUNDS SIZE [PACK]");
    }
    const preprocess p = {.name = "stated", .resize = {b->size * 8 / 7, 0}, .crop = {b->size, b->size}, .output = {b->size, b->size}, .std = {1, 1, 1}};
    b->room = (size_t)1 << 26;
    TRY(arena_open("bench", &b->arena));
    TRY(arena_open("image", &b->scratch));
    TRY(dataset_open(b->arena, argv[1], &b->data));
    TRY_ALLOC(b->pixels, b->arena, b->room);
    TRY_ALLOC(b->out, b->arena, 3 * b->size * b->size);
    TRY(round_of(b, &p, false)); /* into the page cache */
    for (size_t i = 0; i < b->rounds; i++) {
        TRY(round_of(b, &p, true));
    }
    if (b->images == 0) {
        return FAIL(ST_DATA, "%s: no JPEG image of three colours", argv[1]);
    }
    print(b);
    return argc == 5 ? make_pack(b, &p, argv[4]) : STATUS_OK;
}

int main(int argc, char *argv[])
{
    pack_bench b = {0};
    log_start(0, LOG_WARNING);
    const status st = bench(argc, argv, &b);
    arena_close(&b.scratch);
    arena_close(&b.arena);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_pack: error: %s\n", status_message());
    }
    return st.code;
}
