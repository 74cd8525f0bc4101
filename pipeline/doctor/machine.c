#include "pipeline/doctor/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/status.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 8192 };

/* The first line that begins with `key`: what stands behind it and behind blanks and a colon. */
static bool find_line(const char *path, const char *key, char line[LINE_BYTES], const char **value)
{
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f != NULL && !found && fgets(line, LINE_BYTES, f) != NULL) {
        const size_t n = strlen(key);
        found = strncmp(line, key, n) == 0 && (n == 0 || strchr(" \t:", line[n]) != NULL);
        line[strcspn(line, "\n")] = '\0';
        *value = line + n + strspn(line + n, " \t:");
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return found;
}

static void set_bit(unsigned char mask[MACHINE_CPUS / 8], unsigned long i)
{
    if (i < MACHINE_CPUS) {
        mask[i / 8] = (unsigned char)(mask[i / 8] | 1u << i % 8);
    }
}

/* The first of the processors that share a core with this one; itself where nothing is known. */
static unsigned long first_sibling(const char *root, unsigned long cpu)
{
    char path[PATH_BYTES], line[LINE_BYTES], *end;
    const char *value = "";
    (void)snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%lu/topology/thread_siblings_list", root, cpu);
    if (!find_line(path, "", line, &value)) {
        return cpu;
    }
    const unsigned long first = strtoul(value, &end, 10);
    return end == value ? cpu : first;
}

/* "0-3,8" */
static void read_cpu_list(const char *root, const char *text, machine *out)
{
    while (*text >= '0' && *text <= '9') {
        char *end;
        const unsigned long from = strtoul(text, &end, 10);
        const unsigned long to = *end == '-' ? strtoul(end + 1, &end, 10) : from;
        for (unsigned long i = from; i <= to && i < MACHINE_CPUS; i++) {
            set_bit(out->cpu, i);
            set_bit(out->core, first_sibling(root, i));
        }
        text = *end == ',' ? end + 1 : end;
    }
}

size_t machine_count(size_t n, const unsigned char mask[])
{
    size_t bits = 0;
    for (size_t i = 0; i < 8 * n; i++) {
        bits += (unsigned int)mask[i / 8] >> i % 8 & 1u;
    }
    return bits;
}

