/* Memory and weights that ranks of a node share. Under POLLARD_RANKS_PER_NODE a host is several nodes. */
#include "support/support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/node_weights.h"

static comm world;
static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("node", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static int together(void)
{
    const char *text = getenv("POLLARD_RANKS_PER_NODE");
    const int most = text == NULL || text[0] == '\0' ? world.size : (int)strtol(text, NULL, 10);
    return most < world.size ? most : world.size;
}

static void ranks_are_cut_into_nodes(void **state)
{
    (void)state;
    const int most = together(), first = world.rank / most * most;
    assert_int_equal(world.node_rank, world.rank - first);
    assert_int_equal(world.node_size, world.size - first < most ? world.size - first : most);
    assert_int_equal(world.shares, most > 1);
}

/* The line of /proc/self/maps or smaps of the mapping at p; then, with `name`, the value of that name, in KiB. */
static long mapping(const void *p, char permissions[5], const char *name)
{
    char line[512];
    long value = -1;
    bool within = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        char *end;
        const unsigned long from = strtoul(line, &end, 16);
        if (*end == '-' && end > line) {
            const unsigned long to = strtoul(end + 1, &end, 16);
            within = (uintptr_t)p >= from && (uintptr_t)p < to;
            if (within) {
                memcpy(permissions, end + 1, 4);
                permissions[4] = '\0';
            }
        } else if (within && strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            value = strtol(line + strlen(name) + 1, NULL, 10);
        }
    }
    (void)fclose(f);
    return value;
}

/* Files of this process in the folder of shared memory. */
static size_t files_left(void)
{
    char mine[64];
    size_t n = 0;
    DIR *d = opendir(world.shared_folder);
    (void)snprintf(mine, sizeof mine, "pollard-%ld-", (long)getpid());
    for (struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d)) {
        n += strncmp(e->d_name, mine, strlen(mine)) == 0;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return n;
}

static void what_the_leader_writes_all_see(void **state)
{
    (void)state;
    enum { N = 1000 };
    node_block b;
    assert_ok(node_block_open(&world, memory, "the numbers", N * sizeof(int), &b));
    int *number = b.data;
    assert_int_equal((uintptr_t)b.data % 64, 0);
    assert_int_equal(b.shared, world.node_size > 1);
    assert_int_equal(files_left(), 0);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(number[i], 0);
    }
    assert_ok(comm_agree(&world, STATUS_OK)); /* everybody has looked */
    for (size_t i = 0; world.node_rank == 0 && i < N; i++) {
        number[i] = 1000 * world.rank + (int)i;
    }
    assert_ok(node_block_ready(&world, &b, STATUS_OK));
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(number[i], 1000 * (world.rank - world.node_rank) + (int)i);
    }
}

static void it_is_one_copy_and_read_only(void **state)
{
    (void)state;
    enum { MIB = 16 };
    static const size_t bytes = (size_t)MIB << 20;
    char permissions[5] = "";
    node_block b;
    assert_ok(node_block_open(&world, memory, "the bytes", bytes, &b));
    if (!b.shared) {
        assert_ok(node_block_ready(&world, &b, STATUS_OK));
        assert_ok(comm_agree(&world, STATUS_OK)); /* as the others, below */
        assert_ok(comm_agree(&world, STATUS_OK));
        return;
    }
    unsigned char *byte = b.data;
    const size_t share = bytes / (size_t)world.node_size;
    memset(byte + (size_t)world.node_rank * share, world.node_rank + 1, share);
    (void)mapping(b.data, permissions, "Rss");
    assert_string_equal(permissions, "rw-s");
    assert_ok(node_block_ready(&world, &b, STATUS_OK));
    for (size_t i = 0; i < share * (size_t)world.node_size; i++) {
        if (byte[i] != i / share + 1) {
            fail_msg("byte %zu: expected that of rank %zu of the node, found %d", i, i / share, byte[i]);
        }
    }
    assert_ok(comm_agree(&world, STATUS_OK)); /* all have touched all of it */
    const long resident = mapping(b.data, permissions, "Rss"), part = mapping(b.data, permissions, "Pss");
    assert_string_equal(permissions, "r--s");
    assert_int_equal(resident, MIB << 10);
    assert_in_range(part, resident / world.node_size - 64, resident / world.node_size + 64); /* KiB: an equal part of one copy */
    assert_ok(comm_agree(&world, STATUS_OK));
}

