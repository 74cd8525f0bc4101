#include "io/config_yaml.h"

#include <stdint.h>
#include <string.h>

#include <libfyaml.h>

#include "core/text.h"

/* libfyaml 0.7.12 exports it without a declaration; the headers of later versions have this very one. */
const struct fy_mark *fy_event_start_mark(struct fy_event *fye);

enum { MOST_BYTES = 1 << 20, MOST_VALUES = 100000, MOST_LEVELS = 16 };

typedef struct builder {
    arena *a;
    const char *origin;
    bool positions;
    yaml_node *root, *open; /* open: the collection that gets the next value */
    const char *key;        /* of the next value, where `open` is a mapping and its key has been read */
    yaml_place key_at;
    size_t levels, n_values, n_documents;
    yaml_place read; /* the last value that was */
} builder;

bool yaml_is_printable(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i += n) {
        n = text_utf8_length(text + i, size - i);
        if (n == 0 || text_is_control(text + i)) {
            return false;
        }
    }
    return true;
}

/* What YAML does not allow and a parser may stumble over: bytes that are not UTF-8, control characters, zero bytes. */
static status check_text(const char *origin, bool positions, const char *data, size_t size)
{
    yaml_place at = {origin, positions ? 1 : 0, 1};
    if (size > MOST_BYTES) {
        const yaml_node none = {.at = at};
        return FAIL_AT(&none, "expected at most %d bytes, found %zu; is this a study file?", MOST_BYTES, size);
    }
    for (size_t i = 0; i < size;) {
        const unsigned char *s = (const unsigned char *)data + i;
        const size_t n = text_utf8_length(data + i, size - i);
        const yaml_node here = {.at = at};
        if (n == 0) {
            return FAIL_AT(&here, "expected UTF-8, found the byte 0x%02x; save the text as UTF-8", s[0]);
        }
        if (text_is_control(data + i) && (s[0] == 0 || strchr("\t\n\r", s[0]) == NULL)) {
            return FAIL_AT(&here, "expected text, found the control character 0x%02x", s[n - 1]);
        }
        at.column++;
        if (s[0] == '\n') {
            at = (yaml_place){origin, positions ? at.line + 1 : 0, 1};
        }
        i += n;
    }
    return STATUS_OK;
}

/* Where the value of an event stands. One without text (nothing after the colon) has no mark: then where its key stands. */
static yaml_place place_of(const builder *b, struct fy_event *e)
{
    const struct fy_mark *mark = fy_event_start_mark(e);
    if (!b->positions) {
        return (yaml_place){b->origin, 0, 0};
    }
    if (mark == NULL || mark->line < 0 || mark->column < 0) {
        return b->key != NULL ? b->key_at : b->open != NULL ? b->open->at : (yaml_place){b->origin, 1, 1};
    }
    yaml_place at = {b->origin, (size_t)mark->line + 1, (size_t)mark->column + 1};
    const enum fy_scalar_style style = e->type == FYET_SCALAR ? fy_token_scalar_style(e->scalar.value) : FYSS_PLAIN;
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && at.column > 1) {
        at.column--; /* the mark is behind the opening quote */
    }
    return at;
}

static status refuse(const builder *b, struct fy_event *e, const char *what)
{
    const yaml_node here = {.at = place_of(b, e)};
    return FAIL_AT(&here, "%s are not used in study files; write the value out", what);
}

static status copy_text(arena *a, struct fy_token *token, const char **text, size_t *size)
{
    size_t n = 0;
    const char *from = token != NULL ? fy_token_get_text(token, &n) : NULL;
    char *copy = NULL;
    TRY_ALLOC(copy, a, n + 1);
    if (from != NULL && n > 0) {
        memcpy(copy, from, n);
    }
    *text = copy;
    *size = from != NULL ? n : 0;
    return STATUS_OK;
}

static status take_key(builder *b, struct fy_event *e)
{
    const char *text = NULL;
    size_t size = 0;
    const yaml_node here = {.at = place_of(b, e)};
    if (e->type != FYET_SCALAR) {
        return FAIL_AT(&here, "expected a key, found a list or section in its place");
    }
    TRY(copy_text(b->a, e->scalar.value, &text, &size));
    if (strcmp(text, "<<") == 0) {
        return refuse(b, e, "merge keys (<<)");
    }
    if (size == 0 || strlen(text) != size) {
        return FAIL_AT(&here, "expected a key, found %s", size == 0 ? "none" : "one with a zero byte");
    }
    b->key = text;
    b->key_at = here.at;
    return STATUS_OK;
}

