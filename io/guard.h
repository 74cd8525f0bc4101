#ifndef IO_GUARD_H
#define IO_GUARD_H
/* Reading with a library that damaged files can crash. */
#include "core/status.h"

/* How messages about a damaged file end. */
#define FILE_DAMAGED "the file is damaged or not of Pollard; copy it again or repeat the study"

/* Runs work(context) in a child process and returns its status with its message. A child that crashes, or takes longer than `seconds`, is
 * ST_DATA naming `path`; one that a sanitizer ends for a mistake of ours is ST_BUG; SIGPIPE in the child ends this process in the same way. Only what the child writes to files comes through; its changes of memory are lost. */
MUST_CHECK status guard_run(const char *path, unsigned int seconds, status (*work)(void *context), void *context);

#endif
