/* What becomes of the best settings: criteria of the study, and a study file of their own. */
#include <string.h>
#include <unistd.h>

#include "io/files.h"
#include "pipeline/search.h"
#include "pipeline/search_settings.h"

status search_extend(arena *a, const search_outcome *found, study *s)
{
    const config *before = s->config;
    config *after;
    config_criterion *criteria;
    const char **scoring;
    const size_t n = before->n_criteria + found->n_tuned;
    TRY_ALLOC(after, a, 1);
    TRY_ALLOC(criteria, a, n);
    TRY_ALLOC(scoring, a, n);
    memcpy(criteria, before->criteria, before->n_criteria * sizeof *criteria);
    memcpy(scoring, before->scoring, before->n_criteria * sizeof *scoring);
    for (size_t i = 0; i < found->n_tuned; i++) {
        config_criterion *c = &criteria[before->n_criteria + i];
        *c = found->tuned[i];
        TRY(settings_scoring(a, c, &scoring[before->n_criteria + i]));
    }
    *after = *before;
    after->n_criteria = n;
    after->criteria = criteria;
    after->scoring = scoring;
    if (before->heatmaps.images > 0) { /* of the study's own criteria, as it says */
        bool *chosen;
        TRY_ALLOC(chosen, a, n);
        memcpy(chosen, before->heatmaps.criterion, before->n_criteria * sizeof *chosen);
        after->heatmaps.criterion = chosen;
    }
    s->config = after;
    return plan_cells(a, s);
}

/* In double quotes, as YAML has them in common with JSON. */
static status quoted(arena *a, const char *text, const char **out)
{
    char *to;
    size_t n = 0;
    TRY_ALLOC(to, a, 6 * strlen(text) + 3);
    to[n++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            to[n++] = '\\';
        }
        to[n++] = *text;
    }
    to[n++] = '"';
    *out = to;
    return STATUS_OK;
}

/* The path from the root. */
static status absolute_path(arena *a, const char *path, const char **out)
{
    char here[4096] = ".";
    if (getcwd(here, sizeof here) == NULL) {
        here[0] = '.';
        here[1] = '\0';
    }
    const char *whole = path_join(a, here, path);
    return whole == NULL ? (status){ST_ENVIRONMENT} : quoted(a, whole, out);
}

/* Paths in the order in which a resolved study has them. */
typedef struct paths {
    const char *key;
    const char *path;
} paths;

static status list_paths(arena *a, const config *c, size_t *n, paths **out)
{
    paths *list;
    TRY_ALLOC(list, a, 4 + c->n_models);
    *n = 0;
    list[(*n)++] = (paths){"reference", c->reference};
    list[(*n)++] = (paths){"evaluation", c->evaluation};
    if (c->reference_list != NULL) {
        list[(*n)++] = (paths){"reference_list", c->reference_list};
    }
    if (c->evaluation_list != NULL) {
        list[(*n)++] = (paths){"evaluation_list", c->evaluation_list};
    }
    for (size_t i = 0; i < c->n_models; i++) {
        list[(*n)++] = (paths){"checkpoint", c->models[i].checkpoint};
    }
    *out = list;
    return STATUS_OK;
}

/* Is this line "  key: ..."? */
static bool has_key(const char *line, size_t length, const char *key)
{
    const size_t indent = strspn(line, " "), n = strlen(key);
    return indent + n < length && strncmp(line + indent, key, n) == 0 && line[indent + n] == ':';
}

static bool begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* One line of the resolved study: paths become absolute ones, criteria are added before the tasks, the search and the output are left out. */
typedef struct rewriter {
    const config *config;
    const search_outcome *found;
    size_t n_paths, next;
    paths *path;
    bool skipping;
} rewriter;

static status rewrite_line(arena *a, rewriter *w, const char *line, size_t length, const char **text)
{
    if (line[0] != ' ') {
        w->skipping = begins(line, "search:") || begins(line, "output:");
    }
    if (w->skipping) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < w->found->n_tuned && begins(line, "tasks:"); i++) {
        const char *one = NULL;
        TRY(settings_text(a, &w->found->tuned[i], &one));
        TRY_TEXT(*text, a, "%s  - %.*s, models: [%s]}\n", *text, (int)strlen(one) - 1, one, w->config->models[w->found->tuned[i].models[0]].name);
    }
    if (w->next < w->n_paths && has_key(line, length, w->path[w->next].key)) {
        const char *path = NULL;
        TRY(absolute_path(a, w->path[w->next].path, &path));
        TRY_TEXT(*text, a, "%s%.*s%s: %s\n", *text, (int)strspn(line, " "), line, w->path[w->next++].key, path);
        return STATUS_OK;
    }
    TRY_TEXT(*text, a, "%s%.*s\n", *text, (int)length, line);
    return STATUS_OK;
}

status search_write_study(arena *a, const study *s, const search_outcome *found, const char *result)
{
    rewriter w = {.config = s->config, .found = found};
    const char *text, *path = NULL;
    const char *line = s->config->resolved;
    TRY(list_paths(a, s->config, &w.n_paths, &w.path));
    TRY_TEXT(text, a, "# What the search of %s has found: `pollard run` takes this file.\n", s->config->path);
    while (*line != '\0') {
        const size_t n = strcspn(line, "\n");
        TRY(rewrite_line(a, &w, line, n, &text));
        line += n + (line[n] == '\n');
    }
    TRY_TEXT(path, a, "%s.tuned.yaml", result);
    return file_write_atomic(path, text, strlen(text));
}
