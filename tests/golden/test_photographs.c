/* Decoding as Pillow does it: every photograph of the ImageNet sample (manifest.csv beside it: grey, 4:4:4, 4:2:2, 4:2:0, 4:4:0, odd sizes, ICC
 * profiles, EXIF orientation, which is not applied), and a JPEG in YCCK, which the sample lacks. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/image.h"
#include "io/sha256.h"

static void check_file(const char *path, const char *digest)
{
    arena *a = NULL;
    file_bytes bytes;
    image found = {0};
    uint8_t raw[32];
    char text[65];
    assert_ok(arena_open("photograph", &a));
    assert_ok(file_read(a, path, SIZE_MAX, &bytes));
    assert_ok(image_decode(a, path, bytes, &found));
    sha256(found.rgb, found.height * found.width * 3, raw);
    sha256_text(raw, text);
    if (memcmp(text, digest, 64) != 0) {
        fail_msg("%s: expected pixels of %.64s, found %s", path, digest, text);
    }
    arena_close(&a);
}

/* Field `index` of a line of CSV without quotes within quotes; copied without its quotes. */
static void field_of(const char *line, size_t index, char *out, size_t size)
{
    size_t used = 0;
    bool quoted = false;
    for (; *line != '\0' && *line != '\n'; line++) {
        quoted ^= *line == '"';
        if (*line == ',' && !quoted && index-- == 0) {
            break;
        }
        if (index == 0 && *line != '"' && (*line != ',' || quoted) && used + 1 < size) {
            out[used++] = *line;
        }
    }
    out[used] = '\0';
}

static void every_photograph_has_its_pixels(void **state)
{
    (void)state;
    enum { PATH = 0, RGB_SHA256 = 12 };
    char line[2000], name[600], digest[100], relative[700];
    size_t n = 0;
    const char *manifest = shared_path("data/imagenet_sample/manifest.csv");
    if (manifest == NULL) {
        print_message("the sample photographs are not beside the repository\n");
        skip();
    }
    FILE *f = fopen(manifest, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f)); /* the header */
    while (fgets(line, sizeof line, f) != NULL) {
        field_of(line, PATH, name, sizeof name);
        field_of(line, RGB_SHA256, digest, sizeof digest);
        assert_int_equal(strlen(digest), 64);
        (void)snprintf(relative, sizeof relative, "data/imagenet_sample/%s", name);
        assert_non_null(shared_path(relative));
        check_file(shared_path(relative), digest);
        n++;
    }
    (void)fclose(f);
    assert_int_equal(n, 60);
}

/* ycck.jpg: libjpeg-turbo 2.1.5, Adobe transform 2; the digest is of Pillow 9.4's open().convert("RGB"). */
static void ycck_is_decoded(void **state)
{
    (void)state;
    check_file(source_path("tests/golden/ycck.jpg"),
               "b8145c9703c1629bd80da5c69a6ccd442c949dfe2d6f947b83581393c8944b8b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_photograph_has_its_pixels),
                                       cmocka_unit_test(ycck_is_decoded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
