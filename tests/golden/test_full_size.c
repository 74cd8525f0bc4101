/* Networks of the full sizes with random weights, from PyTorch's own file to logits, against PyTorch's logits: 1e-4 of the largest, for two
 * float32 runs. Skipped where PyTorch and torchvision are not installed; POLLARD_TORCH_PYTHON names the Python that has them,
 * POLLARD_FULL_SIZE other networks than these ("vgg19 vit_l_32"). */
#include "support/backends.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "nn/arch.h"
#include "nn/forward.h"

enum { BATCH = 2, NOT_INSTALLED = 77 };
static const double tolerance = 1e-4;
static const char standard[] = "vgg16_bn resnet50 vit_b_16 deit_tiny";

static const char *file_of(const char *name)
{
    static char path[5000];
    (void)snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    return path;
}

static void make(const char *network)
{
    char command[10000];
    const char *python = getenv("POLLARD_TORCH_PYTHON");
    (void)snprintf(command, sizeof command, "%s '%s' '%s' '%s' >&2", python != NULL ? python : "python3",
                   source_path("tests/golden/full_size.py"), network, scratch_folder());
    const int code = system(command); /* NOLINT(cert-env33-c): a test runs its own script */
    if (WIFEXITED(code) && (WEXITSTATUS(code) == NOT_INSTALLED || WEXITSTATUS(code) == 127)) {
        print_message("PyTorch and torchvision are not installed for %s\n", python != NULL ? python : "python3");
        exit(NOT_INSTALLED); /* cmocka's skip() alone would be a pass to CTest */
    }
    assert_int_equal(code, 0);
}

static const float *read_floats(arena *a, const char *name, size_t n)
{
    file_bytes bytes;
    assert_ok(file_read(a, file_of(name), SIZE_MAX, &bytes));
    assert_int_equal(bytes.size, n * sizeof(float));
    return (const float *)(const void *)bytes.data;
}

static const graph *build(arena *a)
{
    arena *scratch = NULL;
    file_bytes checkpoint;
    tensors *t = NULL;
    const graph *g = NULL;
    assert_ok(arena_open("scratch", &scratch));
    assert_ok(file_read(scratch, file_of("net.pth"), SIZE_MAX, &checkpoint));
    assert_ok(checkpoint_parse(scratch, "net.pth", checkpoint, &t));
    assert_ok(graph_build(a, t, &g));
    arena_close(&scratch);
    return g;
}

static void check(const char *network)
{
    arena *a = NULL;
    forward *f = NULL;
    make(network);
    assert_ok(arena_open("test", &a));
    const graph *g = build(a);
    assert_ok(forward_build(a, g, test_backend(), BATCH, KEEP_LOGITS, &f));
    forward_run(f, read_floats(a, "images.f32", BATCH * shape_count(g->input)), NULL);
    const float *expected = read_floats(a, "logits.f32", BATCH * g->n_classes), *found = forward_logits(f);
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < BATCH * g->n_classes; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        const double off = fabs((double)found[i] - (double)expected[i]);
        worst = worst_of(worst, off);
    }
    print_message("%s: largest difference %.2g of %.3g\n", network, worst, largest);
    assert_true(largest > 0.0 && worst <= tolerance * largest);
    (void)unlink(file_of("net.pth"));
    arena_close(&a);
}

static void logits_are_those_of_pytorch(void **state)
{
    (void)state;
    const char *wanted = getenv("POLLARD_FULL_SIZE");
    char names[1000];
    (void)snprintf(names, sizeof names, "%s", wanted != NULL ? wanted : standard);
    for (char *rest = NULL, *name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        check(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_are_those_of_pytorch)};
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
