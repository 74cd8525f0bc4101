#ifndef SUPPORT_BACKENDS_H
#define SUPPORT_BACKENDS_H
/* Numerics are tested on every backend of the build: a program runs all its tests on one after the other. */
#include "support/support.h"

#include "backend/backend.h"

const backend_def *test_backend(void); /* the one whose turn it is, started */
void test_backend_use(size_t index);

/* The backend whose kernels our own stand in for, started. Skips with a reason where there are none: without oneDNN, without AVX-512, and of other compilers
 * than gcc. */
const backend_def *own_kernels(void);

/* The last line of main(): `tests` is the array of the program. */
#define RETURN_RUN_ON_EVERY_BACKEND(tests, set_up, tear_down)                                                          \
    do {                                                                                                               \
        int failed_ = 0;                                                                                               \
        for (size_t backend_ = 0; backend_ < backend_count; backend_++) {                                              \
            test_backend_use(backend_);                                                                                \
            print_message("backend %s: %s\n", test_backend()->name, test_backend()->version());                        \
            failed_ += cmocka_run_group_tests_name(test_backend()->name, (tests), (set_up), (tear_down));              \
        }                                                                                                              \
        return failed_;                                                                                                \
    } while (0)

#endif
