/* Every study in configs/ is read, resolved and planned. Those for ImageNet and CIFAR-10 get small networks and lists of images that need not
 * exist in place of what cannot be in the repository: nothing is computed, but every key, criterion, composite and count is looked at. */
#include "support/support.h"

#include <dirent.h>
#include <string.h>

#include "io/checkpoint.h"
#include "io/safetensors_write.h"
#include "pipeline/launcher.h"
#include "pipeline/plan.h"
#include "pipeline/search_forecast.h"
#include "pipeline/search_study.h"
#include "stages/stage.h"

enum { IMAGENET = 1000, CIFAR = 10, REFERENCES = 100, EVALUATIONS = 5, MOST_SETS = 16 };

static comm world;

/* By hand, from docs/studies.md: kinds of components over all networks x criteria x class subsets x seeds x numbers of references. */
static const struct {
    const char *name;
    size_t classes; /* of the stand-ins; 0: what the study names is in the repository */
    size_t n_models, cells, rates;
    size_t settings; /* that its search tries, over all networks */
} studies[] = {
    {"cifar10-composites.yaml", CIFAR, 1, 6 * 5, 20, 0},
    {"cifar10-references.yaml", CIFAR, 1, 20 * 4, 20, 0},
    {"cifar10-resnet20.yaml", CIFAR, 1, 3 * 5, 20, 0},
    {"cifar10-search-bayes.yaml", CIFAR, 1, 3 * 5, 20, 76},
    {"cifar10-search.yaml", CIFAR, 1, 3 * 5, 20, 512},
    {"cifar10-vit.yaml", CIFAR, 1, 2 * 3 * 3, 20, 0},
    {"digits-composites.yaml", 0, 3, 4 * 9 * 5, 20, 0},
    {"digits-criteria.yaml", 0, 2, 2 * 16 * 2 * 5, 20, 0},
    {"digits-heatmaps.yaml", 0, 3, 4 * 3 * 3, 20, 0},
    {"digits-overparameterisation.yaml", 0, 3, 4 * 5 * 5, 20, 0},
    {"digits-references.yaml", 0, 1, 20 * 7, 20, 0},
    {"digits-search.yaml", 0, 3, 4 * 3 * 5, 20, 3 * 512},
    {"digits-vit.yaml", 0, 1, 2 * 6 * 5, 20, 0},
    {"digits.yaml", 0, 3, 4 * 3 * 2 * 5, 20, 0},
    {"imagenet-composites.yaml", IMAGENET, 5, 6 * 5 * 20, 20, 0},
    {"imagenet-overparameterisation.yaml", IMAGENET, 5, 6 * 3 * 5, 20, 0},
    {"imagenet-references.yaml", IMAGENET, 5, 6 * 20 * 7, 20, 0},
    {"imagenet-search.yaml", IMAGENET, 5, 6 * 3 * 20, 20, 4 * 512 + 4 * 512},
    {"imagenet-vit.yaml", IMAGENET, 1, 2 * 6 * 20, 20, 0},
};

static const char *scratch_path(arena *a, const char *name)
{
    const char *path = arena_text(a, "%s/%s", scratch_folder(), name);
    assert_non_null(path);
    return path;
}

/* A list "c0007/3.png,c0007" of images that are not there. */
static const char *image_list(arena *a, const char *name, size_t classes, size_t each)
{
    const char *path = scratch_path(a, arena_text(a, "%s-%zu.csv", name, classes));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t c = 0; c < classes; c++) {
        for (size_t i = 0; i < each; i++) {
            (void)fprintf(f, "c%04zu/%zu.png,c%04zu\n", c, i, c);
        }
    }
    assert_int_equal(fclose(f), 0);
    return path;
}

static bool is_kept(const char *name)
{
    static const char *const names[] = {"arch", "num_heads", "image_size", "resize", "crop", "mean", "std"};
    size_t i = 0;
    while (i < COUNT(names) && strcmp(names[i], name) != 0) {
        i++;
    }
    return i < COUNT(names);
}

