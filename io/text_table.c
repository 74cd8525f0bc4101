#include "io/text_table.h"

#include <string.h>

#include "core/text.h"

status text_table_open(arena *a, size_t n_columns, size_t n_rows, text_table *out)
{
    *out = (text_table){.n_columns = n_columns, .n_rows = n_rows};
    TRY_ALLOC(out->cell, a, n_columns * (n_rows + 1));
    TRY_ALLOC(out->right, a, n_columns);
    TRY_ALLOC(out->width, a, n_columns);
    return STATUS_OK;
}

/* Characters, not bytes: UTF-8's following bytes do not count. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; text != NULL && *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static size_t column_width(const text_table *t, size_t column)
{
    size_t widest = 0;
    for (size_t r = 0; r <= t->n_rows; r++) {
        const size_t width = width_of(t->cell[r * t->n_columns + column]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_padded(FILE *to, const char *text, size_t width, bool right, bool last)
{
    const int pad = (int)(width - width_of(text));
    if (right) {
        (void)fprintf(to, "%*s%s", pad, "", text);
    } else {
        (void)fprintf(to, "%s%*s", text, last ? 0 : pad, "");
    }
}

void text_table_print(const text_table *t, FILE *to)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        t->width[c] = column_width(t, c);
    }
    for (size_t r = 0; r <= t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const char *text = t->cell[r * t->n_columns + c];
            (void)fputs("  ", to);
            print_padded(to, text == NULL ? "" : text, t->width[c], t->right[c], c + 1 == t->n_columns);
        }
        (void)fputc('\n', to);
    }
}

status text_printable(arena *a, const char *text, size_t most, const char **out)
{
    const size_t line = strcspn(text, "\r\n"), length = line < most ? line : most;
    char *copy;
    TRY_TEXT(copy, a, "%.*s%s", (int)length, text, text[length] == '\0' ? "" : " ...");
    text_make_printable(copy);
    *out = copy;
    return STATUS_OK;
}
