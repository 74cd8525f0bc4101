#ifndef CORE_VECTOR_H
#define CORE_VECTOR_H
/* VECTOR_KERNEL in front of a function with hot loops: the compiler makes one copy for each of these instruction sets, and the loader takes the
 * best that the processor has. The bits are the same in all of them: operations are neither fused (-ffp-contract=off) nor reordered. The
 * functions that such a kernel calls must be inlined into it (`static inline`). Not under sanitizers, whose start-up comes after the
 * loader's choice. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define VECTOR_KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR_KERNEL
#endif

#endif
