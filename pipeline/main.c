#include "core/log.h"
#include "pipeline/inspect.h"
#include "pipeline/provenance.h"
#include "pipeline/run.h"

static status print_version(void)
{
    arena *a = NULL;
    TRY(arena_open("version", &a));
    const char *text = provenance_version(a);
    if (text != NULL) {
        (void)printf("%s\n", text);
    }
    arena_close(&a);
    return text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

/* Commands of one process: no MPI, so that they work on a login node. */
static int run_alone(const cli *cl)
{
    status st = STATUS_OK;
    log_start(0, cl->verbose ? LOG_DEBUG : LOG_INFO);
    if (cl->command == CLI_HELP) {
        cli_print_help(stdout, cl->topic);
    } else if (cl->command == CLI_VERSION) {
        st = print_version();
    } else {
        st = inspect_file(cl->file, stdout);
    }
    if (status_ok(st) && fflush(stdout) != 0) {
        st = FAIL(ST_CANT_WRITE, "standard output cannot be written");
    }
    if (!status_ok(st)) {
        (void)fprintf(stderr, "pollard: error: %s\n", status_message());
        if (cl->verbose || st.code == ST_BUG) {
            status_print_trace(stderr);
        }
    }
    return st.code;
}

/* Everything else, and a wrong command line, so that many ranks complain once. */
static int run_parallel(const cli *cl, status st, int argc, char **argv)
{
    comm c;
    const status started = comm_start(&argc, &argv, &c);
    if (!status_ok(started)) {
        (void)fprintf(stderr, "pollard: error: %s\n", status_message());
        comm_finish(&c);
        return started.code;
    }
    log_start(c.rank, cl->verbose ? LOG_DEBUG : LOG_INFO);
    if (status_ok(st)) {
        st = run_study(&c, cl, argc, argv);
    }
    const int code = comm_report(&c, st, cl->verbose);
    comm_finish(&c);
    return code;
}

int main(int argc, char **argv)
{
    cli cl;
    const status st = cli_parse(argc, argv, &cl);
    return status_ok(st) && cl.command != CLI_RUN ? run_alone(&cl) : run_parallel(&cl, st, argc, argv);
}