/* One of the digits networks with as many logits as are wanted. */
static const char *stand_in(arena *a, const char *digits, size_t classes)
{
    enum { MOST = 200, DIGITS = 10 };
    static float numbers[IMAGENET * 128];
    const char *folder = source_path(arena_text(a, "examples/digits/models/%s", digits));
    const char *from = arena_text(a, "%s/model.safetensors", folder), *json = arena_text(a, "%s/model.json", folder);
    const char *path = scratch_path(a, arena_text(a, "%s-%zu.safetensors", digits, classes));
    written_tensor list[MOST];
    fact facts[MOST], *described = NULL;
    file_bytes bytes, text;
    tensors *t = NULL;
    size_t n = 0, n_facts = 0, n_described = 0, replaced = 0;
    assert_ok(file_read(a, from, SIZE_MAX, &bytes));
    assert_ok(file_read(a, json, SIZE_MAX, &text));
    assert_ok(checkpoint_parse(a, from, bytes, &t));
    assert_ok(model_json_parse(a, json, text, &n_described, &described));
    assert_ok(facts_merge(a, 0, NULL, n_described, described, t));
    for (size_t i = 0; i < t->n; i++) {
        const tensor *one = &t->list[i];
        if (one->type != TENSOR_F32) {
            continue; /* num_batches_tracked */
        }
        assert_true(n < MOST);
        list[n] = (written_tensor){.name = one->name, .type = "F32", .rank = one->rank, .data = one->data};
        memcpy(list[n].dim, one->dim, sizeof one->dim);
        if (one->dim[0] == DIGITS) { /* the last layer: its weights, its bias */
            assert_true(one->rank == 1 || one->dim[1] * classes <= COUNT(numbers));
            list[n].dim[0] = classes;
            list[n].data = numbers;
            replaced++;
        }
        n++;
    }
    assert_int_equal(replaced, 2);
    for (size_t i = 0; i < t->n_facts; i++) {
        if (is_kept(t->facts[i].name)) {
            facts[n_facts++] = t->facts[i];
        }
    }
    assert_ok(safetensors_write(path, n_facts, facts, n, list, NULL, NULL));
    return path;
}

static const char *stand_in_of(arena *a, const char *model, size_t classes)
{
    return strncmp(model, "vgg", 3) == 0      ? stand_in(a, "digits_vgg_bn", classes)
           : strncmp(model, "resnet", 6) == 0 ? stand_in(a, "digits_resnet", classes)
                                              : stand_in(a, "digits_vit", classes);
}

static config *read_study(arena *a, const char *path, size_t n_sets, const char *const sets[])
{
    config *c = NULL;
    file_bytes text;
    assert_ok(file_read(a, path, (size_t)1 << 20, &text));
    assert_ok(config_parse(a, path, text, n_sets, sets, &c));
    return c;
}

static size_t replace_inputs(arena *a, const config *c, size_t classes, const char *sets[MOST_SETS])
{
    size_t n = 0;
    if (classes == 0) {
        return 0;
    }
    sets[n++] = arena_text(a, "data.reference=%s", scratch_folder());
    sets[n++] = arena_text(a, "data.evaluation=%s", scratch_folder());
    sets[n++] = arena_text(a, "data.reference_list=%s", image_list(a, "reference", classes, REFERENCES));
    sets[n++] = arena_text(a, "data.evaluation_list=%s", image_list(a, "evaluation", classes, EVALUATIONS));
    for (size_t i = 0; i < c->n_models; i++) {
        assert_true(n < MOST_SETS);
        sets[n++] = arena_text(a, "models[%zu].checkpoint=%s", i, stand_in_of(a, c->models[i].name, classes));
    }
    return n;
}

/* The counts that `pollard plan` prints. */
static void check_work(arena *a, const study *s, size_t cells, size_t rates)
{
    arena *scratch = NULL;
    stage_ctx ctx = {.comm = &world, .study = s, .arena = a};
    assert_ok(arena_open("scratch", &scratch));
    for (size_t i = 0; i < stage_count; i++) {
        stage_forecast f;
        assert_ok(stage_table[i]->forecast(&ctx, scratch, &f));
        if (strcmp(stage_table[i]->name, "attribute") == 0) {
            assert_true(f.passes > 0 && f.passes <= f.unshared && f.images == s->explained.n);
        } else if (strcmp(stage_table[i]->name, "evaluate") == 0) {
            assert_int_equal(f.masks, cells * rates);
            assert_true(f.distinct < f.masks && f.passes < f.unshared);
        }
    }
    arena_close(&scratch);
}

