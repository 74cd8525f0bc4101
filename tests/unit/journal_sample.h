#ifndef TESTS_UNIT_JOURNAL_SAMPLE_H
#define TESTS_UNIT_JOURNAL_SAMPLE_H
/* What the tests of a journal share: memory for one test, a study, and a few items of it. */
#include "support/journals.h"
#include "support/support.h"

static arena *memory;
static const char identity[] = "pollard 1.0\nrate: 0.5\n";
static const size_t few[] = {70, 0, 40};
enum { FEW = COUNT(few) };

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("journal", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static journal_index scan(const char *folder)
{
    journal_index index;
    assert_ok(journal_scan(memory, folder, identity, &index));
    return index;
}

#endif
