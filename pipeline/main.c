#include "core/log.h"
#include "parallel/comm.h"
#include "pipeline/commands/command.h"
#include "pipeline/launcher.h"

/* Without MPI: commands of one process, so that they work on a login node. */
static int run_alone(const cli *cl, status st, int argc, char **argv)
{
    log_start(0, cl->verbose ? LOG_DEBUG : LOG_INFO);
    if (status_ok(st)) {
        st = cl->command->run(NULL, cl, argc, argv);
    }
    if (status_ok(st) && fflush(stdout) != 0) {
        st = FAIL(ST_CANT_WRITE, "standard output cannot be written");
    }
    if (!status_ok(st)) {
        (void)fflush(stdout); /* what was printed before the error shall stand before it */
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
    (void)fflush(stdout); /* what was printed before an error shall stand before it */
    const int code = comm_report(&c, st, cl->verbose);
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
    const bool launched = launcher_seen().by != NULL;
    const status st = cli_parse(argc, argv, &cl);
    if (!needs_mpi(&cl, st, launched)) {
        return run_alone(&cl, st, argc, argv);
    }
    launcher_prepare();
    return run_parallel(&cl, st, argc, argv);
}
