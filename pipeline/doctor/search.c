/* What a search proposes after the same trials, on every rank: a study is resumed anywhere, and its ranks must agree on what comes next. */
#include <math.h>
#include <string.h>

#include "io/sha256.h"
#include "pipeline/doctor/check.h"
#include "search/box.h"
#include "search/propose.h"

enum { TRIALS = 12, PROPOSALS = 3, DIMENSIONS = 3 };

static const space_dimension dimensions[DIMENSIONS] = {
    {"rule", SPACE_CATEGORICAL, .n_choices = 4, .parent = SPACE_ALWAYS},
    {"gamma", SPACE_CONTINUOUS, .min = 0.01, .max = 1.0, .scale = SCALE_LOG, .parent = 0, .when = 2},
    {"share", SPACE_CONTINUOUS, .min = 0.0, .max = 1.0, .parent = SPACE_ALWAYS},
};

static status propose(arena *a, double out[PROPOSALS * DIMENSIONS])
{
    double point[TRIALS * DIMENSIONS];
    search_trial trial[TRIALS];
    search_report report;
    space s;
    size_t n;
    search_options o = {.method = SEARCH_SOBOL, .seed = 1, .n_initial = 1};
    TRY(space_build(a, DIMENSIONS, dimensions, &s));
    TRY(search_propose(a, &s, 0, NULL, &o, TRIALS, point, &n, &report));
    for (size_t i = 0; i < TRIALS; i++) {
        const double *p = &point[i * DIMENSIONS];
        const double value = 0.1 * p[0] - (p[2] - 0.3) * (p[2] - 0.3) - (isnan(p[1]) ? 0.0 : p[1]);
        trial[i] = (search_trial){p, TRIAL_DONE, value, 1e-4};
    }
    o.method = SEARCH_BAYES;
    return search_propose(a, &s, TRIALS, trial, &o, PROPOSALS, out, &n, &report);
}

static status run(const doctor *d, check *out)
{
    double proposal[PROPOSALS * DIMENSIONS];
    uint8_t digest[32];
    char text[65] = "";
    const char *library = box_library(d->arena);
    const char *const *libraries, *const *proposals;
    arena *a = NULL;
    TRY(doctor_agree(d, library == NULL ? (status){ST_ENVIRONMENT} : arena_open("doctor's search", &a)));
    const bool can = d->backend_fault == NULL; /* else named by the check of BLAS */
    const bool made = !can || status_ok(propose(a, proposal));
    arena_close(&a);
    if (!made) {
        check_say(out, CHECK_FAILED, "install NLopt and OpenBLAS again, or other versions", "no proposal can be made: %.200s", status_message());
        status_clear();
    } else if (can) {
        sha256(proposal, sizeof proposal, digest);
        sha256_text(digest, text);
    }
    TRY(doctor_texts(d, library, &libraries));
    TRY(doctor_texts(d, text, &proposals));
    size_t odd = doctor_odd_one(d, libraries);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED, "give all hosts the same libraries: load the same modules on each",
                  "'%.40s' on rank 0 but '%.40s' on rank %zu (%.60s)", libraries[0], libraries[odd], odd, d->host[odd]);
    }
    odd = doctor_odd_one(d, proposals);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED, "see processor, blas and arithmetic above: nodes of one kind, the same modules",
                  "after the same trials rank %zu (%.60s) proposes other points than rank 0 (%.60s)", odd, d->host[odd], d->host[0]);
    }
    check_say(out, CHECK_OK, "", "%s%s%s", library, can ? "; proposes" : "", can && d->size > 1 ? " the same on all ranks" : "");
    return STATUS_OK;
}

const check_def check_search = {"search", "what a search proposes, the same on all ranks", ST_ENVIRONMENT, run};
