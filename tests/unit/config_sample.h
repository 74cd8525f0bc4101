#ifndef TESTS_UNIT_CONFIG_SAMPLE_H
#define TESTS_UNIT_CONFIG_SAMPLE_H
/* A good study and ways to read and to damage it, for the tests of io/config.h. */
#include <stdlib.h>
#include <string.h>

#include "io/config.h"
#include "support/support.h"

/* Every key that can stand without another's help; bad inputs are made from it by one replacement. */
static const char good[] = "study: tiny\n"                                                                 /* 1 */
                           "data:\n"                                                                       /* 2 */
                           "  reference: train\n"                                                          /* 3 */
                           "  evaluation: val\n"                                                           /* 4 */
                           "models:\n"                                                                     /* 5 */
                           "  - name: net\n"                                                               /* 6 */
                           "    checkpoint: net/model.safetensors\n"                                       /* 7 */
                           "    components: [filters, heads]\n"                                            /* 8 */
                           "    heads: 4\n"                                                                /* 9 */
                           "  - name: other\n"                                                             /* 10 */
                           "    checkpoint: /abs/other.safetensors\n"                                      /* 11 */
                           "criteria:\n"                                                                   /* 12 */
                           "  - name: lrp-epsilon\n"                                                       /* 13 */
                           "    method: lrp\n"                                                             /* 14 */
                           "    epsilon: 1e-3\n"                                                           /* 15 */
                           "  - name: random\n"                                                            /* 16 */
                           "    method: random\n"                                                          /* 17 */
                           "tasks:\n"                                                                      /* 18 */
                           "  classes: [3, 10]\n"                                                          /* 19 */
                           "  seeds: 3\n"                                                                  /* 20 */
                           "  references: [5, 10]\n"                                                       /* 21 */
                           "rates: {from: 0, to: 0.95, step: 0.05}\n"                                      /* 22 */
                           "micro_batch: 8\n";                                                             /* 23 */

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    status_clear(); /* what a failed test left */
    assert_ok(arena_open("test", &memory));
    return 0;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static status parse(const char *text, size_t size, size_t n_sets, const char *const sets[], config **out)
{
    const file_bytes bytes = {(const unsigned char *)text, size};
    *out = NULL;
    return config_parse(memory, "configs/s.yaml", bytes, n_sets, sets, out);
}

/* The good text with the first `from` replaced by `to`. */
static const char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    const char *text = arena_text(memory, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    assert_non_null(text);
    return text;
}

/* The good study with these lines at its end, which begin in line 24. */
static inline const char *at_end(const char *lines)
{
    return changed("micro_batch: 8\n", arena_text(memory, "micro_batch: 8\n%s", lines));
}

static inline const config *parsed(const char *text, size_t n_sets, const char *const sets[])
{
    config *c;
    assert_ok(parse(text, strlen(text), n_sets, sets, &c));
    return c;
}

/* Every single byte of these lines, at the end of the good study, replaced by what YAML and the tables care about: read, and written so that it is read
 * again, or refused; never a crash. */
static inline void damage_everywhere(const char *lines)
{
    static const char letters[] = "\0[]{}:,-'\"&*!#\n\t 0x~";
    const char *text = at_end(lines);
    const size_t size = strlen(text), from = strlen(good);
    char *copy = strdup(text);
    assert_non_null(copy);
    for (size_t at = from; at < size; at++) {
        for (size_t i = 0; i < sizeof letters - 1; i++) {
            config *c;
            copy[at] = letters[i];
            const status st = parse(copy, size, 0, NULL, &c);
            assert_true(status_ok(st) || st.code == ST_CONFIG);
            if (status_ok(st)) {
                const config *again = parsed(c->resolved, 0, NULL);
                assert_string_equal(again->resolved, c->resolved);
            }
            status_clear();
            arena_reset(memory);
        }
        copy[at] = lines[at - from];
    }
    free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_memory, close_memory)

#endif
