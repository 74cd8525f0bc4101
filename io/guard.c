#include "io/guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* What the child tells before it leaves. */
typedef struct verdict {
    status_code code;
    char message[2048];
} verdict;

#ifdef __SANITIZE_ADDRESS__
enum { NOT_OURS = 3 };

/* Mistakes of the library are its business and the file's damage. Ours must not pass for damage: the innermost frame that is ours or the
 * library's decides; this folder's sources are in every stack. */
static void judge_report(const char *report)
{
    const char *theirs = strstr(report, "libhdf5"), *ours = strstr(report, "/io/");
    if (theirs != NULL && (ours == NULL || theirs < ours)) {
        _exit(NOT_OURS);
    }
}
#endif

/* Did a sanitizer end the child for a mistake of ours? Its report is on stderr. */
static bool is_our_mistake(bool spoke, int result)
{
#ifdef __SANITIZE_ADDRESS__
    return !spoke && WIFEXITED(result) && WEXITSTATUS(result) != 0 && WEXITSTATUS(result) != NOT_OURS;
#else
    (void)spoke;
    (void)result;
    return false;
#endif
}

static void child_main(int to, unsigned int seconds, status (*work)(void *context), void *context)
{
    verdict v;
    memset(&v, 0, sizeof v);
#ifdef __SANITIZE_ADDRESS__
    __asan_set_error_report_callback(judge_report);
#endif
    (void)signal(SIGALRM, SIG_DFL);
#ifndef __SANITIZE_ADDRESS__ /* handlers of others (of MPI, of tests) belong to the parent */
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGFPE, SIG_DFL);
    (void)signal(SIGILL, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
#endif
    (void)alarm(seconds);
    v.code = work(context).code;
    (void)snprintf(v.message, sizeof v.message, "%s", status_message());
    (void)fflush(NULL);
    _exit(write(to, &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
}

static bool read_verdict(int from, verdict *v)
{
    unsigned char *p = (unsigned char *)v;
    size_t done = 0;
    while (done < sizeof *v) {
        const ssize_t n = read(from, p + done, sizeof *v - done);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        done += n < 0 ? 0 : (size_t)n;
    }
    v->message[sizeof v->message - 1] = '\0';
    return true;
}

static status conclude(const char *path, unsigned int seconds, bool spoke, const verdict *v, int result)
{
    if (spoke && WIFEXITED(result) && WEXITSTATUS(result) == 0) {
        return v->code == ST_OK ? STATUS_OK : FAIL(v->code, "%s", v->message);
    }
    if (WIFSIGNALED(result) && WTERMSIG(result) == SIGALRM) {
        return FAIL(ST_DATA, "%s: reading took more than %u s; " FILE_DAMAGED, path, seconds);
    }
    if (WIFSIGNALED(result) && WTERMSIG(result) == SIGPIPE) {
        (void)raise(SIGPIPE); /* the reader of what the child printed has left: end as quietly as without a child */
        return FAIL(ST_CANT_WRITE, "%s: nobody reads what is printed of it", path);
    }
    if (is_our_mistake(spoke, result)) {
        return FAIL(ST_BUG, "%s: a sanitizer ended the reading of it; its report is above", path);
    }
    return FAIL(ST_DATA, "%s: the library that reads it crashed; " FILE_DAMAGED, path);
}

status guard_run(const char *path, unsigned int seconds, status (*work)(void *context), void *context)
{
    int pipe_ends[2], result = 0;
    verdict v;
    if (pipe(pipe_ends) != 0) {
        return FAIL(ST_ENVIRONMENT, "%s: no pipe to read it through: %s", path, strerror(errno));
    }
    (void)fflush(NULL); /* else the child would write what is waiting once more */
    const pid_t child = fork();
    if (child == 0) {
        (void)close(pipe_ends[0]);
        child_main(pipe_ends[1], seconds, work, context);
    }
    (void)close(pipe_ends[1]);
    const bool spoke = child > 0 && read_verdict(pipe_ends[0], &v);
    (void)close(pipe_ends[0]);
    if (child < 0) {
        return FAIL(ST_ENVIRONMENT, "%s: no process to read it in: %s", path, strerror(errno));
    }
    while (waitpid(child, &result, 0) < 0 && errno == EINTR) {
    }
    return conclude(path, seconds, spoke, &v, result);
}
