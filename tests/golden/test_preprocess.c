#include "support/golden.h"

#include <hdf5.h>
#include <math.h>
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

static uint8_t *bytes_of(golden_array from)
{
    uint8_t *to = arena_alloc(a, from.count, 1);
    for (size_t i = 0; i < from.count; i++) {
        to[i] = (uint8_t)from.integer[i];
    }
    return to;
}

/* docs/attribution.md, section i: shorter side to 32, centre crop 28, normalise. Bytes are exact; the floats too, since
 * torchvision takes the same three float32 steps (divide, subtract, divide). */
static void training_images_are_exact(void **state)
{
    (void)state;
    golden *g = golden_open("preproc_rng.h5");
    preprocess p = {.resize = {(size_t)golden_number(g, "preproc", "resize"), 0}};
    double mean[3], std[3];
    p.crop[0] = p.crop[1] = p.output[0] = p.output[1] = (size_t)golden_number(g, "preproc", "crop");
    assert_int_equal(golden_numbers(g, "preproc", "mean", 3, mean), 3);
    assert_int_equal(golden_numbers(g, "preproc", "std", 3, std), 3);
    for (size_t c = 0; c < 3; c++) {
        p.mean[c] = (float)mean[c];
        p.std[c] = (float)std[c];
    }
    for (int i = 0; i < 5; i++) {
        const golden_array rgb = golden_read(g, "preproc/image%d/rgb_u8", i);
        const golden_array resized = golden_read(g, "preproc/image%d/train_resize_u8", i);
        const golden_array train = golden_read(g, "preproc/image%d/train", i);
        const image in = {rgb.dim[0], rgb.dim[1], bytes_of(rgb)};
        image found;
        float *out = arena_alloc(a, train.count, sizeof *out);
        assert_ok(image_resize(a, &in, RESAMPLE_BILINEAR, resized.dim[0], resized.dim[1], &found));
        assert_memory_equal(found.rgb, bytes_of(resized), resized.count);
        assert_ok(preprocess_apply(a, &p, "image", &in, out));
        assert_memory_equal(out, train.f32, train.count * sizeof *out);
    }
    golden_close(&g);
}

