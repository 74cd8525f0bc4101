#ifndef SUPPORT_WITH_RANKS_H
#define SUPPORT_WITH_RANKS_H
/* A unit test of what needs a communicator: MPI around cmocka's main, and memory for each test. */
#include "support/support.h"

#include "parallel/comm.h"
#include "pipeline/launcher.h"

static comm world;
static arena *memory, *scratch;

static int open_memory(void **state)
{
    (void)state;
    status_clear();
    return status_ok(arena_open("test", &memory)) && status_ok(arena_open("scratch", &scratch)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&scratch);
    arena_close(&memory);
    return 0;
}

#define TEST_WITH_MEMORY(name_) cmocka_unit_test_setup_teardown(name_, open_memory, close_memory)
#define RETURN_RUN_WITH_RANKS(tests_, argc_, argv_)                                                                    \
    do {                                                                                                               \
        launcher_prepare();                                                                                            \
        if (!status_ok(comm_start(&(argc_), &(argv_), &world))) {                                                      \
            (void)fprintf(stderr, "%s\n", status_message());                                                           \
            return 1;                                                                                                  \
        }                                                                                                              \
        const int failed_ = cmocka_run_group_tests(tests_, NULL, NULL);                                                \
        comm_finish(&world);                                                                                           \
        return failed_;                                                                                                \
    } while (0)

#endif
