#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/dataset_read.h"
#include "io/pack_parts.h"

enum { PER_SHARD = 400 };

static arena *a, *scratch, *images;
static dataset *tree;

static int set_up(void **state)
{
    (void)state;
    if (!status_ok(arena_open("test", &a)) || !status_ok(arena_open("shard", &scratch)) || !status_ok(arena_open("image", &images))) {
        return -1;
    }
    return status_ok(dataset_open(a, source_path("examples/digits/data/train"), &tree)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&images);
    arena_close(&scratch);
    arena_close(&a);
    return 0;
}

static const preprocess recipe = {.name = "stated", .resize = {20, 0}, .crop = {12, 18}, .output = {12, 18}, .mean = {0.1f, 0.2f, 0.3f}, .std = {1, 2, 3}};

static const char *make_pack(const char *name, const preprocess *p)
{
    pack_plan plan;
    const char *folder = arena_text(a, "%s/%s", scratch_folder(), name);
    assert_non_null(folder);
    assert_ok(pack_plan_build(a, tree, p, PER_SHARD, &plan));
    assert_int_equal(plan.n_shards, (tree->n_samples + PER_SHARD - 1) / PER_SHARD);
    for (size_t i = plan.n_shards; i-- > 0;) {
        assert_false(pack_has_shard(scratch, &plan, folder, i));
        assert_ok(pack_write_shard(scratch, images, &plan, folder, i));
        assert_true(pack_has_shard(scratch, &plan, folder, i));
    }
    assert_false(pack_there(folder));
    plan.identity[0] ^= 1; /* whole shards, though there is no index yet */
    assert_true(pack_shard_is_others(scratch, &plan, folder, 0) && !pack_has_shard(scratch, &plan, folder, 0));
    plan.identity[0] ^= 1;
    assert_false(pack_shard_is_others(scratch, &plan, folder, 0));
    assert_ok(pack_write_index(scratch, &plan, folder));
    assert_true(pack_there(folder));
    return folder;
}

static void test_same_files(void **state)
{
    (void)state;
    dataset *d;
    dataset_image x, y;
    assert_ok(dataset_open(a, make_pack("files", NULL), &d));
    assert_int_equal(d->n_classes, tree->n_classes);
    assert_int_equal(d->n_samples, tree->n_samples);
    for (size_t i = 0; i < d->n_samples; i++) {
        const size_t at = (i * 7919) % d->n_samples; /* across the shards */
        arena_reset(scratch);
        assert_string_equal(d->path[at], tree->path[at]);
        assert_string_equal(d->class_name[d->label[at]], tree->class_name[tree->label[at]]);
        assert_ok(dataset_read(scratch, d, at, &x));
        assert_ok(dataset_read(scratch, tree, at, &y));
        assert_int_equal(x.bytes.size, y.bytes.size);
        assert_memory_equal(x.bytes.data, y.bytes.data, y.bytes.size);
        assert_memory_equal(x.sha256, y.sha256, sizeof x.sha256);
        assert_int_equal(x.original, y.original);
    }
}

/* The same floats from the pixels as from the file, and digest and size of the file. */
static void test_same_pixels(void **state)
{
    (void)state;
    dataset *d;
    dataset_image x, y;
    image picture;
    float from_file[3 * 12 * 18], from_pixels[3 * 12 * 18];
    assert_ok(dataset_open(a, make_pack("pixels", &recipe), &d));
    assert_int_equal(d->stored[0], 12);
    assert_int_equal(d->stored[1], 18);
    assert_ok(preprocess_check_steps(a, "data", d->steps, "model", &recipe));
    preprocess other = recipe;
    other.mean[0] = 0.5f; /* what follows the pixels may be another */
    assert_ok(preprocess_check_steps(a, "data", d->steps, "model", &other));
    other.resize[0] = 21;
    assert_fails(preprocess_check_steps(a, "data", d->steps, "model", &other), ST_DATA, "shorter side 20", "shorter side 21", "'model'", NULL);
    for (size_t i = 0; i < d->n_samples; i += 13) {
        arena_reset(scratch);
        assert_ok(dataset_read(scratch, d, i, &x));
        assert_ok(dataset_read(scratch, tree, i, &y));
        assert_true(x.decoded);
        assert_memory_equal(x.sha256, y.sha256, sizeof x.sha256);
        assert_int_equal(x.original, y.bytes.size);
        assert_ok(image_decode(scratch, "image", y.bytes, &picture));
        assert_ok(preprocess_apply(scratch, &recipe, "image", &picture, from_file));
        preprocess_normalise(&recipe, x.bytes.data, from_pixels);
        assert_memory_equal(from_file, from_pixels, sizeof from_file);
    }
}