static void blocks_go_with_their_arena(void **state)
{
    (void)state;
    char permissions[5] = "";
    for (int round = 0; round < 20; round++) {
        node_block b;
        arena *a;
        assert_ok(arena_open("block", &a));
        assert_ok(node_block_open(&world, a, "the bytes", (size_t)1 << 22, &b));
        assert_ok(node_block_ready(&world, &b, STATUS_OK));
        if (round % 2 == 0) {
            arena_release(a);
            assert_true(!b.shared || mapping(b.data, permissions, "Rss") < 0 || strcmp(permissions, "r--s") != 0);
        }
        arena_close(&a);
    }
    assert_int_equal(files_left(), 0);
}

/* The pages are taken before anybody touches them, so that none can be missing later. Others use the folder too: several looks. */
static void pages_are_taken_at_once(void **state)
{
    (void)state;
    enum { LOOKS = 4 };
    static const size_t bytes = (size_t)32 << 20;
    size_t taken = 0;
    for (int i = 0; i < LOOKS; i++) {
        node_block b;
        arena *a;
        assert_ok(arena_open("block", &a));
        const double before = node_shared_room(&world);
        assert_ok(comm_agree(&world, STATUS_OK));
        assert_ok(node_block_open(&world, a, "the bytes", bytes, &b));
        const double after = node_shared_room(&world);
        taken += before < 0.0 || before - after >= (double)bytes;
        assert_ok(comm_agree(&world, STATUS_OK));
        arena_close(&a);
        assert_ok(comm_agree(&world, STATUS_OK));
    }
    assert_true(taken > 0 || !world.shares);
}

