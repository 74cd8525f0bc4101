/* Reading images against computing with them: photographs from a folder, decoded and preprocessed as a stage does it, by no, one or more threads ahead of
 * a network with random weights. Which share of the time the computation waits for images; a JSON line for each number of threads. The numbers
 * of threads take turns, so that what others do on the machine falls on all alike.
 *
 * usage: bench_images FOLDER BATCHES BATCH SIZE SHRINK NETWORK WHAT THREADS...      NETWORK none: nothing but reading
 *
 * FOLDER/<class>/<image>; BATCHES micro-batches of BATCH images for each number of THREADS, in turns of sixteen; SIZE pixels a side, from a resize of the shorter
 * side to 8/7 of it and a centre crop (224 from 256); WHAT: forward, lrp. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/engine.h"
#include "bench/networks.h"
#include "core/log.h"
#include "stages/batch_source.h"

enum { MOST_COUNTS = 16, ROUND = 16 }; /* micro-batches of a turn */

/* One number of threads. */
typedef struct count {
    size_t threads, batches;
    double seconds, waited, processor;
} count;

typedef struct images_bench {
    size_t batches, batch, size, shrink;
    const char *network, *what;
    size_t n_counts;
    count counts[MOST_COUNTS];
    arena *arena;
    dataset *data;
    sample_list all;
    preprocess recipe;
    engine *engine; /* NULL: nothing is computed */
    file_mark *mark;
    batch taken;
} images_bench;

static status open_data(images_bench *b, const char *folder)
{
    size_t *sample;
    TRY(dataset_open(b->arena, folder, &b->data));
    TRY_ALLOC(sample, b->arena, b->data->n_samples);
    for (size_t i = 0; i < b->data->n_samples; i++) {
        sample[i] = i;
    }
    b->all = (sample_list){b->data->n_samples, sample};
    b->recipe = (preprocess){.resize = {b->size * 8 / 7, 0}, .crop = {b->size, b->size}, .output = {b->size, b->size}, .std = {1.0f, 1.0f, 1.0f}};
    TRY_ALLOC(b->mark, b->arena, b->data->n_samples);
    TRY_ALLOC(b->taken.images, b->arena, b->batch * batch_image_size(&b->recipe));
    return STATUS_OK;
}

static status open_network(images_bench *b)
{
    const network_def *d = network_find(b->network);
    engine_case c = {.backend = backend_default(), .task = strcmp(b->what, "lrp") == 0 ? TASK_LRP : TASK_FORWARD, .rule = "epsilon",
                     .batch = b->batch};
    if (strcmp(b->network, "none") == 0) {
        return STATUS_OK;
    }
    if (d == NULL || (c.task == TASK_FORWARD && strcmp(b->what, "forward") != 0)) {
        return FAIL(ST_USAGE, "unknown network '%s' or task '%s'", b->network, b->what);
    }
    TRY(c.backend->start());
    TRY(network_build(b->arena, d, b->size, b->shrink, &c.g));
    TRY(engine_open(b->arena, &c, &b->engine));
    engine_run(b->engine); /* touches the memory */
    return STATUS_OK;
}

/* One turn. What is ready before it begins was read for nothing, so that no turn gets it for free. */
static status turn(images_bench *b, count *c, bool counts)
{
    double waited = 0.0;
    const size_t n = (b->all.n + b->batch - 1) / b->batch, first = c->batches % n;
    const batch_setup setup = {.data = b->data, .micro_batch = b->batch, .image_size = batch_image_size(&b->recipe), .most_asked = ROUND + BATCHES_AHEAD,
                               .threads = c->threads, .ahead = BATCHES_AHEAD, .mark = b->mark, .waited = &waited};
    batch_source *s;
    const double wall = clock_wall(), processor = clock_processor();
    TRY(batch_source_open(&setup, &s));
    status st = STATUS_OK;
    for (size_t i = 0; i < ROUND + BATCHES_AHEAD; i++) {
        batch_source_ask(s, &b->all, &b->recipe, (first + i) % n);
    }
    for (size_t i = 0; i < ROUND && status_ok(st); i++) {
        st = batch_source_take(s, &b->taken);
        if (status_ok(st) && b->engine != NULL) {
            engine_run(b->engine); /* on images of its own: the time does not depend on what they show */
        }
    }
    batch_source_close(&s);
    if (counts) {
        c->seconds += clock_wall() - wall;
        c->processor += clock_processor() - processor;
        c->waited += waited;
        c->batches += ROUND;
    }
    return st;
}

static void print(const images_bench *b, const count *c)
{
    const double images = (double)(c->batches * b->batch);
    (void)printf("{\"bench\": \"images\", \"network\": \"%s\", \"what\": \"%s\", \"batch\": %zu, \"size\": %zu, \"threads\": %zu, \"images\": %.0f, ",
                 b->network, b->what, b->batch, b->size, c->threads, images);
    (void)printf("\"images_per_s\": %.2f, \"waiting_share\": %.4f, \"waited_ms_per_image\": %.3f, \"processors\": %.3f}\n", images / c->seconds,
                 c->waited / c->seconds, 1e3 * c->waited / images, c->processor / c->seconds);
    (void)fflush(stdout);
}

static status read_number(const char *text, size_t least, size_t *out)
{
    char *end;
    *out = strtoul(text, &end, 10);
    return *end == '\0' && *out >= least && *out <= 100000 ? STATUS_OK
                                                            : FAIL(ST_USAGE, "expected a whole number in [%zu, 100000], found '%s'", least, text);
}

static status read_options(int argc, char *argv[], images_bench *b)
{
    size_t *const number[] = {&b->batches, &b->batch, &b->size, &b->shrink};
    if (argc < 9 || argc - 8 > MOST_COUNTS) {
        return FAIL(ST_USAGE, "expected FOLDER BATCHES BATCH SIZE SHRINK NETWORK WHAT THREADS...");
    }
    for (size_t i = 0; i < COUNT(number); i++) {
        TRY(read_number(argv[i + 2], 1, number[i]));
    }
    b->network = argv[6];
    b->what = argv[7];
    for (int i = 8; i < argc; i++) {
        TRY(read_number(argv[i], 0, &b->counts[b->n_counts++].threads));
    }
    return STATUS_OK;
}

static status bench(int argc, char *argv[], images_bench *b)
{
    TRY(read_options(argc, argv, b));
    TRY(arena_open("bench", &b->arena));
    TRY(open_data(b, argv[1]));
    TRY(open_network(b));
    TRY(turn(b, &b->counts[0], false)); /* the first files come from the disk */
    for (size_t done = 0; done < b->batches; done += ROUND) {
        for (size_t i = 0; i < b->n_counts; i++) {
            TRY(turn(b, &b->counts[i], true));
        }
    }
    for (size_t i = 0; i < b->n_counts; i++) {
        print(b, &b->counts[i]);
    }
    return STATUS_OK;
}

int main(int argc, char *argv[])
{
    images_bench b = {0};
    log_start(0, LOG_WARNING);
    const status st = bench(argc, argv, &b);
    arena_close(&b.arena);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_images: error: %s\n", status_message());
    }
    return st.code;
}
