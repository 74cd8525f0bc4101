#include "pipeline/shortfall.h"

#include <inttypes.h>
#include <string.h>

#include "pipeline/watch.h"

/* Items of a kind that are noted, each counted once: entries with the same key lie together. */
static size_t noted(const journal_index *index, uint32_t stage)
{
    size_t n = 0;
    for (size_t i = 0; i < index->n; i++) {
        const journal_entry *e = &index->entry[i];
        n += e->key.stage == stage && (i == 0 || memcmp(&e->key, &e[-1].key, sizeof e->key) != 0);
    }
    return n;
}

bool shortfall_ends(const stage_ctx *s)
{
    const item_shortfall *f = &s->items->shortfall[ITEM_ROWS];
    return s->items->only_join && f->missing + f->damaged > 0;
}

/* Without all relevance nobody knows which networks are pruned; of these only a bound is known, of heatmaps nothing. */
static status text_of_rest(arena *a, const stage_ctx *s, const char **out)
{
    run_note of = {.layout = RUN_NOTE_LAYOUT};
    *out = "";
    if (!shortfall_ends(s)) {
        return STATUS_OK;
    }
    watch_count(s->study, &of);
    TRY_TEXT(*out, a, "; of what follows %zu of %" PRIu64 " %s and %zu of at most %" PRIu64 " %s are there", noted(&s->items->index, ITEM_WHOLE), of.whole,
             item_kind_name(ITEM_WHOLE), noted(&s->items->index, ITEM_PRUNED), of.pruned, item_kind_name(ITEM_PRUNED));
    return STATUS_OK;
}

status shortfall_check(arena *a, const stage_ctx *s)
{
    const char *missing = NULL, *rest = NULL;
    if (!s->items->only_join || items_missing(s->items) == 0) {
        return STATUS_OK;
    }
    TRY(items_missing_text(a, s->items, &missing));
    TRY(text_of_rest(a, s, &rest));
    return FAIL(ST_NO_INPUT,
                "the journals do not hold all of the work: missing are %s%s; run the jobs of the array that have not finished again, or `pollard run` "
                "without --array to compute what is missing",
                missing, rest);
}

status shortfall_print(arena *a, FILE *to, const item_service *i)
{
    const char *missing = NULL;
    TRY(items_missing_text(a, i, &missing));
    if (*missing == '\0') {
        (void)fputs("Everything is there:\n", to);
    } else {
        (void)fprintf(to, "Of other jobs are not there yet: %s; when these have ended:\n", missing);
    }
    return STATUS_OK;
}
