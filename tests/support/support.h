#ifndef SUPPORT_SUPPORT_H
#define SUPPORT_SUPPORT_H
/* What tests share. cmocka wants these headers first, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/status.h"

/* Fails the test with the recorded message unless st is OK. */
void assert_ok(status st);
/* Fails unless st has this code and its message contains every one of the texts; clears the trace. The list ends with NULL. */
void assert_fails(status st, status_code code, ...);

/* The larger of what was the worst so far and the next deviation; what is no number is the worst of all (fmax() would lose it). */
double worst_of(double worst, double off);

/* [n] in [-1, 1), the same for the same seed; in `a`. */
float *random_floats(arena *a, size_t n, uint64_t seed);

/* A path below the sources ("tests/golden/vit_tiny.h5"); static storage, valid until the next call. */
const char *source_path(const char *relative);
/* A path below the development folder, which is ../shared beside the repository or what the environment variable POLLARD_SHARED says
 * ("golden/vit_tiny.h5"); NULL where it is absent (then skip()). */
const char *shared_path(const char *relative);
/* A fresh empty folder for this test; made once a process; static storage. */
const char *scratch_folder(void);

#endif
