#include "support/backends.h"

#include <stdlib.h>

static size_t current;

const backend_def *test_backend(void)
{
    return backend_table[current];
}

void test_backend_use(size_t index)
{
    current = index;
    if (!status_ok(test_backend()->start())) { /* outside of a test */
        print_error("%s: %s\n", test_backend()->name, status_message());
        exit(1);
    }
}

const backend_def *own_kernels(void)
{
    const backend_def *b = backend_find("onednn");
    if (b == NULL) {
        print_message("skipped: built without oneDNN\n");
        skip();
    }
#if !defined(__x86_64__) || defined(__clang__)
    print_message("skipped: not of this compiler\n");
    skip();
#endif
    assert_ok(b->start());
    if (b->block() != MAX_BLOCK) {
        print_message("skipped: no AVX-512 here\n");
        skip();
    }
    return b;
}
