#ifndef PIPELINE_DOCTOR_MACHINE_H
#define PIPELINE_DOCTOR_MACHINE_H
/* What Linux says about the processor, cores and memory that this process may use. Without its /proc all is unknown. */
#include <stdbool.h>
#include <stddef.h>

enum { MACHINE_CPUS = 4096 };

typedef struct machine {
    unsigned char
        cpu[MACHINE_CPUS / 8]; /* a bit per processor (hardware thread) that this process may run on; none: unknown */
    unsigned char core[MACHINE_CPUS / 8]; /* of those that share a core, the first */
    double quota;                         /* processors' worth of time that its control group gets; 0: no limit */
    char model[96], instructions[32];     /* "unknown" where they are */
    double memory;           /* bytes that are free for all processes of the host or control group together */
    const char *memory_from; /* what says so; NULL: unknown */
    double own_memory;       /* bytes that this process alone may have; 0: no limit */
} machine;

/* `root` stands before /proc and /sys: "" but in tests. */
void machine_read(const char *root, machine *out);

size_t machine_count(size_t n, const unsigned char mask[]); /* bits that are set in n bytes */

#endif
