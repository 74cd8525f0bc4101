#include "support/support.h"

#include "pipeline/model.h"

/* Does a model that names its classes `names` accept folders a, "b, c" and d\e? */
static status check(const char *names, size_t n_classes)
{
    static const char *const folders[] = {"a", "b, c", "d\\e"};
    const graph g = {.n_classes = n_classes};
    const config_model cm = {.name = "net", .checkpoint = "net.safetensors"};
    const study_model m = {.config = &cm, .graph = &g, .class_names = names};
    const dataset d = {.root = "data", .n_classes = COUNT(folders), .class_name = folders};
    return model_check_classes(&m, &d);
}

static void classes_must_be_the_models(void **state)
{
    (void)state;
    assert_ok(check("a,b\\, c,d\\\\e", 3));
    assert_ok(check(NULL, 3));
    assert_fails(check(NULL, 4), ST_DATA, "data", "expected 4 class folders", "found 3", NULL);
    assert_fails(check("a,b,c,d\\\\e", 3), ST_DATA, "class 1", "'b, c'", NULL);
    assert_fails(check("a", 3), ST_DATA, "class 1", NULL);
    assert_fails(check("a,b\\, c,d\\\\ef", 3), ST_DATA, "class 2", NULL);
    assert_fails(check("a,b\\, c,d", 3), ST_DATA, "class 2", NULL);
    assert_fails(check("", 3), ST_DATA, "class 0", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_must_be_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
