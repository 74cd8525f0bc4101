#include "stages/item_keys.h"
#include "stages/items.h"

const char *item_kind_name(uint32_t stage)
{
    static const char *const name[ITEM_KINDS] = {
        [ITEM_ROWS] = "explained micro-batches", [ITEM_WHOLE] = "unpruned micro-batches", [ITEM_PRUNED] = "pruned networks x runs",
        [ITEM_HEATMAPS] = "blocks of heatmaps", [ITEM_TREE] = "explained micro-batches", [ITEM_SPECTRUM] = "spectra"};
    const char *known = stage % ITEM_STUDY < ITEM_KINDS ? name[stage % ITEM_STUDY] : NULL;
    return known != NULL ? known : "items";
}

size_t items_missing(const item_service *s)
{
    size_t n = 0;
    for (size_t k = 0; k < ITEM_KINDS; k++) {
        n += s->shortfall[k].missing + s->shortfall[k].damaged;
    }
    return n;
}

status items_missing_text(arena *a, const item_service *s, const char **out)
{
    *out = "";
    for (size_t k = 0; k < ITEM_KINDS; k++) {
        const item_shortfall *f = &s->shortfall[k];
        if (f->missing + f->damaged == 0) {
            continue;
        }
        TRY_TEXT(*out, a, "%s%s%zu of %zu %s", *out, **out == '\0' ? "" : ", ", f->missing, f->of, item_kind_name((uint32_t)k));
        if (f->damaged > 0) {
            TRY_TEXT(*out, a, "%s (and %zu damaged)", *out, f->damaged);
        }
    }
    return STATUS_OK;
}
