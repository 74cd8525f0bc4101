/* From the names or numbers of a stated class subset to classes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "pipeline/plan.h"

typedef struct class_entry {
    const char *name;
    size_t class;
} class_entry;

static int compare_entries(const void *left, const void *right)
{
    const class_entry *a = left, *b = right;
    return strcmp(a->name, b->name);
}

/* By name, since class folders need not be listed in the order of strcmp(). */
static status sort_names(arena *scratch, const dataset *d, class_entry **out)
{
    class_entry *all;
    TRY_ALLOC(all, scratch, d->n_classes);
    for (size_t i = 0; i < d->n_classes; i++) {
        all[i] = (class_entry){d->class_name[i], i};
    }
    qsort(all, d->n_classes, sizeof all[0], compare_entries);
    *out = all;
    return STATUS_OK;
}

/* A decimal number below `limit`. */
static bool read_number(const char *text, size_t limit, size_t *out)
{
    const size_t length = strlen(text);
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length || (text[0] == '0' && length > 1)) {
        return false;
    }
    *out = strtoul(text, NULL, 10);
    return *out < limit;
}

static status unknown_class(const dataset *d, const char *where, const char *found)
{
    const char *closest = text_closest(found, d->n_classes, d->class_name);
    return FAIL(ST_CONFIG, "%s: expected one of the %zu classes of %s, by name or by number from 0, found '%.80s'; %s%s%s", where, d->n_classes,
                d->root, found, closest != NULL ? "did you mean '" : "the first is '", closest != NULL ? closest : d->class_name[0], closest != NULL ? "'?" : "'");
}

status plan_subset(arena *scratch, const dataset *d, const config_subset *subset, uint32_t stated[])
{
    class_entry *names = NULL;
    size_t *seen; /* [n_classes] 1 + where a class stands in the subset; 0: nowhere */
    TRY(sort_names(scratch, d, &names));
    TRY_ALLOC(seen, scratch, d->n_classes);
    for (size_t i = 0; i < subset->n; i++) {
        const class_entry wanted = {subset->class[i], 0};
        const class_entry *found = bsearch(&wanted, names, d->n_classes, sizeof names[0], compare_entries);
        size_t class = 0;
        if (found != NULL) {
            class = found->class;
        } else if (!read_number(subset->class[i], d->n_classes, &class)) {
            return unknown_class(d, subset->where[i], subset->class[i]);
        }
        if (seen[class] > 0) {
            return FAIL(ST_CONFIG, "%s: expected every class once, found '%.80s', which is class %zu ('%s') and is [%zu] already", subset->where[i],
                        subset->class[i], class, d->class_name[class], seen[class] - 1);
        }
        seen[class] = i + 1;
        stated[i] = (uint32_t)class;
    }
    return STATUS_OK;
}