/* The squashing form, with its 8-bit antialiased resize. */
static void squashed_images_are_exact(void **state)
{
    (void)state;
    golden *g = golden_open("preproc_rng.h5");
    const preprocess p = {
        .resize = {28, 28}, .output = {28, 28}, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
    for (int i = 0; i < 5; i++) {
        const golden_array rgb = golden_read(g, "preproc/image%d/rgb_u8", i);
        const golden_array expected = golden_read(g, "preproc/image%d/val_pil_antialias", i);
        const image in = {rgb.dim[0], rgb.dim[1], bytes_of(rgb)};
        float *out = arena_alloc(a, expected.count, sizeof *out);
        assert_ok(preprocess_apply(a, &p, "image", &in, out));
        assert_memory_equal(out, expected.f32, expected.count * sizeof *out);
    }
    golden_close(&g);
}

/* The reference program's evaluation images: floats first, no antialiasing. Its float32 rounding may differ in the last digits: 5e-6. */
static void the_references_squash_matches(void **state)
{
    (void)state;
    golden *g = golden_open("preproc_rng.h5");
    const fact facts[] = {{"evaluation_preprocess", "reference", "config"}, {"preprocess", "torchvision", "config"}};
    const tensors t = {.source = "net", .n_facts = COUNT(facts), .facts = facts};
    preprocess p;
    assert_ok(preprocess_for_evaluation(&t, 28, 28, &p));
    assert_string_equal(p.name, "reference");
    for (int i = 0; i < 5; i++) {
        const golden_array rgb = golden_read(g, "preproc/image%d/rgb_u8", i);
        const golden_array expected = golden_read(g, "preproc/image%d/val_reference", i);
        const image in = {rgb.dim[0], rgb.dim[1], bytes_of(rgb)};
        float *out = arena_alloc(a, expected.count, sizeof *out);
        double worst = 0.0;
        assert_ok(preprocess_apply(a, &p, "image", &in, out));
        for (size_t k = 0; k < expected.count; k++) {
            const double off = fabs((double)out[k] - expected.real[k]);
            worst = worst_of(worst, off);
        }
        assert_true(worst <= 5e-6);
    }
    golden_close(&g);
}

static void assert_digest(const image *found, const char *expected)
{
    uint8_t digest[32];
    char text[65];
    sha256(found->rgb, found->height * found->width * 3, digest);
    sha256_text(digest, text);
    assert_memory_equal(text, expected, 64);
}

static void resizing_matches_pillow(void **state)
{
    (void)state;
    /* Digests of Image.resize((width, height), Image.BILINEAR) of Pillow 11.0 on the same pixels, and of Image.BICUBIC of Pillow 9.4. (Pillow 13.0 takes the vertical pass
     * first where that is cheaper, here in the third case, and then differs by 1 in a fifth of the values; like the networks that were
     * trained before it, we stay with horizontal first.) */
    const struct {
        size_t height, width, new_height, new_width;
        const char *digest, *cubic;
    } cases[] = {
        {16, 16, 48, 48, "5b800d0649cf6ef1149c9d7301be99a9683f1c7c58f2049fcc0e46bf55445ef4",
         "21204ea40533f5270d3da5e409b1f55f679c233ee79b4f01e5ab50034b63822d"},
        {16, 16, 7, 5, "896741f38c7fe3878641fbd919cf6400491b92c1eab93a465c0caebf21d52578",
         "47a17261c60a629464c1fee980e3c559fc9b35eec3349ceacb0d3387ad9b7065"},
        {70, 50, 32, 45, "360503153e41d31cc7365b647acb158dafac8505c9abecd5cff7412a44a1018f",
         "c05fbf0ec874b9c3bfe7bce5761d974a1f9d349e5a43633d36815d656580e3f0"},
        {20, 30, 20, 11, "1e3ff562dcf68ac34c664529c0a4e3738ec283490a4da4991a8daa4361246067",
         "288be75e500029401b7280126738919e7fec1234f45ffb9135d2253339ae53f3"},
        {20, 30, 33, 30, "43cd59453197e3251de81189cb3e39b19abbad7f142895d4cde17c76abdbec18",
         "dab86275163697d331b926b367b90e6de0eec813dc004e57140db7110d95cb91"},
        {1, 1, 4, 4, "f18515417efc5e22eb9991c5b6dc620753b56d9b4c46ad76d7e6fe63d47ab4f1",
         "f18515417efc5e22eb9991c5b6dc620753b56d9b4c46ad76d7e6fe63d47ab4f1"},
        {3, 100, 50, 2, "ff843feb7d845a55a4dbd93ea9b0f6b0116b37d0c804114584219c6c0b0fdc29",
         "515d927c1b303fe7305cd36c476e0328385097a19056b9258e78bd39d4d71127"},
        {61, 67, 224, 224, "d798b49314a0417778c9a938cc6086627561a375c8cbad90b2c085646cb4d660",
         "713df95129febcb92c753612ef8bd3a48199990e1873459b45e906a512b690c1"},
        {300, 1, 5, 1, "1b9a6012680ae541eeaa5e44c78a2dbf71be96f8410f1eca91134bf14ad82099",
         "e5bd471445845b81c57711df0bcdd9a9e2a0529286dbc2765406e2d3ad454de5"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t height = cases[i].height, width = cases[i].width;
        image in = {height, width, arena_alloc(a, height * width, 3)}, out;
        for (size_t k = 0; k < height * width * 3; k++) {
            const size_t x = k / 3 % width, y = k / 3 / width;
            in.rgb[k] = (uint8_t)(x * x * 7 + y * 31 + k % 3 * 57 + x * y * 11);
        }
        assert_ok(image_resize(a, &in, RESAMPLE_BILINEAR, cases[i].new_height, cases[i].new_width, &out));
        assert_int_equal(out.height, cases[i].new_height);
        assert_int_equal(out.width, cases[i].new_width);
        assert_digest(&out, cases[i].digest);
        assert_ok(image_resize(a, &in, RESAMPLE_BICUBIC, cases[i].new_height, cases[i].new_width, &out));
        assert_digest(&out, cases[i].cubic);
    }
}

static unsigned char *read_set(hid_t file, const char *name, hid_t type, size_t size)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), own = H5Dget_type(set);
    unsigned char *data = arena_alloc(a, size, 1);
    assert_true(H5Dget_storage_size(set) <= size);
    assert_true(H5Dread(set, type >= 0 ? type : own, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    assert_true(H5Tclose(own) >= 0 && H5Dclose(set) >= 0);
    return data;
}

/* Planes of an image through preprocess_apply() with mean 0 and std 1, against bytes [3, 224, 224]. */
static void check_planes(const image *in, preprocess p, const unsigned char *expected)
{
    static float out[3 * 224 * 224];
    assert_ok(preprocess_apply(a, &p, "image", in, out));
    for (size_t i = 0; i < COUNT(out); i++) {
        assert_true(out[i] == (float)expected[i] / 255.0f);
    }
}

/* Twelve photographs from file to network input: odd sizes, grey, 4:2:0, both roundings of the crop. */
static void photographs_are_exact(void **state)
{
    (void)state;
    enum { N = 12, PLANES = 3 * 224 * 224 };
    char name[500];
    const char *path = shared_path("data/imagenet_sample/preprocess_golden.h5");
    if (path == NULL) {
        print_message("the sample photographs are not beside the repository\n");
        skip();
    }
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    const unsigned char *crop = read_set(file, "resize256_crop224", H5T_NATIVE_UCHAR, (size_t)N * PLANES);
    const unsigned char *squash = read_set(file, "resize224x224", H5T_NATIVE_UCHAR, (size_t)N * PLANES);
    const hid_t set = H5Dopen2(file, "path", H5P_DEFAULT), type = H5Dget_type(set);
    const size_t width = H5Tget_size(type);
    const char *paths = (const char *)read_set(file, "path", H5I_INVALID_HID, N * width);
    const hid_t digest_set = H5Dopen2(file, "rgb_sha256", H5P_DEFAULT), digest_type = H5Dget_type(digest_set);
    const size_t digest_width = H5Tget_size(digest_type);
    const char *digests = (const char *)read_set(file, "rgb_sha256", H5I_INVALID_HID, N * digest_width);
    for (size_t i = 0; i < N; i++) {
        file_bytes bytes;
        image in;
        (void)snprintf(name, sizeof name, "data/imagenet_sample/%.*s", (int)width, paths + i * width);
        assert_non_null(shared_path(name));
        assert_ok(file_read(a, shared_path(name), SIZE_MAX, &bytes));
        assert_ok(image_decode(a, name, bytes, &in));
        assert_digest(&in, digests + i * digest_width);
        check_planes(&in, (preprocess){.resize = {256, 0}, .crop = {224, 224}, .output = {224, 224}, .std = {1, 1, 1}},
                     crop + i * PLANES);
        check_planes(&in, (preprocess){.resize = {224, 224}, .output = {224, 224}, .std = {1, 1, 1}},
                     squash + i * PLANES);
    }
    assert_true(H5Tclose(type) >= 0 && H5Dclose(set) >= 0 && H5Tclose(digest_type) >= 0 && H5Dclose(digest_set) >= 0);
    assert_true(H5Fclose(file) >= 0);
}

static status from_facts(size_t n, const fact facts[], preprocess *out)
{
    const tensors t = {.source = "net", .n_facts = n, .facts = facts};
    return preprocess_from_facts(&t, 224, 224, out);
}

static const fact mean_fact = {"mean", "0.485,0.456,0.406", "config"},
                  std_fact = {"std", "0.229,0.224,0.225", "config"};

static void steps_come_from_facts(void **state)
{
    (void)state;
    preprocess p;
    const fact whole[] = {
        mean_fact, std_fact, {"resize", "256", ""}, {"crop", "224x224", ""}, {"image_size", "224x224", ""}};
    assert_ok(from_facts(COUNT(whole), whole, &p));
    assert_string_equal(
        preprocess_text(a, &p),
        "stated: resize shorter side 256 (bilinear, antialiased, 8 bit); centre crop 224x224; input 224x224; "
        "x/255; mean 0.485,0.456,0.406; std 0.229,0.224,0.225; sha256 a6a47ac08c92fe2d");
    const fact squash[] = {mean_fact, std_fact, {"resize", "224x224", ""}, {"crop", "none", ""}};
    assert_ok(from_facts(COUNT(squash), squash, &p));
    assert_int_equal(p.resize[1], 224);
    assert_int_equal(p.crop[0], 0);
    const fact least[] = {mean_fact, std_fact};
    assert_ok(from_facts(COUNT(least), least, &p));
    assert_int_equal(p.resize[0], 0);
    assert_true(p.mean[0] == 0.485f && p.std[2] == 0.225f);
    assert_string_equal(
        preprocess_text(a, &p),
        "stated: no resize; no crop; input 224x224; x/255; mean 0.485,0.456,0.406; std 0.229,0.224,0.225; "
        "sha256 bcd4ef40f35eef04");
}

/* What a recipe does to which stated facts: the same source or one before it counts more than the recipe, a later one less. */
static void recipes_fill_what_is_not_stated(void **state)
{
    (void)state;
    preprocess p;
    const fact torchvision = {"preprocess", "torchvision", "config"}, timm = {"preprocess", "timm", "config"};
    assert_ok(from_facts(1, &torchvision, &p));
    assert_string_equal(
        preprocess_text(a, &p),
        "torchvision: resize shorter side 256 (bilinear, antialiased, 8 bit); centre crop 224x224; input 224x224; "
        "x/255; mean 0.485,0.456,0.406; std 0.229,0.224,0.225; sha256 a6a47ac08c92fe2d");
    const fact larger[] = {torchvision, {"resize", "232", "config"}};
    assert_ok(from_facts(COUNT(larger), larger, &p));
    assert_true(p.resize[0] == 232 && p.resize[1] == 0 && p.crop[0] == 224);
    const fact later[] = {torchvision, {"resize", "48x48", "model.json"}, {"mean", "0.5,0.5,0.5", "model.json"}};
    assert_ok(from_facts(COUNT(later), later, &p));
    assert_true(p.resize[0] == 256 && p.mean[0] == 0.5f && p.std[0] == 0.229f);
    const fact said_later[] = {
        {"preprocess", "torchvision", "metadata"}, {"resize", "224x224", "config"}, {"crop", "none", "config"}};
    assert_ok(from_facts(COUNT(said_later), said_later, &p));
    assert_true(p.resize[0] == 224 && p.resize[1] == 224 && p.crop[0] == 0);
    assert_ok(from_facts(1, &timm, &p));
    assert_true(p.resampling == RESAMPLE_BICUBIC && p.resize[0] == 256 && p.crop[1] == 224);
    const fact share[] = {timm, {"crop_pct", "0.9", "config"}, {"interpolation", "bilinear", "config"}};
    assert_ok(from_facts(COUNT(share), share, &p));
    assert_true(p.resampling == RESAMPLE_BILINEAR && p.resize[0] == 248); /* 224 / 0.9 = 248.9 */
    const fact own[] = {
        mean_fact, std_fact, {"crop_pct", "0.9", "model.json"}, {"interpolation", "bicubic", "model.json"}};
    assert_ok(from_facts(COUNT(own), own, &p));
    assert_true(p.resampling == RESAMPLE_BICUBIC && p.resize[0] == 248 && p.crop[0] == 224);
    const fact unknown = {"preprocess", "imagenet", "config"};
    assert_fails(from_facts(1, &unknown, &p), ST_DATA, "expected torchvision, reference or timm, found 'imagenet'",
                 NULL);
    const fact nearest[] = {timm, {"interpolation", "nearest", "config"}};
    assert_fails(from_facts(COUNT(nearest), nearest, &p), ST_DATA, "expected bilinear or bicubic, found 'nearest'",
                 NULL);
    const fact large[] = {timm, {"crop_pct", "1.1", "config"}};
    assert_fails(from_facts(COUNT(large), large, &p), ST_DATA, "a fraction in [0.01, 1]", NULL);
    preprocess q;
    const fact pair[] = {torchvision, {"evaluation_preprocess", "reference", "config"}};
    const tensors t = {.source = "net", .n_facts = COUNT(pair), .facts = pair};
    assert_ok(preprocess_from_facts(&t, 224, 224, &p));
    assert_ok(preprocess_for_evaluation(&t, 224, 224, &q));
    const char *both = preprocess_texts(a, &p, &q);
    assert_non_null(strstr(both, "explained images: torchvision: resize shorter side 256"));
    assert_non_null(
        strstr(both, "; evaluated images: reference: resize 224x224 (bilinear, not antialiased, float32); no crop"));
    assert_string_equal(preprocess_texts(a, &p, &p), preprocess_text(a, &p));
}

static void contradictory_facts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *first, *second;
    } bad[] = {
        {"resize", "48x48", "takes images of 224x224", "resize makes them 48x48"},
        {"resize", "48xx", "fact resize", "48xx"},
        {"resize", "0", "fact resize", "found '0'"},
        {"resize", "224x", "fact resize", "224x"},
        {"resize", "99999999999999999999", "fact resize", "999"},
        {"crop", "200x200", "takes images of 224x224", "crop makes them 200x200"},
        {"crop", "224", "fact crop", "found '224'"},
        {"image_size", "32x224", "says 32x224", "takes 224x224"},
        {"image_size", "224x32", "says 224x32", "takes 224x224"},
        {"mean", "0.5,0.5", "fact mean", "three numbers"},
        {"mean", "0.5,0.5,0.5,0.5", "fact mean", "three numbers"},
        {"mean", "a,b,c", "fact mean", "three numbers"},
        {"mean", "1e99,0,0", "fact mean", "three numbers"},
        {"std", "0,1,1", "fact std", "positive"},
        {"std", "1,-1,1", "fact std", "positive"},
        {"std", "1,1,nan", "fact std", "positive"},
        {"std", "1,1,1e-60", "fact std", "positive"},
    };
    preprocess p;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const fact facts[] = {{bad[i].name, bad[i].value, "config"}, mean_fact, std_fact};
        assert_fails(from_facts(COUNT(facts), facts, &p), ST_DATA, "net", bad[i].first, bad[i].second, NULL);
    }
    assert_fails(from_facts(1, &std_fact, &p), ST_DATA, "net", "mean", "model.json", "study file", NULL);
    assert_fails(from_facts(1, &mean_fact, &p), ST_DATA, "net", "standard deviation", "fact std", NULL);
    const fact small[] = {mean_fact, std_fact, {"resize", "200", ""}, {"crop", "224x224", ""}};
    assert_fails(from_facts(COUNT(small), small, &p), ST_DATA, "crop 224x224 is larger", NULL);
    const fact smaller[] = {mean_fact, std_fact, {"resize", "256x200", ""}, {"crop", "224x224", ""}};
    assert_fails(from_facts(COUNT(smaller), smaller, &p), ST_DATA, "crop 224x224 is larger", NULL);
}

