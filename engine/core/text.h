#ifndef CORE_TEXT_H
#define CORE_TEXT_H
/* Small text helpers. */
#include <stddef.h>

/* The candidate closest to `word` in edit distance (Damerau-Levenshtein, optimal string alignment), or NULL where none is
 * near enough to be what was meant (more than a third of the longer word). */
const char *text_closest(const char *word, size_t n, const char *const candidates[]);

#endif
