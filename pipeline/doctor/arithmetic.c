/* The arithmetic that results rest on: each part against an answer that is known or computed in another way, and all of it bit for bit
 * against the other ranks. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/exact_sum.h"
#include "core/rng.h"
#include "io/sha256.h"
#include "nn/product.h"
#include "pipeline/doctor/check.h"

enum { SUMMANDS = 3000, EDGE = 37, DEPTH = 150, SLOTS = 21, ROWS = 3, WIDTH = 43 };

/* What is compared with the other ranks. */
typedef struct bits {
    uint64_t random[8];
    int64_t sum[EXACT_WORDS];
    float product[EDGE * EDGE], slot[ROWS * WIDTH], quick[WIDTH], small;
} bits;

static double draw(uint32_t stream, size_t i)
{
    return rng_uniform(1, RNG_TEST, stream, (uint32_t)i) - 0.5;
}

/* At run time: the compiler must not know the operands. */
static const char *check_rounding(bits *b)
{
    volatile float one = 1.0f, half_step = FLT_EPSILON / 2.0f, tiny = FLT_MIN;
    volatile float even = one + half_step, odd = (one + FLT_EPSILON) + half_step, down = -one - half_step;
    volatile float denormal = tiny / 4.0f;
    if (even != 1.0f || odd != 1.0f + 2.0f * FLT_EPSILON || down != -1.0f) {
        return "sums are not rounded to the nearest number";
    }
    if (denormal == 0.0f || denormal * 4.0f != tiny) {
        return "numbers below 1.2e-38 become zero: a library that was built with -ffast-math has switched the "
               "processor";
    }
    b->small = denormal;
    return NULL;
}

static const char *check_random(bits *b)
{
    /* Random123's vector of Philox4x32-10 for counter 0 and key 0. */
    if (rng_u64(0, (rng_purpose)0, 0, 0) != UINT64_C(0xe169c58d6627e8d5)) {
        return "random numbers differ from the published vector of Philox";
    }
    for (size_t i = 0; i < COUNT(b->random); i++) {
        b->random[i] = rng_u64(1, RNG_TEST, 0, (uint32_t)i);
    }
    return NULL;
}

static float summand(size_t i)
{
    return (float)ldexp(draw(1, i), (int)(rng_u64(1, RNG_TEST, 2, (uint32_t)i) % 240) - 140);
}

/* All summands backwards on one rank, against every rank's share. Collective. */
static const char *check_sums(const doctor *d, bits *b)
{
    exact_sum whole = {0}, share = {0};
    for (size_t i = SUMMANDS; i-- > 0;) {
        exact_sum_add(&whole, summand(i));
    }
    for (size_t i = d->rank; i < SUMMANDS; i += d->size) {
        exact_sum_add(&share, summand(i));
    }
    exact_sum_carry(&whole);
    exact_sum_carry(&share);
    doctor_sum(d, EXACT_WORDS, share.word);
    exact_sum_carry(&share);
    memcpy(b->sum, share.word, sizeof b->sum);
    return memcmp(whole.word, share.word, sizeof whole.word) == 0
               ? NULL
               : "the sum over the ranks is not the sum of the numbers";
}

/* A backend that could not be started is named by the check of BLAS. */
static bool can_multiply(const doctor *d)
{
    return d->backend_fault == NULL;
}

/* |rounding error| of a sum of k products is at most about k eps sum |a b|; any order of summation keeps that. */
static const char *check_product(bits *b)
{
    static float x[EDGE * DEPTH], y[DEPTH * EDGE];
    for (size_t i = 0; i < COUNT(x); i++) {
        x[i] = (float)draw(3, i);
        y[i] = (float)draw(4, i);
    }
    backend_default()->gemm(0, 0, EDGE, EDGE, DEPTH, 1.0f, x, DEPTH, y, EDGE, b->product, EDGE);
    for (size_t i = 0; i < EDGE * EDGE; i++) {
        double exact = 0.0, size = 0.0;
        for (size_t k = 0; k < DEPTH; k++) {
            const double term = (double)x[i / EDGE * DEPTH + k] * (double)y[k * EDGE + i % EDGE];
            exact += term;
            size += fabs(term);
        }
        if (!(fabs((double)b->product[i] - exact) <= DEPTH * FLT_EPSILON * size)) {
            return "a matrix product of the backend is wrong";
        }
    }
    return NULL;
}