/* Packed or not, an image that is no bytes long is one. */
static void test_empty_files(void **state)
{
    (void)state;
    const char *root = arena_text(a, "%s/empty", scratch_folder()), *folder = arena_text(a, "%s/empty.pack", scratch_folder());
    pack_plan plan;
    dataset *from, *d;
    dataset_image x;
    assert_true(mkdir(root, 0700) == 0 && mkdir(arena_text(a, "%s/only", root), 0700) == 0);
    FILE *f = fopen(arena_text(a, "%s/only/1.png", root), "w");
    assert_true(f != NULL && fclose(f) == 0);
    assert_ok(dataset_open(a, root, &from));
    assert_ok(pack_plan_build(a, from, NULL, PER_SHARD, &plan));
    assert_ok(pack_write_shard(scratch, images, &plan, folder, 0));
    assert_true(pack_has_shard(scratch, &plan, folder, 0));
    assert_ok(pack_write_index(scratch, &plan, folder));
    assert_ok(dataset_open(a, folder, &d));
    assert_ok(dataset_read(scratch, d, 0, &x));
    assert_int_equal(x.bytes.size, 0);
}

enum { THREADS = 4, FEW = 5 }; /* FEW images a shard: more shards than stay open */

/* Reads every image, each thread in an order of its own; *failed: how many are others. */
typedef struct reader {
    const dataset *d;
    arena *scratch;
    size_t number, failed;
} reader;