static status add_value(builder *b, yaml_kind kind, struct fy_event *e)
{
    const yaml_node here = {.at = place_of(b, e)};
    if (++b->n_values > MOST_VALUES) {
        return FAIL_AT(&here, "expected at most %d values; is this a study file?", MOST_VALUES);
    }
    yaml_node *node = yaml_add(b->a, b->open, kind, b->key, here.at);
    if (node == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    node->key_at = b->key != NULL ? b->key_at : here.at;
    b->key = NULL;
    b->root = b->root != NULL ? b->root : node;
    if (kind == YAML_SCALAR) {
        node->plain = fy_token_scalar_style(e->scalar.value) == FYSS_PLAIN;
        return copy_text(b->a, e->scalar.value, &node->text, &node->size);
    }
    if (++b->levels > MOST_LEVELS) {
        return FAIL_AT(&here, "expected at most %d levels of nesting", MOST_LEVELS);
    }
    b->open = node;
    return STATUS_OK;
}

static status start(builder *b, yaml_kind kind, struct fy_token *anchor, struct fy_token *tag, struct fy_event *e)
{
    if (anchor != NULL) {
        return refuse(b, e, "anchors (&name) and aliases (*name)");
    }
    if (tag != NULL) {
        return refuse(b, e, "tags (!name)");
    }
    return b->open != NULL && b->open->kind == YAML_MAPPING && b->key == NULL ? take_key(b, e) : add_value(b, kind, e);
}

static status take_event(builder *b, struct fy_event *e)
{
    switch (e->type) {
    case FYET_DOCUMENT_START:
        if (b->n_documents++ > 0) {
            const yaml_node here = {.at = place_of(b, e)};
            return FAIL_AT(&here, "expected one document, found the start of another (---)");
        }
        return STATUS_OK;
    case FYET_ALIAS:
        return refuse(b, e, "anchors (&name) and aliases (*name)");
    case FYET_SCALAR:
        return start(b, YAML_SCALAR, e->scalar.anchor, e->scalar.tag, e);
    case FYET_MAPPING_START:
        return start(b, YAML_MAPPING, e->mapping_start.anchor, e->mapping_start.tag, e);
    case FYET_SEQUENCE_START:
        return start(b, YAML_SEQUENCE, e->sequence_start.anchor, e->sequence_start.tag, e);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        b->open = b->open->parent;
        b->levels--;
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

/* libfyaml's first complaint in our form. It can stop without one, as in a block of text that begins with 0 ("|0"). */
static status syntax_error(const builder *b, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    if (error == NULL || error->msg == NULL) {
        const yaml_node last = {.at = b->read};
        return FAIL_AT(&last, "not YAML: the parser stopped behind this place and gives no reason");
    }
    const bool placed = b->positions && error->line > 0 && error->column > 0;
    const yaml_node here = {.at = {b->origin, placed ? (size_t)error->line : 0, placed ? (size_t)error->column : 0}};
    return FAIL_AT(&here, "not YAML: %s", yaml_shown(error->msg, strlen(error->msg)).text);
}

static status take_events(builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
    for (bool end = false; !end;) {
        struct fy_event *e = fy_parser_parse(parser);
        if (e == NULL) {
            return syntax_error(b, diag);
        }
        end = e->type == FYET_STREAM_END;
        const struct fy_mark *mark = fy_event_start_mark(e);
        if (b->positions && mark != NULL && mark->line >= 0 && mark->column >= 0) {
            b->read = (yaml_place){b->origin, (size_t)mark->line + 1, (size_t)mark->column + 1};
        }
        const status st = take_event(b, e);
        fy_parser_event_free(parser, e);
        TRY(st);
    }
    return STATUS_OK;
}

/* Nothing but our own message may reach the user, whatever libfyaml has to say. */
static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)size;
}

status yaml_parse(arena *a, const char *origin, bool positions, const char *data, size_t size, yaml_node **root)
{
    TRY(check_text(origin, positions, data, size));
    builder b = {.a = a, .origin = origin, .positions = positions, .read = {origin, positions ? 1 : 0, positions ? 1 : 0}};
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = print_nothing;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (diag == NULL) {
        return FAIL(ST_ENVIRONMENT, "%s: no memory for the YAML parser", origin);
    }
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    status st = STATUS_OK;
    if (parser == NULL || fy_parser_set_string(parser, data, size) != 0) {
        st = FAIL(ST_ENVIRONMENT, "%s: no memory for the YAML parser", origin);
    } else {
        st = take_events(&b, parser, diag);
    }
    if (parser != NULL) {
        fy_parser_destroy(parser);
    }
    fy_diag_destroy(diag);
    *root = b.root;
    return st;
}
