#ifndef SEARCH_SOBOL_H
#define SEARCH_SOBOL_H
/* Points that fill the unit cube: Sobol' sequences with the direction numbers of Joe and Kuo (Constructing Sobol' sequences with better
 * two-dimensional projections, SIAM J. Sci. Comput. 30, 2008; set new-joe-kuo-6), and independent random points. A coordinate is
 * a pure function of (seed, dimension, index), so that a sequence can be taken up anywhere. */
#include <stddef.h>
#include <stdint.h>

enum { SOBOL_DIMENSIONS = 128, SOBOL_BITS = 32 };

/* The published sequence, in the order of the Gray code (Antonov and Saleev 1979): index 0 is the origin, 1 the middle. In units of 2^-32. */
uint32_t sobol_digits(size_t dimension, uint32_t index);

/* Owen's nested uniform scrambling (Randomly permuted (t,m,s)-nets, 1995): every digit is flipped or not by a random bit that depends on all
 * digits before it. The points stay a net, each one is uniform in the cube. x [n] in (0, 1), n <= SOBOL_DIMENSIONS. */
void sobol_point(uint64_t seed, size_t n, uint32_t index, double x[]);

/* Uniform and independent: x [n] in [0, 1). */
void random_point(uint64_t seed, size_t n, uint32_t index, double x[]);

#endif
