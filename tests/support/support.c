#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

const char *source_path(const char *relative)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", POLLARD_SOURCE_DIR, relative);
    return path;
}

const char *shared_path(const char *relative)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/../shared/%s", POLLARD_SOURCE_DIR, relative);
    return access(path, R_OK) == 0 ? path : NULL;
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
    }
    return path;
}
