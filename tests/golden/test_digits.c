/* The embedded example from file to logits, against the logits that PyTorch computed from the same files (digits_logits.h5, float32). */
#include "support/backends.h"
#include "support/classify.h"

#include <stdio.h>

static void check(const char *name, size_t correct)
{
    char checkpoint[512], json[512], images[512], relative[128];
    golden *g = golden_open("digits_logits.h5");
    const golden_array expected = golden_read(g, "%s/logits", name);
    (void)snprintf(relative, sizeof relative, "examples/digits/models/%s/model.safetensors", name);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s", source_path(relative));
    (void)snprintf(relative, sizeof relative, "examples/digits/models/%s/model.json", name);
    (void)snprintf(json, sizeof json, "%s", source_path(relative));
    (void)snprintf(images, sizeof images, "%s", source_path("examples/digits/data/val"));
    classify_check(&(classify_case){checkpoint, json, images, correct}, &expected);
    golden_close(&g);
}

static void digits_vgg_bn(void **state)
{
    (void)state;
    check("digits_vgg_bn", 719);
}

static void digits_resnet(void **state)
{
    (void)state;
    check("digits_resnet", 715);
}

static void digits_vit(void **state)
{
    (void)state;
    check("digits_vit", 710);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_vgg_bn),
        cmocka_unit_test(digits_resnet),
        cmocka_unit_test(digits_vit),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
