/* Images of a pack as a stage reads them. */
#include "support/support.h"

#include "io/pack.h"
#include "stages/batch.h"

static arena *memory, *scratch, *images;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &memory)) && status_ok(arena_open("scratch", &scratch)) && status_ok(arena_open("images", &images)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&images);
    arena_close(&scratch);
    arena_close(&memory);
    return 0;
}

/* A pack of decoded images whose steps, in words, are those of another size than its images have. */
static void a_decoded_image_of_another_size_is_refused(void **state)
{
    (void)state;
    enum { IMAGES = 400 };
    static const preprocess stored = {.resize = {8, 8}, .output = {8, 8}, .mean = {0.5f, 0.25f, 0.0f}, .std = {0.5f, 0.5f, 1.0f}},
                            asked = {.output = {16, 16}, .mean = {0.5f, 0.25f, 0.0f}, .std = {0.5f, 0.5f, 1.0f}};
    const char *folder = arena_text(memory, "%s/sizes.pack", scratch_folder());
    pack_plan plan;
    dataset *tree, *packed;
    assert_ok(dataset_open(memory, source_path("examples/digits/data/train"), &tree));
    assert_ok(pack_plan_build(memory, tree, &stored, IMAGES, &plan));
    for (size_t i = 0; i < plan.n_shards; i++) {
        assert_ok(pack_write_shard(scratch, images, &plan, folder, i));
    }
    assert_ok(pack_write_index(scratch, &plan, folder));
    assert_ok(dataset_open(memory, folder, &packed));
    file_mark mark = {0};
    float out[3 * 16 * 16];
    assert_ok(batch_read_image(scratch, packed, 3, &stored, &mark, out));
    assert_fails(batch_read_image(scratch, packed, 3, &asked, &mark, out), ST_DATA, "sizes.pack", "expected a decoded image of 3 x 16 x 16", "found 192", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_decoded_image_of_another_size_is_refused)};
    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
