#ifndef CORE_TEXT_H
#define CORE_TEXT_H
/* Small text helpers. */
#include <stdbool.h>
#include <stddef.h>

/* The candidate closest to `word` in edit distance (Damerau-Levenshtein, optimal string alignment), or NULL where none is
 * near enough to be what was meant (more than a third of the longer word). */
const char *text_closest(const char *word, size_t n, const char *const candidates[]);

/* Bytes of the UTF-8 character (RFC 3629) at `text`, of which `left` bytes may be read; 0 where there is none. For a text that ends with
 * a zero byte any large `left` will do. */
size_t text_utf8_length(const char *text, size_t left);

/* Replaces each byte that is in no UTF-8 character by a question mark: names of files may have such. The length stays. */
void text_make_utf8(char *text);

/* C0, DEL and C1 (U+0080 to U+009F) at the UTF-8 character `at`. */
bool text_is_control(const char *at);

/* Replaces each byte that can command a terminal by a question mark: control characters, line ends too, and what an 8-bit terminal takes
 * for them outside UTF-8. The length stays. */
void text_make_printable(char *text);

#endif