static void images_of_another_size_are_refused(void **state)
{
    (void)state;
    static uint8_t rgb[3 << 20];
    static float out[3 * 16 * 16];
    const image tall = {20, 16, rgb}, line = {1 << 20, 1, rgb};
    preprocess p = {.output = {16, 16}, .std = {1, 1, 1}};
    assert_fails(preprocess_apply(a, &p, "7/x.png", &tall, out), ST_DATA, "7/x.png", "expected an image of 16x16",
                 "found 20x16", "resize", NULL);
    p.resize[0] = 16;
    assert_fails(preprocess_apply(a, &p, "7/x.png", &tall, out), ST_DATA, "becomes 20x16", "expected 16x16", "crop",
                 NULL);
    p.crop[0] = p.crop[1] = 16;
    assert_ok(preprocess_apply(a, &p, "7/x.png", &tall, out));
    p.resize[0] = 0;
    const image low = {12, 40, rgb};
    assert_fails(preprocess_apply(a, &p, "7/x.png", &low, out), ST_DATA, "12x40", "at least 16x16 for the crop", NULL);
    p.resize[0] = 1 << 10;
    assert_fails(preprocess_apply(a, &p, "7/x.png", &line, out), ST_DATA, "7/x.png", "2^28", NULL);
    p = (preprocess){.resize = {16, 1 << 10}, .output = {16, 16}, .std = {1, 1, 1}};
    assert_fails(preprocess_apply(a, &p, "7/x.png", &line, out), ST_DATA, "7/x.png", "2^28", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_images_are_exact),
        cmocka_unit_test(squashed_images_are_exact),
        cmocka_unit_test(the_references_squash_matches),
        cmocka_unit_test(recipes_fill_what_is_not_stated),
        cmocka_unit_test(resizing_matches_pillow),
        cmocka_unit_test(photographs_are_exact),
        cmocka_unit_test(steps_come_from_facts),
        cmocka_unit_test(contradictory_facts_are_refused),
        cmocka_unit_test(images_of_another_size_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
