#ifndef CORE_LOG_H
#define CORE_LOG_H
/* Log lines `t=12.4 level=info rank=0 stage=attribute ...` to stderr, one write each. Info speaks on rank 0 only, warnings and
 * errors on every rank, debug only with --verbose. Kernels do not log. */
#include "core/status.h"

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } log_level;

void log_start(int rank, log_level least); /* also sets t=0 */
void log_line(log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
double log_seconds(void); /* since log_start */

#endif