/* Of every network's search, on its own part of the images and its own seeds. */
static void check_search(arena *a, const study *s, size_t settings)
{
    size_t n = 0;
    assert_true(s->config->search.on == (settings > 0));
    for (size_t m = 0; settings > 0 && m < s->n_models; m++) {
        search_study t;
        arena *scratch = NULL;
        assert_ok(arena_open("scratch", &scratch));
        assert_ok(search_study_open(a, scratch, s, m, ALL_KINDS, &t));
        arena_close(&scratch);
        assert_int_equal(t.study.n_tasks, s->config->search.n_seeds);
        n += t.space.space.n_continuous > 0 ? s->config->search.trials : space_combinations(&t.space.space);
    }
    assert_int_equal(n, settings);
    if (settings > 0) { /* counts and memory of its rounds */
        search_forecast f;
        study extended;
        assert_ok(search_forecast_open(&world, a, s, &f, &extended));
        assert_true(f.n_parts >= s->n_models && f.n_tuned > 0 && f.trials > 0 && f.lists > 0);
        assert_int_equal(extended.config->n_criteria, s->config->n_criteria + f.n_tuned);
        for (size_t i = 0; i < f.n_parts; i++) {
            assert_true(f.part[i].macs > 0.0 && f.part[i].settings > 0.0);
        }
    }
}

static void check_study(size_t index)
{
    arena *a = NULL;
    plan p;
    const char *sets[MOST_SETS];
    assert_ok(arena_open("study", &a));
    const char *path = arena_text(a, "%s", source_path(arena_text(a, "configs/%s", studies[index].name)));
    const config *c = read_study(a, path, 0, NULL);
    const file_bytes resolved = {(const unsigned char *)c->resolved, strlen(c->resolved)};
    config *again = NULL;
    assert_ok(config_parse(a, path, resolved, 0, NULL, &again));
    assert_string_equal(again->resolved, c->resolved);
    assert_true(strncmp(c->name, studies[index].name, strlen(c->name)) == 0 && strcmp(studies[index].name + strlen(c->name), ".yaml") == 0);
    const size_t n_sets = replace_inputs(a, c, studies[index].classes, sets);
    assert_ok(plan_build(&world, a, path, n_sets, sets, &p));
    assert_int_equal(p.study.n_models, studies[index].n_models);
    assert_int_equal(p.study.n_cells, studies[index].cells);
    assert_int_equal(p.study.config->n_rates, studies[index].rates);
    check_work(a, &p.study, studies[index].cells, studies[index].rates);
    check_search(a, &p.study, studies[index].settings);
    arena_close(&a);
}

static void every_study_can_be_planned(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(studies); i++) {
        print_message("%s\n", studies[i].name);
        check_study(i);
    }
}

/* A study that nobody plans here, or that no page explains, would rot. */
static void every_study_is_known(void **state)
{
    (void)state;
    arena *a = NULL;
    file_bytes page;
    size_t n = 0;
    assert_ok(arena_open("test", &a));
    assert_ok(file_read(a, source_path("docs/studies.md"), (size_t)1 << 20, &page));
    const char *text = arena_text(a, "%.*s", (int)page.size, (const char *)page.data);
    DIR *d = opendir(source_path("configs"));
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        size_t i = 0;
        if (strstr(e->d_name, ".yaml") == NULL) {
            continue;
        }
        while (i < COUNT(studies) && strcmp(studies[i].name, e->d_name) != 0) {
            i++;
        }
        if (i == COUNT(studies) || strstr(text, arena_text(a, "`%s`", e->d_name)) == NULL) {
            fail_msg("configs/%s is not in the table of this test, or not in docs/studies.md", e->d_name);
        }
        n++;
    }
    assert_int_equal(n, COUNT(studies));
    assert_int_equal(closedir(d), 0);
    arena_close(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_study_can_be_planned),
        cmocka_unit_test(every_study_is_known),
    };
    launcher_prepare();
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
