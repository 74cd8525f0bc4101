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