static void *read_all(void *reader_)
{
    reader *r = reader_;
    for (size_t i = 0; i < r->d->n_samples; i++) {
        const size_t at = (i * (size_t)(2 * r->number + 7919)) % r->d->n_samples;
        dataset_image x, y;
        arena_reset(r->scratch);
        r->failed += !status_ok(dataset_read(r->scratch, r->d, at, &x)) || !status_ok(dataset_read(r->scratch, tree, at, &y)) ||
                     x.bytes.size != y.bytes.size || memcmp(x.bytes.data, y.bytes.data, x.bytes.size) != 0;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pack_plan plan;
    dataset *d;
    pthread_t thread[THREADS];
    reader r[THREADS];
    const char *folder = arena_text(a, "%s/threads", scratch_folder());
    assert_ok(pack_plan_build(a, tree, NULL, FEW, &plan));
    assert_true(plan.n_shards > 200);
    for (size_t i = 0; i < plan.n_shards; i++) {
        assert_ok(pack_write_shard(scratch, images, &plan, folder, i));
    }
    assert_ok(pack_write_index(scratch, &plan, folder));
    assert_ok(dataset_open(a, folder, &d));
    for (size_t i = 0; i < THREADS; i++) {
        r[i] = (reader){.d = d, .number = i};
        assert_ok(arena_open("thread", &r[i].scratch));
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &r[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(r[i].failed, 0);
        arena_close(&r[i].scratch);
    }
}

static size_t n_bad;
static void count_bad(void *context, const char *what)
{
    (void)context;
    assert_non_null(strstr(what, "shard-00001.h5"));
    n_bad++;
}

/* Changes some bytes, `from_end` of the file or of its record of the first image, and makes the trailer's own sum right again. */
static void change(const char *path, const pack_trailer *t, bool trailer, size_t at, uint64_t value)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    if (trailer) {
        pack_trailer changed = *t;
        memcpy((char *)&changed + at, &value, sizeof value);
        changed.own = pack_trailer_sum(&changed, t->identity);
        assert_int_equal(fseek(f, -(long)sizeof changed, SEEK_END), 0);
        assert_int_equal(fwrite(&changed, sizeof changed, 1, f), 1);
    } else {
        assert_int_equal(fseek(f, (long)(t->record + at), SEEK_SET), 0);
        assert_int_equal(fwrite(&value, sizeof value, 1, f), 1);
    }
    assert_int_equal(fclose(f), 0);
}

static void read_file_bytes(const char *path, file_bytes *out)
{
    assert_ok(file_read(a, path, SIZE_MAX / 2, out));
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        bool trailer;
        size_t at;
        uint64_t value;
    } all[] = {
        {true, offsetof(pack_trailer, first), 0},
        {true, offsetof(pack_trailer, images), 0},
        {true, offsetof(pack_trailer, images), UINT64_MAX},
        {true, offsetof(pack_trailer, images), PER_SHARD - 1},
        {true, offsetof(pack_trailer, record), UINT64_MAX},
        {true, offsetof(pack_trailer, record), UINT64_MAX - 63},
        {true, offsetof(pack_trailer, record), 0},
        {true, offsetof(pack_trailer, data), UINT64_MAX},
        {true, offsetof(pack_trailer, size), UINT64_MAX},
        {true, offsetof(pack_trailer, size), 0},
        {true, offsetof(pack_trailer, before), UINT64_MAX},
        {true, offsetof(pack_trailer, magic), 0},
        {true, offsetof(pack_trailer, identity), 0},
        {false, offsetof(pack_record, offset), UINT64_MAX},
        {false, offsetof(pack_record, offset), 1},
        {false, offsetof(pack_record, size), UINT64_MAX},
        {false, offsetof(pack_record, size), 0},
        {false, offsetof(pack_record, size), (uint64_t)1 << 28},
        {false, offsetof(pack_record, original), 1},
        {false, offsetof(pack_record, label), 0},
        {false, offsetof(pack_record, sha256), 0},
    };
    const char *folder = make_pack("hostile", NULL), *path = pack_shard_path(a, folder, 1);
    file_bytes whole;
    pack_trailer t;
    read_file_bytes(path, &whole);
    memcpy(&t, whole.data + whole.size - sizeof t, sizeof t);
    for (size_t i = 0; i < COUNT(all); i++) {
        dataset *d;
        dataset_image x;
        pack_plan plan;
        assert_ok(file_write_atomic(path, whole.data, whole.size));
        change(path, &t, all[i].trailer, all[i].at, all[i].value);
        assert_ok(dataset_open(a, folder, &d));
        arena_reset(scratch);
        assert_fails(dataset_read(scratch, d, PER_SHARD, &x), ST_DATA, "shard-00001.h5", NULL);
        assert_ok(dataset_read(scratch, d, PER_SHARD - 1, &x)); /* of another shard */
        n_bad = 0;
        const status st = pack_verify_shard(scratch, d, 1, count_bad, NULL);
        assert_true(all[i].trailer ? st.code == ST_DATA || n_bad > 0 : n_bad == 1);
        status_clear();
        assert_ok(pack_plan_build(a, tree, NULL, PER_SHARD, &plan));
        if (!all[i].trailer) { /* a trailer whose sums were made right was no accident: who packs again does not look behind it */
            assert_false(pack_has_shard(scratch, &plan, folder, 1));
        }
    }
    for (size_t size = 0; size < whole.size; size += 1013) { /* cut off */
        dataset *d;
        dataset_image x;
        assert_ok(file_write_atomic(path, whole.data, size));
        assert_ok(dataset_open(a, folder, &d));
        arena_reset(scratch);
        assert_fails(dataset_read(scratch, d, PER_SHARD, &x), ST_DATA, "shard-00001.h5", NULL);
    }
}

