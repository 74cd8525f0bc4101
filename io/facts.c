/* Facts of several sources in one canonical form. Only the winner of a name is looked at closely, so that a study file can overrule a
 * fact that makes no sense. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/checkpoint.h"

/* How the value of a known fact is written. */
typedef enum form { FORM_TEXT, FORM_SIZE, FORM_SIZE_OR_NONE, FORM_RESIZE, FORM_TRIPLE } form;

static const struct known {
    const char *name, *alias; /* the alias is how study files and other tools say it */
    form form;
} known[] = {
    {"arch", "architecture", FORM_TEXT}, {"num_heads", "heads", FORM_TEXT},
    {"num_classes", NULL, FORM_TEXT},    {"channels", NULL, FORM_TEXT},
    {"image_size", NULL, FORM_SIZE},     {"resize", NULL, FORM_RESIZE},
    {"crop", NULL, FORM_SIZE_OR_NONE},   {"mean", NULL, FORM_TRIPLE},
    {"std", NULL, FORM_TRIPLE},          {"classes", NULL, FORM_TEXT},
    {"preprocess", NULL, FORM_TEXT},     {"evaluation_preprocess", NULL, FORM_TEXT},
    {"interpolation", NULL, FORM_TEXT},  {"crop_pct", "crop_fraction", FORM_TEXT},
};

/* A fact and its rank; the lowest rank of a name wins. */
typedef struct candidate {
    fact fact;
    size_t rank;
} candidate;

typedef struct candidates {
    candidate *list;
    size_t n;
} candidates;

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static const struct known *find_alias(const char *name)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        if (known[i].alias != NULL && strcmp(known[i].alias, name) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static const fact *find_fact(size_t n, const fact *facts, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(facts[i].name, name) == 0) {
            return &facts[i];
        }
    }
    return NULL;
}

static const char *skip_spaces(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
        p++;
    }
    return p;
}

/* Reads up to `most` positive integers with x or a comma between them; after them may come the end or a remark behind a space.
 * Returns how many, 0 where the text does not have this form. */
static size_t read_counts(const char *p, size_t most, size_t out[])
{
    for (size_t n = 0; n < most;) {
        char *end;
        p = skip_spaces(p);
        if (*p < '1' || *p > '9') {
            return 0;
        }
        const unsigned long long value = strtoull(p, &end, 10);
        if (end - p > 9) {
            return 0;
        }
        out[n++] = (size_t)value;
        const char *next = skip_spaces(end);
        const bool more = *next == 'x' || *next == 'X' || *next == ',';
        if (!more) {
            return *end == '\0' || next != end ? n : 0;
        }
        p = next + 1;
    }
    return 0; /* more numbers than wanted */
}

static status bad_value(const tensors *t, const fact *f, const char *expected)
{
    return FAIL(ST_DATA, "%s: the fact %s from %s: expected %s, found '%.100s'; state it in the study file", t->source,
                f->name, f->source, expected, f->value);
}

/* "a,b,c" of finite numbers; a single number stands for three. */
static status canonical_triple(arena *a, const tensors *t, fact *f)
{
    static const char expected[] = "three numbers a,b,c (one per colour channel) or one for all";
    const char *p = f->value, *start[3];
    int length[3];
    size_t n = 0;
    for (;; p++) {
        char *end;
        p = skip_spaces(p);
        const double value = strtod(p, &end);
        if (n == 3 || end == p || !isfinite(value) || end - p > 64) {
            return bad_value(t, f, expected);
        }
        start[n] = p;
        length[n++] = (int)(end - p);
        p = skip_spaces(end);
        if (*p != ',') {
            break;
        }
    }
    if (*p != '\0' || n == 2) {
        return bad_value(t, f, expected);
    }
    const size_t second = n == 1 ? 0 : 1, third = n == 1 ? 0 : 2;
    TRY_TEXT(f->value, a, "%.*s,%.*s,%.*s", length[0], start[0], length[second], start[second], length[third],
             start[third]);
    return STATUS_OK;
}

