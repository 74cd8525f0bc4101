/* Slurm's own programs: asked, and given jobs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "pipeline/provenance.h"
#include "pipeline/submit_parts.h"

/* "64+ 256000": at least 64 processors, MiB */
static void keep_least(const char *text, slurm_node *out)
{
    char *end;
    const size_t cpus = (size_t)strtoull(text, &end, 10);
    end += *end == '+';
    const double bytes = 1048576.0 * strtod(end, NULL);
    out->cpus = out->cpus == 0 || (cpus > 0 && cpus < out->cpus) ? cpus : out->cpus;
    out->bytes = out->bytes == 0.0 || (bytes > 0.0 && bytes < out->bytes) ? bytes : out->bytes;
}

/* sinfo tells of all partitions unless it is given one, and marks the default one's name: "cpu* 64+ 256000". */
void submit_slurm_nodes(const char *partition, slurm_node *out)
{
    char command[512], line[512];
    *out = (slurm_node){0, 0.0};
    (void)snprintf(command, sizeof command, "sinfo -h -o '%%P %%c %%m'%s%s 2>/dev/null </dev/null", partition == NULL ? "" : " -p ",
                   partition == NULL ? "" : partition); /* of plain characters: checked */
    FILE *answer = popen(command, "r");
    while (answer != NULL && fgets(line, sizeof line, answer) != NULL) {
        const size_t name = strcspn(line, " ");
        if (partition != NULL || (name > 0 && line[name - 1] == '*')) {
            keep_least(line + name, out);
        }
    }
    if (answer != NULL) {
        (void)pclose(answer);
    }
}

status submit_sbatch(arena *a, const char *options, const char *script, char id[64])
{
    char line[256] = "";
    const char *quoted = provenance_word(a, script);
    const char *command = quoted == NULL ? NULL : arena_text(a, "sbatch --parsable %s %s </dev/null", options, quoted);
    if (command == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    (void)fflush(stdout);
    FILE *answer = popen(command, "r");
    if (answer == NULL) {
        return FAIL(ST_ENVIRONMENT, "sbatch cannot be started: %s", strerror(errno));
    }
    const bool read = fgets(line, sizeof line, answer) != NULL;
    const int ended = pclose(answer);
    line[strcspn(line, "\n;")] = '\0'; /* "17;cluster" */
    if (!read || ended != 0 || line[0] == '\0' || strlen(line) >= 64 || line[strspn(line, "0123456789")] != '\0') {
        return FAIL(ST_ENVIRONMENT, "sbatch has not taken %s (exit code %d, it printed '%.60s'); its own message says why. The script is complete: submit "
                                    "it by hand, or change it",
                    script, WIFEXITED(ended) ? WEXITSTATUS(ended) : -1, line);
    }
    memcpy(id, line, strlen(line) + 1);
    return STATUS_OK;
}
