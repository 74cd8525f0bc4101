/* Chains of multiply-adds in registers: more independent ones than latency times units, so that every unit starts one
 * each cycle. Written with vector types; this file is compiled with -ffp-contract=fast, so that a * b + c is one
 * instruction where there is one (check_bench.cmake looks for it in the machine code). */
#include "bench/peak.h"

#include <stddef.h>

#include "bench/clock.h"

enum { LOOPS = 500000, REPETITIONS = 100 };

#if defined(__x86_64__)
/* 16 vector registers hold 12 sums and the two factors; 2 units x latency 5 need 10. */
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
enum { N_SUMS = 12 };
#else
/* 32 registers; some processors have 4 units. */
#define MORE_SUMS(DO) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23)
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) MORE_SUMS(DO)
enum { N_SUMS = 24 };
#endif

#define DECLARE(i) vector sum##i = {(float)(i)};
#define MULTIPLY_ADD(i) sum##i = sum##i * factor + summand;
#define ADD_UP(i) total += sum##i;

/* Each sum tends to summand / (1 - factor): no overflow, no denormal numbers. The result depends on all of them, so
 * that none can be left out. */
#define DEFINE_LOOP(name, bytes, target)                                                                               \
    target static float name(size_t n, float f, float s)                                                               \
    {                                                                                                                  \
        typedef float vector __attribute__((vector_size(bytes)));                                                      \
        const vector zero = {0.0f}, factor = zero + f, summand = zero + s;                                             \
        vector total = zero;                                                                                           \
        SUMS(DECLARE)                                                                                                  \
        for (size_t i = 0; i < n; i++) {                                                                               \
            SUMS(MULTIPLY_ADD)                                                                                         \
        }                                                                                                              \
        SUMS(ADD_UP)                                                                                                   \
        float result = 0.0f;                                                                                           \
        for (size_t i = 0; i < (bytes) / sizeof(float); i++) {                                                         \
            result += total[i];                                                                                        \
        }                                                                                                              \
        return result;                                                                                                 \
    }

DEFINE_LOOP(multiply_add_baseline, 16, )
#if defined(__x86_64__)
DEFINE_LOOP(multiply_add_avx2, 32, __attribute__((target("avx2,fma"))))
DEFINE_LOOP(multiply_add_avx512, 64, __attribute__((target("avx512f"))))
#endif

typedef struct loop {
    const char *isa;
    size_t lanes;
    float (*run)(size_t n, float f, float s);
} loop;

static double best_rate(const loop *l)
{
    volatile float f = 0.5f, s = 1.0f, sink; /* not known to the compiler */
    double best = 0.0;
    for (int i = 0; i < REPETITIONS; i++) {
        const double started = clock_wall();
        sink = l->run(LOOPS, f, s);
        const double seconds = clock_wall() - started;
        const double rate = 2.0 * (double)LOOPS * N_SUMS * (double)l->lanes / seconds;
        best = rate > best ? rate : best;
    }
    (void)sink;
    return best;
}

peak peak_measure(void)
{
    peak best = {"none", 0.0};
    size_t n = 0;
    loop usable[3];
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        usable[n++] = (loop){"avx512f", 16, multiply_add_avx512};
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        usable[n++] = (loop){"avx2+fma", 8, multiply_add_avx2};
    }
#endif
    if (n == 0) {
        usable[n++] = (loop){"baseline", 4, multiply_add_baseline};
    }
    for (size_t i = 0; i < n; i++) {
        const double rate = best_rate(&usable[i]);
        best = rate > best.flops_per_second ? (peak){usable[i].isa, rate} : best;
    }
    return best;
}