static bool has_word(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + n, word)) {
        if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void read_processor(const char *root, machine *out)
{
    static const struct {
        const char *flag, *name;
    } sets[] = {{"avx512f", "AVX-512"},    {"avx2", "AVX2"}, {"avx", "AVX"},
                {"sse4_2", "SSE4.2"},      {"sse2", "SSE2"}, {"sve", "SVE"},
                {"asimd", "Advanced SIMD"}};
    char path[PATH_BYTES], line[LINE_BYTES];
    const char *value = "";
    (void)snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    if (find_line(path, "model name", line, &value) || find_line(path, "CPU part", line, &value) ||
        find_line(path, "cpu", line, &value)) {
        (void)snprintf(out->model, sizeof out->model, "%.*s", (int)sizeof out->model - 1, value);
    }
    if (find_line(path, "flags", line, &value) || find_line(path, "Features", line, &value)) {
        for (size_t i = COUNT(sets); i-- > 0;) {
            if (has_word(value, sets[i].flag)) {
                (void)snprintf(out->instructions, sizeof out->instructions, "%s", sets[i].name);
            }
        }
    }
}

/* Calls read(folder, out) for the control group of this process in one hierarchy and for all groups that contain it. */
static void walk_up(const char *mount, const char *group, void (*read)(const char *folder, machine *out), machine *out)
{
    char folder[PATH_BYTES];
    const size_t base = strlen(mount);
    const int n = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof folder) {
        return;
    }
    for (;;) {
        read(folder, out);
        char *slash = strrchr(folder + base, '/');
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
}

/* Lines "7:memory,cpu:/group" (version 1, one folder a controller) and "0::/group" (version 2). */
static void each_group(const char *root, const char *controller, void (*read)(const char *folder, machine *out),
                       machine *out)
{
    char path[PATH_BYTES], line[PATH_BYTES / 2], mount[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *group = names == NULL ? NULL : strchr(names + 1, ':');
        if (group == NULL) {
            continue;
        }
        *group++ = '\0';
        names++;
        const bool second = names[0] == '\0';
        const int n = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, second ? "" : "/", names);
        for (char *comma = names; (comma = strchr(comma, ',')) != NULL; *comma = ' ') {
        }
        if (n > 0 && (size_t)n < sizeof mount && (second || has_word(names, controller))) {
            walk_up(mount, group, read, out);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

/* A number from a file of its own, or behind a key in a file of many; negative where there is none ("max"). */
static double number(const char *folder, const char *file, const char *key)
{
    char path[PATH_BYTES], line[LINE_BYTES], *end;
    const char *value = "";
    const int n = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (n < 0 || (size_t)n >= sizeof path || !find_line(path, key, line, &value)) {
        return -1.0;
    }
    const double x = strtod(value, &end);
    return end == value ? -1.0 : x;
}

static void keep_quota(double quota, double period, machine *out)
{
    if (quota > 0.0 && period > 0.0 && (out->quota == 0.0 || quota / period < out->quota)) {
        out->quota = quota / period;
    }
}

static void read_quota(const char *folder, machine *out)
{
    char path[PATH_BYTES], line[LINE_BYTES], *end;
    const char *value = "";
    keep_quota(number(folder, "cpu.cfs_quota_us", ""), number(folder, "cpu.cfs_period_us", ""), out);
    const int n = snprintf(path, sizeof path, "%s/cpu.max", folder); /* "200000 100000" or "max 100000" */
    if (n > 0 && (size_t)n < sizeof path && find_line(path, "", line, &value)) {
        const double quota = strtod(value, &end);
        keep_quota(quota, strtod(end, NULL), out);
    }
}

static void keep_memory(double bytes, const char *from, machine *out)
{
    if (bytes >= 0.0 && (out->memory_from == NULL || bytes < out->memory)) {
        out->memory = bytes;
        out->memory_from = from;
    }
}

/* What is cached of files gives way when memory is needed. */
static void read_group_memory(const char *folder, machine *out)
{
    const double most = number(folder, "memory.max", ""), used = number(folder, "memory.current", "");
    const double most1 = number(folder, "memory.limit_in_bytes", ""),
                 used1 = number(folder, "memory.usage_in_bytes", "");
    const double cached = number(folder, "memory.stat", "inactive_file");
    const double give = cached > 0.0 ? cached : 0.0;
    if (most >= 0.0 && used >= 0.0) {
        const double left = most - used + give;
        keep_memory(left > 0.0 ? left : 0.0, "the control group's memory.max", out);
    }
    if (most1 >= 0.0 && used1 >= 0.0) { /* without a limit it is a number near 2^63 */
        const double left = most1 - used1 + give;
        keep_memory(left > 0.0 ? left : 0.0, "the control group's memory limit", out);
    }
}

static void read_limits(machine *out)
{
    static const int kinds[] = {RLIMIT_AS, RLIMIT_DATA};
    struct rlimit limit;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (getrlimit(kinds[i], &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
            (out->own_memory == 0.0 || (double)limit.rlim_cur < out->own_memory)) {
            out->own_memory = (double)limit.rlim_cur;
        }
    }
}

void machine_read(const char *root, machine *out)
{
    char path[PATH_BYTES], line[LINE_BYTES], proc[PATH_BYTES];
    const char *value = "";
    *out = (machine){.model = "unknown", .instructions = "unknown"};
    (void)snprintf(path, sizeof path, "%s/proc/self/status", root);
    if (find_line(path, "Cpus_allowed_list", line, &value)) {
        read_cpu_list(root, value, out);
    }
    read_processor(root, out);
    each_group(root, "cpu", read_quota, out);
    (void)snprintf(proc, sizeof proc, "%s/proc", root);
    const double kilobytes = number(proc, "meminfo", "MemAvailable");
    keep_memory(kilobytes < 0.0 ? -1.0 : 1024.0 * kilobytes, "free memory of the host", out);
    each_group(root, "memory", read_group_memory, out);
    read_limits(out);
}
