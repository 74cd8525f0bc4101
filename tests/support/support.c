#include "support/support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/rng.h"

void assert_ok(status st)
{
    if (!status_ok(st)) {
        print_error("unexpected status %d: %s\n", (int)st.code, status_message());
        status_print_trace(stderr);
        fail();
    }
}

void assert_fails(status st, status_code code, ...)
{
    char message[2048];
    (void)snprintf(message, sizeof message, "%s", status_message());
    status_clear();
    if (st.code != code) {
        fail_msg("expected status %d, got %d: %s", (int)code, (int)st.code, message);
    }
    va_list args;
    va_start(args, code);
    for (const char *part = va_arg(args, const char *); part != NULL; part = va_arg(args, const char *)) {
        if (strstr(message, part) == NULL) {
            va_end(args);
            fail_msg("the message should contain '%s': %s", part, message);
        }
    }
    va_end(args);
}

float *random_floats(arena *a, size_t n, uint64_t seed)
{
    float *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(2.0 * rng_uniform(seed, RNG_TEST, 0, (uint32_t)i) - 1.0);
    }
    return x;
}

double worst_of(double worst, double off)
{
    return off > worst || isnan(off) ? off : worst;
}

const char *source_path(const char *relative)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", POLLARD_SOURCE_DIR, relative);
    return path;
}

const char *shared_path(const char *relative)
{
    static char path[4096];
    const char *folder = getenv("POLLARD_SHARED");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : POLLARD_SOURCE_DIR "/../shared", relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

static pid_t scratch_owner;

static void remove_tree(const char *path)
{
    char child[4096];
    DIR *folder = opendir(path);
    for (struct dirent *e = NULL; folder != NULL && (e = readdir(folder)) != NULL;) {
        const int n = snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && n > 0 && (size_t)n < sizeof child &&
            unlink(child) != 0) {
            (void)chmod(child, S_IRWXU);
            remove_tree(child);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

static void remove_scratch(void)
{
    if (getpid() == scratch_owner) { /* not a child that a test made */
        remove_tree(scratch_folder());
    }
}

const char *scratch_folder(void)
{
    static char path[4096];
    if (path[0] == '\0') {
        const char *base = getenv("TMPDIR");
        (void)snprintf(path, sizeof path, "%s/pollard-test-XXXXXX", base != NULL ? base : "/tmp");
        if (mkdtemp(path) == NULL) {
            fail_msg("cannot make a scratch folder %s", path);
        }
        scratch_owner = getpid();
        (void)atexit(remove_scratch);
    }
    return path;
}
