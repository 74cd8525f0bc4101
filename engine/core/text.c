#include "core/text.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; words are cut at LONGEST letters. */
static size_t distance(const char *a, const char *b)
{
    const size_t n = smaller(strlen(a), LONGEST), m = smaller(strlen(b), LONGEST);
    size_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= n; i++) {
        d[i][0] = i;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            const size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = smaller(smaller(d[i - 1][j] + 1, d[i][j - 1] + 1), d[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[n][m];
}

const char *text_closest(const char *word, size_t n, const char *const candidates[])
{
    const char *best = NULL;
    size_t best_distance = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t d = distance(word, candidates[i]);
        const size_t longer = strlen(word) > strlen(candidates[i]) ? strlen(word) : strlen(candidates[i]);
        if (3 * d <= longer + 1 && (best == NULL || d < best_distance)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

size_t text_utf8_length(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text, c = s[0];
    const size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) { /* also at a terminating zero, so that nothing behind it is read */
            return 0;
        }
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    const bool wrong = (c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] >= 0xa0) || (c == 0xf0 && s[1] < 0x90) ||
                       (c == 0xf4 && s[1] >= 0x90);
    return wrong ? 0 : n;
}

void text_make_utf8(char *text)
{
    while (*text != '\0') {
        const size_t n = text_utf8_length(text, SIZE_MAX);
        *text = n == 0 ? '?' : *text;
        text += n == 0 ? 1 : n;
    }
}

bool text_is_control(const char *at)
{
    const unsigned char *s = (const unsigned char *)at;
    return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

void text_make_printable(char *text)
{
    for (char *p = text; *p != '\0';) {
        const size_t n = text_utf8_length(p, SIZE_MAX);
        const unsigned char c = (unsigned char)*p;
        if (n == 0 ? c >= 0x80 && c < 0xa0 : text_is_control(p)) {
            memset(p, '?', n == 0 ? 1 : n);
        }
        p += n == 0 ? 1 : n;
    }
}