/* Listings with lines about shards, as another rank or an index may bring them. */
static void test_listing(void **state)
{
    (void)state;
    static const char identity[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char *const bad[] = {
        "T 512 x.tar\nC a\nP a/1.png\n",                 /* without a place */
        "C a\nA 0 0 1 a/1.png\n",                        /* a place in no tar */
        "T 512 x.tar\nC a\nA 1 0 1 a/1.png\n",           /* another shard */
        "T 512 x.tar\nC a\nA 0 512 1 a/1.png\n",         /* behind its end */
        "T 512 x.tar\nC a\nA 0 9223372036854775807 512 a/1.png\n",
        "T 512 x.tar\nC a\nA 0 0 513 a/1.png\n",
        "T 512 x.tar\nC a\nA 0 -1 1 a/1.png\n",
        "T 512 x.tar\nC a\nA 0 0 1 \n",
        "T 512 x.tar\nC a\nA 0 0 1\n",
        "T 512 x.tar\nC a\nA 0 0 1 2.png\nA 0 0 1 1.png\n",
        "T 99999999999999999999 x.tar\nC a\nA 0 0 1 a/1.png\n",
        "T 512 ../x.tar\nC a\nA 0 0 1 a/1.png\n",        /* not of the folder */
        "T 512 \nC a\nA 0 0 1 a/1.png\n",
        "T 512 x.tar\nK 1 y.h5\nC a\nA 0 0 1 a/1.png\n",
        "K 1 y.h5\nC a\nP a/1.png\n",
        "D 0 0 %s -\nC a\nP a/1.png\n",                  /* no shard */
        "D 0 0 %s -\nK 2 y.h5\nC a\nP a/1.png\n",        /* more images than there are */
        "D 0 0 %s -\nK 0 y.h5\nK 1 z.h5\nC a\nP a/1.png\n",
        "D 0 0 %s -\nK 1 ../y.h5\nC a\nP a/1.png\n",
        "D 0 0 %s -\nK 1 .\nC a\nP a/1.png\n",
        "D 0 5 %s x\nK 1 y.h5\nC a\nP a/1.png\n",
        "D 0 0 %s x\nK 1 y.h5\nC a\nP a/1.png\n",
        "D 5 5 %s \nK 1 y.h5\nC a\nP a/1.png\n",
        "D 5 5 1234 x\nK 1 y.h5\nC a\nP a/1.png\n",
        "D 99999 5 %s x\nK 1 y.h5\nC a\nP a/1.png\n",
        "D 0 0 %s -\nD 0 0 %s -\nK 1 y.h5\nC a\nP a/1.png\n",
        "D 0 0 %s -\nK 1 y.h5\n",
        "T 512",
    };
    dataset *d;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[512];
        const char *second = strstr(bad[i], "%s");
        (void)snprintf(text, sizeof text, "%.*s%s%s", second == NULL ? (int)strlen(bad[i]) : (int)(second - bad[i]), bad[i],
                       second == NULL ? "" : identity, second == NULL ? "" : second + 2);
        const status st = dataset_parse(a, "images", text, strlen(text), &d);
        if (status_ok(st)) {
            fail_msg("taken: %s", text);
        }
        assert_fails(st, ST_DATA, "images", NULL);
    }
    static const char good[] = "T 4096 x.tar\nT 512 y.tar\nC a\nA 1 0 512 a/1.png\nA 0 4096 0 a/b c.png\n";
    assert_ok(dataset_parse(a, "images", good, strlen(good), &d));
    assert_string_equal(d->path[1], "a/b c.png");
    assert_int_equal(d->place[0].shard, 1);
    assert_int_equal(dataset_shard_of(d, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_pixels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
