#ifndef STAGES_STOP_H
#define STAGES_STOP_H
/* When to stop before the end: on a signal, or because the time that the batch system gives is nearly over. Finished items are in the
 * journal then, and the same command goes on. */
#include <stdbool.h>

#include "core/status.h"

typedef struct stop {
    double end;     /* seconds of the epoch when the job is killed; 0: not known */
    double slowest; /* seconds of the slowest item of this rank so far */
    bool unheeded;  /* the next item is computed whatever the clock says: some progress with every start */
    long after;     /* stops after so many items of this rank, as if a signal had come: for `pollard verify`; < 0: never */
} stop;

/* From now on USR1, USR2, TERM, HUP and INT ask the program to stop; the same INT or TERM once more ends it at once. */
void stop_listen(void);
bool stop_asked(void); /* has a signal come? */
/* Local. limit_seconds from now, 0: what the batch system says (SLURM_JOB_END_TIME). */
void stop_open(double limit_seconds, stop *out);
/* Local, before an item: ST_STOPPED with the reason, where there is not twice the time of the slowest one left or a signal has come. */
MUST_CHECK status stop_check(stop *s);
/* Local, after an item. */
void stop_note(stop *s, double seconds);

#endif
