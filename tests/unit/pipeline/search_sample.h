#ifndef TESTS_UNIT_PIPELINE_SEARCH_SAMPLE_H
#define TESTS_UNIT_PIPELINE_SEARCH_SAMPLE_H
/* A study of the three digits networks with a search, planned, for the tests of pipeline/search_*.h. */
#include "support/with_ranks.h"

#include <string.h>

#include "pipeline/search_study.h"

enum { MODELS = 3, VIT = 2 };

static const char *const networks[MODELS] = {"digits_vgg_bn", "digits_resnet", "digits_vit"};

/* The three digits networks; `tasks` and `search` as YAML, between braces. */
static const plan *open_plan(const char *tasks, const char *search)
{
    plan *p = arena_alloc(memory, 1, sizeof *p);
    const char *path = arena_text(memory, "%s/study.yaml", scratch_folder());
    assert_true(p != NULL && path != NULL);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "study: test\ndata: {reference: %s", source_path("examples/digits/data/train"));
    (void)fprintf(f, ", evaluation: %s}\nmodels:\n", source_path("examples/digits/data/val"));
    for (size_t i = 0; i < MODELS; i++) {
        (void)fprintf(f, "  - {name: %s, checkpoint: %s}\n", networks[i], source_path(arena_text(memory, "examples/digits/models/%s/model.safetensors", networks[i])));
    }
    (void)fprintf(f, "criteria:\n  - {name: random, method: random}\ntasks: {%s}\nsearch: {%s}\n", tasks, search);
    assert_int_equal(fclose(f), 0);
    assert_ok(plan_build(&world, memory, path, 0, NULL, p));
    return p;
}

static const char tasks[] = "classes: [3], seeds: 2, references: [3]";

#endif
