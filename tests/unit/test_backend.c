/* What a backend says when it cannot start; what it computes is in test_ops.c. */
#include "support/support.h"

#include <string.h>
#include <sys/resource.h>

#include "backend/backend.h"
#include "backend/blas.h"

static const backend_def *find(const char *name)
{
    for (size_t i = 0; i < backend_count; i++) {
        if (strcmp(backend_table[i]->name, name) == 0) {
            return backend_table[i];
        }
    }
    fail_msg("no backend '%s'", name);
    return NULL;
}

/* OpenBLAS itself would look for memory for ever. */
static void openblas_needs_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* AddressSanitizer needs the address space that is taken away here */
#endif
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 64 << 20;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    const status st = find("openblas")->start();
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    assert_fails(st, ST_ENVIRONMENT, "out of memory", "OpenBLAS needs", NULL);
}

static void every_backend_starts_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < backend_count; i++) {
        assert_ok(backend_table[i]->start());
        assert_ok(backend_table[i]->start());
    }
}

extern void openblas_set_num_threads(int n);

/* Whichever backend a study takes: matrices in double go to OpenBLAS (cholesky.h, dense.h), which counts on it. */
static void every_backend_fixes_the_threads_of_openblas(void **state)
{
    (void)state;
    for (size_t i = 0; i < backend_count; i++) {
        openblas_set_num_threads(2);
        assert_ok(backend_table[i]->start());
        assert_int_equal(blas_threads(), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openblas_needs_memory),
        cmocka_unit_test(every_backend_starts_twice),
        cmocka_unit_test(every_backend_fixes_the_threads_of_openblas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
