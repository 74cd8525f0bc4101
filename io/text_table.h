#ifndef IO_TEXT_TABLE_H
#define IO_TEXT_TABLE_H
/* A table for the terminal: columns as wide as their widest cell, numbers to the right. */
#include "core/arena.h"
#include "core/status.h"

typedef struct text_table {
    size_t n_columns, n_rows;
    const char **cell; /* [n_rows + 1, n_columns], the heading first; NULL = empty */
    bool *right;       /* [n_columns] aligned to the right */
    size_t *width;     /* [n_columns], for printing */
} text_table;

MUST_CHECK status text_table_open(arena *a, size_t n_columns, size_t n_rows, text_table *out);
void text_table_print(const text_table *t, FILE *to);

/* The text with control characters replaced, so that a file's texts cannot command a terminal; at most `most` bytes of its first line. */
MUST_CHECK status text_printable(arena *a, const char *text, size_t most, const char **out);

#endif