/* The ranks that are not to blame hear of it, and all go on afterwards. */
static void assert_fails_on(bool here, status st, status_code code, const char *text)
{
    if (here) {
        assert_fails(st, code, text, NULL);
    } else {
        assert_fails(st, ST_PEER, "its own message says why", NULL);
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

static void too_much_is_refused_before_it_is_touched(void **state)
{
    (void)state;
    const bool alone = world.node_size == 1;
    const size_t bytes = (size_t)1 << (alone ? 10 : 50); /* nodes may want unlike blocks */
    node_block b;
    if (node_shared_room(&world) < 0.0) {
        skip(); /* no limit */
    }
    const status st = node_block_open(&world, memory, "the weights of a giant", bytes, &b);
    if (world.shares) {
        assert_fails_on(world.node_rank == 0 && !alone, st, ST_ENVIRONMENT, "the weights of a giant take 1073741824.0 MiB");
    } else {
        assert_ok(st);
    }
    assert_int_equal(files_left(), 0);
    what_the_leader_writes_all_see(state);
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    char before[sizeof world.shared_folder];
    node_block b;
    memcpy(before, world.shared_folder, sizeof before);
    (void)snprintf(world.shared_folder, sizeof world.shared_folder, "/dev/null/folder");
    const status st = node_block_open(&world, memory, "the bytes", 100, &b);
    if (world.shares) {
        assert_fails_on(world.node_rank == 0 && world.node_size > 1, st, ST_ENVIRONMENT, "/dev/null/folder");
    } else {
        assert_ok(st);
    }
    memcpy(world.shared_folder, before, sizeof before);
    what_the_leader_writes_all_see(state);
}

static void one_failure_while_filling_reaches_all(void **state)
{
    (void)state;
    node_block b;
    assert_ok(node_block_open(&world, memory, "the bytes", 100, &b));
    const bool mine = world.rank == world.size - 1;
    const status st = node_block_ready(&world, &b, mine ? FAIL(ST_DATA, "a number is broken") : STATUS_OK);
    assert_fails_on(mine, st, ST_DATA, "a number is broken");
}

/* A program whose ranks do not do the same says so instead of waiting for ever. */
static void ranks_that_differ_are_a_bug(void **state)
{
    (void)state;
    node_block b;
    if (!world.shares) {
        return;
    }
    const bool in_last = world.rank - world.node_rank + world.node_size == world.size; /* in the node of the last rank */
    const bool differs = world.rank == world.size - 1 && world.node_size > 1;
    const status st = node_block_open(&world, memory, "the bytes", differs ? 200 : 100, &b);
    if (in_last && world.node_size > 1) {
        assert_fails(st, ST_BUG, "the bytes", "same on all ranks of a node", NULL);
    } else if (status_ok(st)) {
        assert_true(world.size % together() == 1); /* the last rank is a node of its own */
    } else {
        assert_fails(st, ST_PEER, NULL);
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

/* ---- weights ---- */

typedef struct filling {
    size_t n;
    float value;
    bool *made; /* by this rank */
    const float *at;
} filling;

static status make(const void *of, float *to)
{
    const filling *f = of;
    *f->made = true;
    for (size_t i = 0; i < f->n; i++) {
        to[i] = f->value;
    }
    return f->value < 0.0f ? FAIL(ST_ENVIRONMENT, "no memory to pack in") : STATUS_OK;
}

static void use(void *of, const float *at)
{
    filling *f = of;
    f->at = at;
}

enum { LAYERS = 60 };

/* made [LAYERS] */
static weight_list list_of(filling f[LAYERS], bool made[])
{
    weight_list l = weights_open(memory);
    for (size_t i = 0; i < LAYERS; i++) {
        made[i] = false;
        f[i] = (filling){.n = 100 + i, .value = 1.0f + (float)i, .made = &made[i]};
        assert_ok(weights_want(node_weights_list(&world, &l), memory,
                               &(weight_order){.n = f[i].n, .of = &f[i], .make = make, .use = use}));
    }
    return l;
}

static void weights_are_made_once_on_each_node(void **state)
{
    (void)state;
    filling f[LAYERS];
    bool mine[LAYERS];
    int64_t made[LAYERS] = {0}, n_mine = 0;
    const weight_list l = list_of(f, mine);
    assert_ok(node_weights_place(&world, memory, &l));
    for (size_t i = 0; i < LAYERS; i++) {
        assert_non_null(f[i].at);
        assert_true(f[i].at[0] == 1.0f + (float)i && f[i].at[f[i].n - 1] == f[i].at[0]);
        made[i] = mine[i];
        n_mine += mine[i];
    }
    comm_sum_i64(&world, LAYERS, made);
    const int nodes = (world.size + together() - 1) / together();
    for (size_t i = 0; i < LAYERS; i++) {
        assert_int_equal(made[i], nodes);
    }
    assert_true(n_mine > 0); /* the ranks of a node share the work */
}

static void a_rank_that_cannot_pack_ends_it_for_all(void **state)
{
    (void)state;
    filling f[LAYERS];
    bool made[LAYERS];
    if (!world.shares) {
        return;
    }
    const weight_list l = list_of(f, made);
    f[LAYERS - 1].value = -1.0f;
    const status st = node_weights_place(&world, memory, &l);
    assert_fails_on(made[LAYERS - 1], st, ST_ENVIRONMENT, "no memory to pack in");
    assert_null(f[0].at);
}

static void unlike_lists_are_a_bug(void **state)
{
    (void)state;
    filling f[LAYERS];
    bool made[LAYERS + 1];
    filling more = {.n = 7, .value = 1.0f, .made = &made[LAYERS]};
    if (!world.shares) {
        return;
    }
    weight_list l = list_of(f, made);
    if (world.node_rank == 1) {
        assert_ok(weights_want(&l, memory, &(weight_order){.n = more.n, .of = &more, .make = make, .use = use}));
    }
    const status st = node_weights_place(&world, memory, &l);
    if (world.node_size > 1) {
        assert_fails(st, ST_BUG, "weights in the order of the kernels", NULL);
    } else {
        assert_fails(st, ST_PEER, NULL);
    }
    assert_ok(comm_agree(&world, STATUS_OK));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranks_are_cut_into_nodes, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(what_the_leader_writes_all_see, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(it_is_one_copy_and_read_only, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(blocks_go_with_their_arena, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(pages_are_taken_at_once, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(too_much_is_refused_before_it_is_touched, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_used_is_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(one_failure_while_filling_reaches_all, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(ranks_that_differ_are_a_bug, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(weights_are_made_once_on_each_node, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_rank_that_cannot_pack_ends_it_for_all, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(unlike_lists_are_a_bug, open_memory, close_memory),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
