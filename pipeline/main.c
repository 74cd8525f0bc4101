#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "parallel/comm.h"
#include "pipeline/commands/command.h"
#include "pipeline/launcher.h"

/* A process that is started with a stream closed would give its number to the next file that it opens, and whatever a library prints would go into a
 * result, a journal or MPI's own pipes. What is written to the standard output still fails, as it should; nobody waits for messages. */
static void hold_streams(void)
{
    static const int how[] = {[STDIN_FILENO] = O_RDONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) { /* in order: a new file gets the lowest number that is free */
        if (fcntl(fd, F_GETFD) == -1) {
            (void)open("/dev/null", how[fd]);
        }
    }
}

/* What a command has printed is part of what it does. The first of the two alone does not tell of what was lost before. */
static status check_output(status st)
{
    const bool lost = fflush(stdout) != 0 || ferror(stdout) != 0; /* also before an error: it shall stand before it */
    return status_ok(st) && lost ? FAIL(ST_CANT_WRITE, "standard output cannot be written") : st;
}

/* Without MPI: commands of one process, so that they work on a login node. */
static int run_alone(const cli *cl, status st, int argc, char **argv)
{
    log_start(0, cl->verbose ? LOG_DEBUG : LOG_INFO);
    if (status_ok(st)) {
        st = cl->command->run(NULL, cl, argc, argv);
    }
    st = check_output(st);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "pollard: %s%s\n", st.code == ST_STOPPED ? "" : "error: ", status_message()); /* to stop is no mistake */
        if (cl->verbose || st.code == ST_BUG) {
            status_print_trace(stderr);
        }
    }
    return st.code;
}

static int run_parallel(const cli *cl, status st, int argc, char **argv)
{
    comm c;
    const status started = comm_start(&argc, &argv, &c);
    if (!status_ok(started) && c.mpi == MPI_COMM_NULL) {
        (void)fprintf(stderr, "pollard: error: %s\n", status_message());
        comm_finish(&c);
        return started.code;
    }
    log_start(c.rank, cl->verbose ? LOG_DEBUG : LOG_INFO);
    st = status_ok(started) ? st : started;
    if (status_ok(st)) {
        st = cl->command->run(&c, cl, argc, argv);
    }
    const int code = comm_report(&c, check_output(st), cl->verbose);
    comm_finish(&c);
    return code;
}

/* A wrong command line needs MPI only so that many ranks complain once. */
static bool needs_mpi(const cli *cl, status st, bool launched)
{
    return !status_ok(st) || cl->command->ranks == RANKS_ANY ? launched : cl->command->ranks == RANKS_ALL;
}

int main(int argc, char **argv)
{
    cli cl;
    hold_streams();
    const bool launched = launcher_seen().by != NULL;
    const status st = cli_parse(argc, argv, &cl);
    if (!needs_mpi(&cl, st, launched)) {
        return run_alone(&cl, st, argc, argv);
    }
    launcher_prepare();
    return run_parallel(&cl, st, argc, argv);
}
