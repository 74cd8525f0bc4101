#ifndef ATTRIBUTION_HEATMAP_H
#define ATTRIBUTION_HEATMAP_H
/* What is said of an image's explanation and of the network's answer. Sums are in double, in a fixed order. */
#include <stddef.h>
#include <stdint.h>

/* r [channels, pixels] -> map [pixels], the sum over the channels: what one draws. */
void heatmap_fold(size_t channels, size_t pixels, const float *r, float *map);

/* a.b / (|a| |b|): 1 for equal directions, 0 where nothing is shared, -1 for opposite ones; exactly 1 of an array with itself. 0 where either
 * is all zeros: an explanation that is gone has nothing in common with one. Not a number where a value is not finite. */
double heatmap_cosine(size_t n, const float *a, const float *b);

/* The answer among some of the classes: logits of all [.], classes [n] which of them, `place` that of the true one in `classes`. */
typedef struct heatmap_answer {
    double logit, confidence; /* of the true class; its softmax over the n classes. Not a number where a logit is not */
    uint32_t prediction;      /* place of the largest logit, the first of equals; NO_ANSWER where one is not a number */
} heatmap_answer;
#define NO_ANSWER UINT32_MAX
heatmap_answer heatmap_ask(const float *logits, size_t n, const uint32_t classes[], size_t place);

#endif