static status canonical_size(arena *a, const tensors *t, form how, fact *f)
{
    size_t size[2] = {0};
    if (how != FORM_SIZE && strcmp(f->value, "none") == 0) {
        return STATUS_OK;
    }
    const size_t n = read_counts(f->value, 2, size);
    if (n == 0) {
        return bad_value(t, f,
                         how == FORM_RESIZE ? "HEIGHTxWIDTH, a number for the shorter side, or none"
                         : how == FORM_SIZE ? "HEIGHTxWIDTH or one number for both"
                                            : "HEIGHTxWIDTH, one number for both, or none");
    }
    if (n == 1 && how == FORM_RESIZE) {
        TRY_TEXT(f->value, a, "%zu", size[0]);
    } else {
        TRY_TEXT(f->value, a, "%zux%zu", size[0], size[n - 1]);
    }
    return STATUS_OK;
}

static status canonical(arena *a, const tensors *t, fact *f)
{
    const struct known *k = find_known(f->name);
    if (k == NULL || k->form == FORM_TEXT) {
        return STATUS_OK;
    }
    return k->form == FORM_TRIPLE ? canonical_triple(a, t, f) : canonical_size(a, t, k->form, f);
}

static void put(candidates *c, const char *name, const char *value, const char *source)
{
    c->list[c->n] = (candidate){{name, value, source}, c->n};
    c->n++;
}

/* Known under its own name or unknown; "none" states nothing, except that there is no resize and no crop. */
static bool stands_for_itself(const fact *f)
{
    const struct known *k = find_known(f->name);
    return k == NULL || k->form == FORM_RESIZE || k->form == FORM_SIZE_OR_NONE || strcmp(f->value, "none") != 0;
}

/* Channels, height and width in one; timm calls it input_size. */
static bool is_input(const fact *f)
{
    return strcmp(f->name, "input") == 0 || strcmp(f->name, "input_size") == 0;
}

/* What a source says outright comes before what can be derived from it. */
static status put_source(arena *a, candidates *c, size_t n, const fact *facts)
{
    const fact *height = find_fact(n, facts, "height"), *width = find_fact(n, facts, "width");
    const bool sized = height != NULL && width != NULL;
    size_t input[3];
    char *text;
    for (size_t i = 0; i < n; i++) {
        const fact *f = &facts[i];
        const bool derived = find_alias(f->name) != NULL || (sized && (f == height || f == width)) ||
                             (is_input(f) && read_counts(f->value, 3, input) == 3);
        if (!derived && stands_for_itself(f)) {
            put(c, f->name, f->value, f->source);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const fact *f = &facts[i];
        const struct known *k = find_alias(f->name);
        if (k != NULL && strcmp(f->value, "none") != 0) {
            put(c, k->name, f->value, f->source);
        } else if (is_input(f) && read_counts(f->value, 3, input) == 3) {
            TRY_TEXT(text, a, "%zu", input[0]);
            put(c, "channels", text, f->source);
            TRY_TEXT(text, a, "%zux%zu", input[1], input[2]);
            put(c, "image_size", text, f->source);
        } else if (sized && f == height) {
            TRY_TEXT(text, a, "%sx%s", height->value, width->value);
            put(c, "image_size", text, f->source);
        }
    }
    return STATUS_OK;
}

static int by_name_and_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    const int order = strcmp(x->fact.name, y->fact.name);
    return order != 0 ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Keeps the first of each name, in order. */
static void keep_winners(candidates *c)
{
    size_t kept = 0;
    qsort(c->list, c->n, sizeof c->list[0], by_name_and_rank);
    for (size_t i = 0; i < c->n; i++) {
        if (kept == 0 || strcmp(c->list[kept - 1].fact.name, c->list[i].fact.name) != 0) {
            c->list[kept++] = c->list[i];
        }
    }
    c->n = kept;
    qsort(c->list, c->n, sizeof c->list[0], by_rank);
}

status facts_merge(arena *a, size_t n_config, const fact *config, size_t n_json, const fact *json, tensors *t)
{
    candidates c = {0};
    fact *merged;
    TRY_ALLOC(c.list, a,
              n_config + n_json + t->n_facts + 6); /* `input` and `input_size` make two of one, once a source */
    TRY(put_source(a, &c, n_config, config));
    TRY(put_source(a, &c, n_json, json));
    TRY(put_source(a, &c, t->n_facts, t->facts));
    keep_winners(&c);
    TRY_ALLOC(merged, a, c.n);
    for (size_t i = 0; i < c.n; i++) {
        merged[i] = c.list[i].fact;
        TRY(canonical(a, t, &merged[i]));
    }
    t->facts = merged;
    t->n_facts = c.n;
    return STATUS_OK;
}
