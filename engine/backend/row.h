#ifndef BACKEND_ROW_H
#define BACKEND_ROW_H
/* Linear layers of one row a sample, as behind a network's last pooling, whose weights are many and used once for each sample: they are read where they
 * lie, once for a micro-batch of up to 8, while OpenBLAS first puts them into an order of its own. AVX-512 only, and gcc only.
 *
 * Every output is the sum, part of the row after part, of 16 sums over every sixteenth input: nothing depends on the slot or the micro-batch. */
#include "backend/backend.h"

/* Forward, one row, no parts. */
bool row_possible(const conv_shape *s, conv_pass pass);

/* Errors: ST_ENVIRONMENT (memory). */
MUST_CHECK status row_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out);

#endif
