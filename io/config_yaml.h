#ifndef IO_CONFIG_YAML_H
#define IO_CONFIG_YAML_H
/* YAML as a tree in an arena that remembers where everything stands. Made for hostile files: no anchors, aliases, merge keys or
 * tags, one document, bounded size, depth and number of values; every scalar stays the text that was written. */
#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/status.h"

typedef enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE } yaml_kind;

/* `origin` is the file's path, or, where line is 0, the whole text of an override ("--set a=b"). */
typedef struct yaml_place {
    const char *origin;
    size_t line, column; /* from 1; columns count characters, not bytes */
} yaml_place;

typedef struct yaml_node yaml_node;
struct yaml_node {
    yaml_kind kind;
    bool plain;         /* a scalar without quotes */
    const char *text;   /* of a scalar; may contain control characters, even zero bytes, from escapes: see `size` */
    size_t size;        /* bytes of text */
    const char *key;    /* its name in the mapping that holds it, else NULL */
    size_t index;       /* its place in the sequence that holds it */
    yaml_place at, key_at;
    size_t n;           /* values in a mapping or sequence */
    yaml_node *parent, *first, *last, *next;
};

/* What stands in `data`; *root is NULL where nothing does. `positions` is false for an override, whose origin says it all.
 * `origin` is borrowed. Errors: ST_CONFIG, ST_ENVIRONMENT (memory). */
MUST_CHECK status yaml_parse(arena *a, const char *origin, bool positions, const char *data, size_t size, yaml_node **root);

yaml_node *yaml_find(const yaml_node *mapping, const char *key);  /* the first of that key, or NULL */
yaml_node *yaml_element(const yaml_node *sequence, size_t index); /* or NULL */
bool yaml_is_null(const yaml_node *node);                         /* nothing after the colon, ~ or null */

/* A new node at the end of `parent` (key NULL in a sequence); parent NULL gives a root. NULL when memory is gone. */
yaml_node *yaml_add(arena *a, yaml_node *parent, yaml_kind kind, const char *key, yaml_place at);

/* A text without control characters as YAML for a block or a line of [ ] and { }: plain where it cannot be taken for anything else, else
 * quoted. Like snprintf: what does not fit into `size` bytes is cut, the length of the whole is returned. */
size_t yaml_scalar(const char *text, char *out, size_t size);

/* UTF-8 without control characters (and so without line ends and zero bytes). */
bool yaml_is_printable(const char *text, size_t size);

/* Texts for messages: short, and safe to print whatever was in the file. */
typedef struct yaml_words {
    char text[160];
} yaml_words;
yaml_words yaml_shown(const char *text, size_t size); /* as it is, cut, control characters as \xNN */
yaml_words yaml_found(const yaml_node *node);         /* "1.2", "'abc'", "the quoted text '5'", "a list", "a section", "nothing" */

/* "<place>: <path>", for messages about a value once more is known than its file; NULL when memory is gone. */
const char *yaml_where(arena *a, const yaml_node *node);

/* ST_CONFIG with "<place>: <path>: " before the message:   return FAIL_AT(node, "expected ..., found ...");
 * FAIL_AT_KEY points at the key of the node instead of its value. */
#define FAIL_AT(node, ...) yaml_fail(__FILE__, __LINE__, __func__, (node), &(node)->at, __VA_ARGS__)
#define FAIL_AT_KEY(node, ...) yaml_fail(__FILE__, __LINE__, __func__, (node), &(node)->key_at, __VA_ARGS__)
MUST_CHECK status yaml_fail(const char *file, int line, const char *function, const yaml_node *node, const yaml_place *at,
                            const char *fmt, ...) PRINTF_LIKE(6, 7);

#endif