/* A linear layer as a study runs it, where it explains or (quick) only evaluates: x [SLOTS,rows,DEPTH] -> z [SLOTS,rows,WIDTH]. */
static status multiply_rows(size_t rows, bool quick, const float *w, const float *x, float *z)
{
    const conv_shape s = {.in_channels = DEPTH,
                          .out_channels = WIDTH,
                          .groups = 1,
                          .in_height = rows,
                          .in_width = 1,
                          .out_height = rows,
                          .out_width = 1,
                          .kernel = {1, 1},
                          .stride = {1, 1},
                          .dilation = {1, 1},
                          .rows = true};
    arena *a = NULL;
    product p;
    float *work = NULL;
    status st = arena_open("doctor's product", &a);
    if (status_ok(st)) {
        st = product_plan(a, backend_default(), &s, SLOTS, (conv_pass){.quick = quick}, false, &p);
    }
    if (status_ok(st)) {
        st = product_load(a, w, NULL, &p);
        work = arena_alloc(a, p.plan->n_work, sizeof *work);
    }
    if (status_ok(st) && work != NULL) {
        product_run(&p, x, z, work);
    }
    arena_close(&a);
    return work == NULL ? status_first(st, (status){ST_ENVIRONMENT}) : st;
}

/* The same sample in every slot of a batch that fills one tile of the kernels and part of another; with one row a sample and with several,
 * for which there are kernels of their own. */
static const char *check_slots(bits *b)
{
    static float w[WIDTH * DEPTH], x[SLOTS * ROWS * DEPTH], z[SLOTS * ROWS * WIDTH];
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (float)draw(5, i);
    }
    for (size_t i = 0; i < 3; i++) { /* one row that is only evaluated, one row, several */
        const bool quick = i == 0;
        const size_t rows = i < 2 ? 1 : ROWS, each = rows * WIDTH;
        for (size_t k = 0; k < SLOTS * rows * DEPTH; k++) {
            x[k] = (float)draw(6, k % (rows * DEPTH));
        }
        if (!status_ok(multiply_rows(rows, quick, w, x, z))) {
            status_clear();
            return "the backend cannot prepare a linear layer";
        }
        memcpy(quick ? b->quick : b->slot, z, each * sizeof *z);
        for (size_t s = 1; s < SLOTS; s++) {
            if (memcmp(z, z + s * each, each * sizeof *z) != 0) {
                return "the same sample gives other bits in another place of the batch";
            }
        }
    }
    return NULL;
}

static const char mend[] = "use another version of the BLAS library, or other kernels (OPENBLAS_CORETYPE); "
                           "`pollard --version` names what is loaded";
static const char unlike[] =
    "see processor and blas above: nodes of one kind, the same modules, one OPENBLAS_CORETYPE for all ranks";

static status run(const doctor *d, check *out)
{
    static bits b;
    uint8_t digest[32];
    char text[65];
    const char *const *all;
    memset(&b, 0, sizeof b); /* padding too */
    const char *const wrong[] = {check_rounding(&b), check_random(&b), check_sums(d, &b),
                                 can_multiply(d) ? check_product(&b) : NULL, can_multiply(d) ? check_slots(&b) : NULL};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (wrong[i] != NULL) {
            check_say(out, CHECK_FAILED, mend, "%s (rank %zu, %.60s)", wrong[i], d->rank, d->host[d->rank]);
        }
    }
    sha256(&b, sizeof b, digest);
    sha256_text(digest, text);
    TRY(doctor_texts(d, text, &all));
    const size_t odd = doctor_odd_one(d, all);
    if (odd < d->size) {
        check_say(out, CHECK_FAILED, unlike, "rank %zu (%.60s) computes other bits than rank 0 (%.60s)", odd,
                  d->host[odd], d->host[0]);
    }
    check_say(out, CHECK_OK, "", "rounding, random numbers, exact sums%s%s (sha256 %.12s)",
              can_multiply(d) ? ", products, slots" : "", d->size > 1 ? ": the same bits on all ranks" : "", text);
    return STATUS_OK;
}

const check_def check_arithmetic = {
    "arithmetic", "sums, products and random numbers, bit for bit the same on all ranks", ST_ENVIRONMENT, run};
