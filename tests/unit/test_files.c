/* Files that are written as a whole: what others have left or put in the place of the temporary file. */
#include "support/support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files.h"

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &memory)) ? 0 : -1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static const char *in_scratch(const char *name)
{
    const char *path = path_join(memory, scratch_folder(), name);
    assert_non_null(path);
    return path;
}

static void make(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void assert_holds(const char *path, const char *text)
{
    file_bytes bytes;
    assert_ok(file_read(memory, path, 1000, &bytes));
    assert_string_equal((const char *)bytes.data, text);
}

/* The name that this process would take first. */
static const char *temporary_of(const char *path)
{
    const char *name = arena_text(memory, "%s.tmp.%ld", path, (long)getpid());
    assert_non_null(name);
    return name;
}

/* A process that was killed while it wrote, in a container where the next one has the same number. */
static void a_leftover_of_the_same_number_is_passed_over(void **state)
{
    (void)state;
    const char *path = in_scratch("left.h5"), *temporary = temporary_of(path);
    make(temporary, "half a res");
    assert_ok(file_check_writable(path));
    assert_ok(file_write_atomic(path, "whole", 5));
    assert_holds(path, "whole");
    assert_holds(temporary, "half a res"); /* it may be another host's, which is still writing */
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    (void)state;
    const char *path = in_scratch("linked.h5"), *victim = in_scratch("victim"), *temporary = temporary_of(path);
    struct stat info;
    make(victim, "precious");
    assert_int_equal(symlink(victim, temporary), 0);
    assert_ok(file_check_writable(path));
    assert_ok(file_write_atomic(path, "whole", 5));
    assert_holds(victim, "precious");
    assert_holds(path, "whole");
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_leftover_of_the_same_number_is_passed_over, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_link_in_its_place_is_not_followed, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
