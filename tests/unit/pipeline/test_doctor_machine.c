/* What `pollard doctor` reads of Linux, from a made-up /proc and /sys. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/doctor/check.h"
#include "pipeline/doctor/mounts.h"

static char root[4096];
static size_t n_roots;

/* A folder of its own for every test. */
static int new_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "%s/%zu", scratch_folder(), n_roots++);
    return mkdir(root, 0777);
}

static void put(const char *name, const char *text)
{
    char path[8192];
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';
        (void)mkdir(path, 0777);
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static const double GIB = 1024.0 * 1024.0 * 1024.0;

static void without_proc_all_is_unknown(void **state)
{
    (void)state;
    machine m;
    char kind[16];
    machine_read(root, &m);
    mounts_kind(root, "/data", sizeof kind, kind);
    assert_int_equal(machine_count(sizeof m.cpu, m.cpu), 0);
    assert_string_equal(m.model, "unknown");
    assert_string_equal(m.instructions, "unknown");
    assert_true(m.quota == 0.0 && m.memory_from == NULL);
    assert_string_equal(kind, "unknown");
}

static void processors_and_cores_are_counted(void **state)
{
    (void)state;
    static machine m;
    put("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,8,5000\nMems_allowed:\t1\n");
    put("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,8\n");
    put("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1-2\n");
    put("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "1-2\n");
    put("/sys/devices/system/cpu/cpu8/topology/thread_siblings_list", "0,8\n");
    put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some Processor\nflags\t\t: sse2 avx avx2 avx512fp16\n\n"
                         "model name\t: Another\n");
    machine_read(root, &m);
    assert_int_equal(machine_count(sizeof m.cpu, m.cpu), 4); /* 5000 is beyond what is counted */
    assert_int_equal(m.cpu[0], 0x07);
    assert_int_equal(m.cpu[1], 0x01);
    assert_int_equal(machine_count(sizeof m.core, m.core), 2);
    assert_string_equal(m.model, "Some Processor");
    assert_string_equal(m.instructions, "AVX2"); /* avx512fp16 is not avx512f */
}

static void the_narrowest_group_of_version_2_counts(void **state)
{
    (void)state;
    static machine m;
    put("/proc/self/cgroup", "0::/job/step\n");
    put("/proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable:    8388608 kB\n");
    put("/sys/fs/cgroup/job/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/job/memory.max", "4294967296\n");
    put("/sys/fs/cgroup/job/memory.current", "3221225472\n");
    put("/sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 1073741824\n");
    put("/sys/fs/cgroup/job/step/memory.max", "max\n");
    put("/sys/fs/cgroup/job/step/memory.current", "1\n");
    machine_read(root, &m);
    assert_true(m.quota == 1.5);
    assert_true(m.memory == 2.0 * GIB); /* a limit of 4, 3 in use, 1 of them cached */
    assert_non_null(strstr(m.memory_from, "control group"));
}

static void version_1_is_read_too(void **state)
{
    (void)state;
    static machine m;
    put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/not/mounted/here\n3:cpuset:/\n2:cpu,cpuacct:/box\n0::/\n");
    put("/proc/meminfo", "MemAvailable: 1048576 kB\n");
    put("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
    machine_read(root, &m);
    assert_true(m.quota == 2.0);
    assert_true(m.memory == GIB);
    assert_string_equal(m.memory_from, "free memory of the host");
}

static void the_nearest_mount_tells_the_file_system(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        {"/", "ext4"},         {"/datas/x", "ext4"},     {"/data", "lustre"},
        {"/data/x", "lustre"}, {"/data/home/x", "nfs4"}, {"/my disk/x", "fuse.sshfs"}};
    put("/proc/self/mountinfo", "27 1 254:0 / / rw,relatime - rootfs none rw\n"
                                "28 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n"
                                "29 27 0:30 / /data rw - lustre host@tcp:/data rw\n"
                                "30 29 0:31 /h /data/home rw - nfs4 host:/h rw\n"
                                "31 27 0:32 / /my\\040disk rw - fuse.sshfs host: rw\n"
                                "nonsense\n");
    for (size_t i = 0; i < COUNT(expected); i++) {
        char kind[32];
        mounts_kind(root, expected[i][0], sizeof kind, kind);
        assert_string_equal(kind, expected[i][1]);
    }
}

static void the_worst_is_kept_and_then_the_first(void **state)
{
    (void)state;
    check c = {.state = CHECK_OK};
    check_say(&c, CHECK_OK, "", "first");
    check_say(&c, CHECK_OK, "", "second");
    assert_string_equal(c.found, "first");
    check_say(&c, CHECK_FAILED, "mend it", "broken %d", 3);
    check_say(&c, CHECK_WARNING, "look", "odd");
    check_say(&c, CHECK_FAILED, "mend that", "broken too");
    assert_int_equal(c.state, CHECK_FAILED);
    assert_string_equal(c.found, "broken 3");
    assert_string_equal(c.advice, "mend it");
}

static void every_check_has_its_texts(void **state)
{
    (void)state;
    assert_true(check_count >= 10);
    for (size_t i = 0; i < check_count; i++) {
        assert_true(strlen(check_table[i]->name) <= 11 && strlen(check_table[i]->help) > 0); /* the column of names */
        assert_true(check_table[i]->code == ST_ENVIRONMENT || check_table[i]->code == ST_CANT_WRITE);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(check_table[i]->name, check_table[k]->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_proc_all_is_unknown, new_root),
        cmocka_unit_test_setup(processors_and_cores_are_counted, new_root),
        cmocka_unit_test_setup(the_narrowest_group_of_version_2_counts, new_root),
        cmocka_unit_test_setup(version_1_is_read_too, new_root),
        cmocka_unit_test_setup(the_nearest_mount_tells_the_file_system, new_root),
        cmocka_unit_test(the_worst_is_kept_and_then_the_first),
        cmocka_unit_test(every_check_has_its_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
