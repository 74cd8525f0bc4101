/* Networks for CIFAR-10 from file to logits, against the logits that PyTorch computed from the same files: the published ResNet-20 from its
 * legacy .th file and from safetensors, and a vision transformer. Model and images lie beside the repository; their licences keep them out. */
#include "support/backends.h"
#include "support/classify.h"

#include <stdio.h>

static void check(const char *name, const char *file, size_t correct)
{
    char checkpoint[512], json[512], images[512], relative[128];
    (void)snprintf(relative, sizeof relative, "models/%s/%s", name, file);
    if (shared_path(relative) == NULL || shared_path("data/cifar10/val") == NULL ||
        shared_path("models/reference_logits.h5") == NULL) {
        print_message("models and images of CIFAR-10 are not beside the repository\n");
        skip();
    }
    (void)snprintf(checkpoint, sizeof checkpoint, "%s", shared_path(relative));
    (void)snprintf(relative, sizeof relative, "models/%s/model.json", name);
    (void)snprintf(json, sizeof json, "%s", shared_path(relative));
    (void)snprintf(images, sizeof images, "%s", shared_path("data/cifar10/val"));
    golden *g = golden_open(shared_path("models/reference_logits.h5"));
    const golden_array expected = golden_read(g, "%s/logits", name);
    classify_check(&(classify_case){checkpoint, json, images, correct}, &expected);
    golden_close(&g);
}

static void resnet20_legacy(void **state)
{
    (void)state;
    check("resnet20_cifar10", "resnet20-12fca82f.th", 1627);
}

static void resnet20_safetensors(void **state)
{
    (void)state;
    check("resnet20_cifar10", "model.safetensors", 1627);
}

static void vit_safetensors(void **state)
{
    (void)state;
    check("vit_cifar10", "model.safetensors", 1589);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet20_legacy),
        cmocka_unit_test(resnet20_safetensors),
        cmocka_unit_test(vit_safetensors),
    };
    if (shared_path("models/reference_logits.h5") == NULL) { /* cmocka's skip() alone would be a pass to CTest */
        print_message("skipped: models and images of CIFAR-10 are not beside the repository\n");
        return 77;
    }
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
