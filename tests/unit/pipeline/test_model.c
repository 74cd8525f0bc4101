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
    assert_fails(check("b\\, c,a,d\\\\e", 3), ST_DATA, "folder 'a' is class 0 by its place and class 1", NULL);
    assert_fails(check("a,x,b\\, c,d\\\\e", 3), ST_DATA, "folder 'b, c' is class 1 by its place and class 2", NULL);
    assert_ok(check("tench,goldfish,shark", 3)); /* other words for the same classes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_must_be_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
