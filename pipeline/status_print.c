#include <stdlib.h>
#include <time.h>

#include "pipeline/duration.h"
#include "pipeline/status.h"
#include "stages/item_keys.h"

enum { COLUMNS = 6 }; /* rates that are shown */

static size_t items_left(const status_kind *k)
{
    return k->of > k->done ? k->of - k->done : 0;
}

/* Seconds of one rank; < 0: nothing to tell from. A kind without a finished item is taken to cost what the others do. */
static double work_left(const status_report *r)
{
    double sum = 0.0, seconds = 0.0;
    size_t done = 0;
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        seconds += r->kind[k].seconds;
        done += r->kind[k].done;
    }
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        const status_kind *kind = &r->kind[k];
        const double each = kind->done > 0 ? kind->seconds / (double)kind->done : done > 0 ? seconds / (double)done : 0.0;
        sum += each * (double)items_left(kind);
    }
    return done == 0 ? -1.0 : sum;
}

static void print_time(FILE *to, const char *what, double seconds)
{
    const time_t t = (time_t)seconds;
    struct tm local;
    char text[32] = "?";
    if (localtime_r(&t, &local) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    }
    (void)fprintf(to, "%s%s", what, text);
}

static void print_run(FILE *to, const char *result, const status_report *r, double now)
{
    char ago[32];
    duration_text(ago, sizeof ago, now - r->changed);
    (void)fprintf(to, "%s: study %s, %s\n", result, r->last.study,
                  status_shares_done(r) ? "computed, not merged" : r->running ? "running" : "stopped");
    print_time(to, "  last start: ", r->last.started);
    (void)fprintf(to, ", %u rank%s on %s", r->last.ranks, r->last.ranks == 1 ? "" : "s", r->last.host);
    if (r->last.job[0] != '\0') {
        (void)fprintf(to, ", job %s", r->last.job);
    }
    if (r->last.n_tasks > 1) {
        (void)fprintf(to, ", array %u/%u", r->last.task + 1, r->last.n_tasks);
    }
    (void)fprintf(to, "; %zu start%s so far\n", r->n_runs, r->n_runs == 1 ? "" : "s");
    (void)fprintf(to, "  last news:  %s ago\n", ago);
}

static void print_kinds(FILE *to, const status_report *r)
{
    static const uint32_t stage[STATUS_KINDS] = {[STATUS_ROWS] = ITEM_ROWS, [STATUS_WHOLE] = ITEM_WHOLE, [STATUS_PRUNED] = ITEM_PRUNED};
    (void)fprintf(to, "\n%-24s %10s %12s %14s %12s\n", "items", "done", "of", "seconds each", "slowest");
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        const status_kind *i = &r->kind[k];
        (void)fprintf(to, "%-24s %10zu %2s%10zu %14.3f %12.3f\n", item_kind_name(stage[k]), i->done, i->at_most ? "<=" : "", i->of,
                      i->done > 0 ? i->seconds / (double)i->done : 0.0, i->slowest);
    }
}

/* How much there is of these is not known before: a search's rest is counted without the settings that it finds, and how many networks want
 * heatmaps depends on which masks are equal. */
static void print_uncounted(FILE *to, const char *what, const status_kind *k)
{
    if (k->done > 0) {
        (void)fprintf(to, "\n%s: %zu items are done, in %.1f s of one rank; what follows does not count what is yet to come of them.\n", what, k->done,
                      k->seconds);
    }
}

static void print_left(FILE *to, const status_report *r)
{
    const double left = work_left(r);
    bool bound = false;
    double done = 0.0;
    char text[32];
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        done += r->kind[k].seconds;
        bound = bound || r->kind[k].at_most;
    }
    if (left < 0.0) {
        (void)fputs(r->search.done + r->heatmaps.done > 0 ? "" : "\nNothing is finished yet.\n", to);
        return;
    }
    const size_t ranks = r->running ? r->active : r->last.ranks;
    duration_text(text, sizeof text, left / (double)(ranks == 0 ? 1 : ranks));
    (void)fprintf(to, "\n%.0f %% done; %s %s left with %zu rank%s, at the pace of what is finished.\n",
                  left + done > 0.0 ? 100.0 * done / (left + done) : 100.0, bound ? "at most" : "about", text, ranks, ranks == 1 ? "" : "s");
}

/* Rates from the first to the last, as even as they can be. */
static size_t choose_rates(const status_report *r, size_t rate[COLUMNS])
{
    const size_t n = r->last.n_rates < COLUMNS ? r->last.n_rates : COLUMNS;
    for (size_t i = 0; i < n; i++) {
        rate[i] = n == 1 ? 0 : i * (r->last.n_rates - 1) / (n - 1);
    }
    return n;
}

static bool any_point(const status_curve *c, size_t n_rates)
{
    for (size_t i = 0; i < n_rates; i++) {
        if (c->complete[i] > 0) {
            return true;
        }
    }
    return false;
}

static void print_curves(FILE *to, const status_report *r)
{
    size_t rate[COLUMNS];
    const size_t n = choose_rates(r, rate);
    bool headed = false;
    for (size_t i = 0; i < r->n_curves; i++) {
        const status_curve *c = &r->curve[i];
        if (!any_point(c, r->last.n_rates)) {
            continue;
        }
        if (!headed) {
            (void)fprintf(to, "\nAccuracy so far over the rate, mean over (seeds) that are complete there:\n%-16s %-8s %7s %-16s %10s", "model", "pruned",
                          "classes", "criterion", "references");
            for (size_t k = 0; k < n; k++) {
                (void)fprintf(to, "  %8.0f %%", 100.0 * r->rates[rate[k]]);
            }
            (void)fputc('\n', to);
            headed = true;
        }
        (void)fprintf(to, "%-16s %-8s %7s %-16s %10s", c->field[0], c->field[1], c->field[2], c->field[3], c->field[4]);
        for (size_t k = 0; k < n; k++) {
            const size_t seeds = c->complete[rate[k]];
            if (seeds > 0) {
                (void)fprintf(to, "  %.3f (%zu)", c->sum[rate[k]] / (double)seeds, seeds);
            } else {
                (void)fprintf(to, "  %9s", "-");
            }
        }
        (void)fputc('\n', to);
    }
}

void status_print(FILE *to, const char *result, const status_report *r, double now)
{
    print_run(to, result, r, now);
    print_kinds(to, r);
    print_uncounted(to, "search", &r->search);
    print_uncounted(to, "heatmaps", &r->heatmaps);
    print_left(to, r);
    print_curves(to, r);
}
