#ifndef PIPELINE_EXPORT_COMPARE_H
#define PIPELINE_EXPORT_COMPARE_H
/* Masked and shrunk network side by side, run by our own engine from the numbers that the files will have. */
#include "pipeline/export_network.h"

typedef struct export_comparison {
    const char *images, *from; /* "study" and the folder, or "random" and why */
    const char *backend;
    size_t n_images, n_agree;  /* n_agree: the same largest logit */
    double difference;         /* largest over the images of max |masked - shrunk| / max |masked| */
} export_comparison;

/* Errors: ST_BUG where they are not the same network. */
MUST_CHECK status export_compare(arena *a, const config *cfg, const export_network *n, export_comparison *out);

#endif
