/* The stack machine. Opcodes are those of Python's pickletools; what torch.save writes and its older versions wrote, and nothing that
 * only other programs need. */
#include "io/pickle.h"

#include <inttypes.h>
#include <string.h>

#include "io/pickle_objects.h"

enum {
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2,
    OP_TUPLE3,
    OP_NEWTRUE,
    OP_NEWFALSE,
    OP_LONG1,
    OP_LONG4,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8,
    OP_BINBYTES8,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE,
    OP_FRAME
};

typedef struct machine {
    pickle_place place;
    const unsigned char *data;
    size_t size, first, at; /* of the file; where the pickle begins; the next byte to read */
    pickle_list stack, memo;
    size_t mark[PICKLE_MOST_MARKS], n_marks; /* heights of the stack */
    size_t values;
    pickle_storages *storages;
} machine;

#define AT "%s: %s, byte %zu: "
#define PLACE(m) (m)->place.source, (m)->place.part, (m)->place.byte

const char *pickle_kind_name(pickle_kind k)
{
    static const char *const names[] = {"nothing",  "None",      "a truth value", "an integer", "a large integer",
                                        "a number", "text",      "a tuple",       "a list",     "a dictionary",
                                        "a name",   "a storage", "a tensor"};
    return names[k];
}

bool pickle_is_text(const pickle_value *v, const char *text)
{
    return v->kind == PICKLE_TEXT && v->text.size == strlen(text) && memcmp(v->text.start, text, v->text.size) == 0;
}

const pickle_value *pickle_find(const pickle_value *dict, const char *key)
{
    for (size_t i = 0; dict->kind == PICKLE_DICT && i + 1 < dict->list->n; i += 2) {
        if (pickle_is_text(&dict->list->item[i], key)) {
            return &dict->list->item[i + 1];
        }
    }
    return NULL;
}

static status take_bytes(machine *m, uint64_t n, const unsigned char **out)
{
    if (n > m->size - m->at) {
        return FAIL(ST_DATA,
                    AT "expected %" PRIu64
                       " more bytes, found %zu: the file is truncated or damaged; copy or download it again",
                    PLACE(m), n, m->size - m->at);
    }
    *out = m->data + m->at;
    m->at += (size_t)n;
    if (m->at - m->first > PICKLE_MOST_BYTES) {
        return FAIL(ST_DATA, AT "expected the description of tensors in at most %d bytes, found more", PLACE(m),
                    (int)PICKLE_MOST_BYTES);
    }
    return STATUS_OK;
}

/* A little-endian number of up to 8 bytes. */
static status take_number(machine *m, size_t bytes, uint64_t *out)
{
    const unsigned char *p = NULL;
    TRY(take_bytes(m, bytes, &p));
    *out = 0;
    for (size_t i = 0; i < bytes; i++) {
        *out |= (uint64_t)p[i] << (8 * i);
    }
    return STATUS_OK;
}

/* Stack. */

static status push(machine *m, const pickle_value *v)
{
    if (++m->values > PICKLE_MOST_VALUES) {
        return FAIL(ST_DATA, AT "expected at most %d values, found more", PLACE(m), (int)PICKLE_MOST_VALUES);
    }
    return pickle_append(m->place.a, &m->stack, v);
}

static size_t floor_of(const machine *m)
{
    return m->n_marks > 0 ? m->mark[m->n_marks - 1] : 0;
}

/* Where the next value comes; NULL as long as there has been none, from which not even 0 may be counted. */
static pickle_value *top(const machine *m)
{
    return m->stack.item == NULL ? NULL : m->stack.item + m->stack.n;
}

/* The n topmost values, which stay in place until something is pushed. */
static status pop(machine *m, size_t n, pickle_value **out)
{
    if (m->stack.n - floor_of(m) < n) {
        return FAIL(ST_DATA, AT "expected %zu values on the stack, found %zu: the file is damaged", PLACE(m), n,
                    m->stack.n - floor_of(m));
    }
    m->stack.n -= n;
    *out = top(m);
    return STATUS_OK;
}

static status put_mark(machine *m)
{
    if (m->n_marks == PICKLE_MOST_MARKS) {
        return FAIL(ST_DATA, AT "expected values nested at most %d deep, found more", PLACE(m), (int)PICKLE_MOST_MARKS);
    }
    m->mark[m->n_marks++] = m->stack.n;
    return STATUS_OK;
}

/* All values above the last mark. */
static status pop_mark(machine *m, size_t *n, pickle_value **out)
{
    if (m->n_marks == 0) {
        return FAIL(ST_DATA, AT "expected a mark on the stack, found none: the file is damaged", PLACE(m));
    }
    *n = m->stack.n - floor_of(m);
    m->n_marks--;
    m->stack.n -= *n;
    *out = top(m);
    return STATUS_OK;
}

/* Memo. The numbers that Python gives out count up, so none is larger than the pickle has bytes so far. */

static status memo_put(machine *m, uint64_t index)
{
    const pickle_value absent = {PICKLE_ABSENT, {0}};
    if (m->stack.n == floor_of(m) || index > m->at - m->first || index > PICKLE_MOST_VALUES) {
        return FAIL(ST_DATA, AT "expected a value to remember under a small number, found number %" PRIu64, PLACE(m),
                    index);
    }
    while (m->memo.n <= index) {
        TRY(pickle_append(m->place.a, &m->memo, &absent));
    }
    m->memo.item[index] = m->stack.item[m->stack.n - 1];
    return STATUS_OK;
}

static status memo_get(machine *m, uint64_t index)
{
    if (index >= m->memo.n || m->memo.item[index].kind == PICKLE_ABSENT) {
        return FAIL(ST_DATA, AT "refers to value %" PRIu64 ", which does not exist: the file is damaged", PLACE(m),
                    index);
    }
    const pickle_value v = m->memo.item[index];
    return push(m, &v);
}

/* Numbers and texts. */

static status push_simple(machine *m, pickle_kind kind, int64_t value)
{
    const pickle_value v = {.kind = kind, .integer = value};
    return push(m, &v);
}

static status push_unsigned(machine *m, size_t bytes)
{
    uint64_t value = 0;
    TRY(take_number(m, bytes, &value));
    return push_simple(m, PICKLE_INTEGER, bytes == 4 ? (int32_t)(uint32_t)value : (int64_t)value);
}

/* Two's complement of any length. */
static status push_long(machine *m, size_t length_bytes)
{
    const unsigned char *p = NULL;
    uint64_t n = 0, value = 0;
    TRY(take_number(m, length_bytes, &n));
    TRY(take_bytes(m, n, &p));
    if (n > 8) {
        return push_simple(m, PICKLE_LARGE, 0);
    }
    for (size_t i = 0; i < 8; i++) {
        const unsigned char fill = n > 0 && (p[n - 1] & 0x80) != 0 ? 0xff : 0;
        value |= (uint64_t)(i < n ? p[i] : fill) << (8 * i);
    }
    int64_t signed_value;
    memcpy(&signed_value, &value, sizeof value);
    return push_simple(m, PICKLE_INTEGER, signed_value);
}

static status push_real(machine *m) /* big-endian */
{
    const unsigned char *p = NULL;
    uint64_t bits = 0;
    pickle_value v = {.kind = PICKLE_REAL};
    TRY(take_bytes(m, 8, &p));
    for (size_t i = 0; i < 8; i++) {
        bits = bits << 8 | p[i];
    }
    memcpy(&v.real, &bits, sizeof v.real);
    return push(m, &v);
}

static status push_text(machine *m, size_t length_bytes)
{
    const unsigned char *p = NULL;
    uint64_t n = 0;
    TRY(take_number(m, length_bytes, &n));
    TRY(take_bytes(m, n, &p));
    const pickle_value v = {.kind = PICKLE_TEXT, .text = {(const char *)p, (size_t)n}};
    return push(m, &v);
}

/* Containers. */

static status push_list(machine *m, pickle_kind kind, size_t n, const pickle_value *items)
{
    pickle_value v = {.kind = kind};
    TRY_ALLOC(v.list, m->place.a, 1);
    if (n > 0) {
        TRY_ALLOC(v.list->item, m->place.a, n);
        memcpy(v.list->item, items, n * sizeof *items);
        v.list->n = v.list->room = n;
    }
    return push(m, &v);
}

static status push_tuple(machine *m, size_t n)
{
    pickle_value *items = NULL;
    TRY(pop(m, n, &items));
    return push_list(m, PICKLE_TUPLE, n, items);
}

static status push_marked(machine *m, pickle_kind kind)
{
    pickle_value *items = NULL;
    size_t n = 0;
    TRY(pop_mark(m, &n, &items));
    if (kind == PICKLE_DICT && n % 2 != 0) {
        return FAIL(ST_DATA, AT "expected a value for each key, found %zu values: the file is damaged", PLACE(m), n);
    }
    return push_list(m, kind, n, items);
}

/* Adds values that lie above a list or a dictionary to it. */
static status extend(machine *m, pickle_kind kind, size_t n, const pickle_value *items)
{
    const pickle_value *to = m->stack.n > floor_of(m) ? &m->stack.item[m->stack.n - 1] : NULL;
    if (to == NULL || to->kind != kind || (kind == PICKLE_DICT && n % 2 != 0)) {
        return FAIL(ST_DATA, AT "expected %s to add %zu values to, found %s: the file is damaged", PLACE(m),
                    pickle_kind_name(kind), n, pickle_kind_name(to == NULL ? PICKLE_ABSENT : to->kind));
    }
    for (size_t i = 0; i < n; i++) {
        TRY(pickle_append(m->place.a, to->list, &items[i]));
    }
    return STATUS_OK;
}

static status extend_marked(machine *m, pickle_kind kind)
{
    pickle_value *items = NULL;
    size_t n = 0;
    TRY(pop_mark(m, &n, &items));
    return extend(m, kind, n, items);
}

static status extend_by(machine *m, pickle_kind kind, size_t n)
{
    pickle_value *items = NULL;
    TRY(pop(m, n, &items));
    return extend(m, kind, n, items);
}

/* References. */

static status take_line(machine *m, const char **start, size_t *size)
{
    const unsigned char *from = m->data + m->at, *end = memchr(from, '\n', m->size - m->at), *p = NULL;
    if (end == NULL) {
        return FAIL(ST_DATA, AT "expected a name and the end of its line: the file is truncated or damaged", PLACE(m));
    }
    *start = (const char *)from;
    *size = (size_t)(end - from);
    return take_bytes(m, *size + 1, &p);
}

static status push_global(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_size = 0, name_size = 0;
    pickle_value v = {0};
    TRY(take_line(m, &module, &module_size));
    TRY(take_line(m, &name, &name_size));
    TRY(pickle_global_find(&m->place, module, module_size, name, name_size, &v));
    return push(m, &v);
}

static status push_stack_global(machine *m)
{
    pickle_value *v = NULL, out = {0};
    TRY(pop(m, 2, &v));
    if (v[0].kind != PICKLE_TEXT || v[1].kind != PICKLE_TEXT) {
        return FAIL(ST_DATA, AT "expected two texts as a name, found %s and %s", PLACE(m), pickle_kind_name(v[0].kind),
                    pickle_kind_name(v[1].kind));
    }
    TRY(pickle_global_find(&m->place, v[0].text.start, v[0].text.size, v[1].text.start, v[1].text.size, &out));
    return push(m, &out);
}

static status call(machine *m)
{
    pickle_value *v = NULL, out = {0};
    TRY(pop(m, 2, &v));
    TRY(pickle_call(&m->place, &v[0], &v[1], &out));
    m->values += out.kind == PICKLE_DICT ? out.list->n : 0; /* a remembered list of pairs is copied at every call */
    return push(m, &out);
}

static status persistent(machine *m)
{
    pickle_value *v = NULL, out = {0};
    TRY(pop(m, 1, &v));
    TRY(pickle_persistent(&m->place, v, m->storages, &out));
    return push(m, &out);
}

/* Attributes of an ordered dictionary (torch keeps versions of modules there) or of a parameter say nothing about weights. */
static status build(machine *m)
{
    pickle_value *state = NULL;
    TRY(pop(m, 1, &state));
    const pickle_value *to = m->stack.n > floor_of(m) ? &m->stack.item[m->stack.n - 1] : NULL;
    if (to == NULL || (to->kind != PICKLE_DICT && to->kind != PICKLE_TENSOR)) {
        return FAIL(ST_DATA, AT "expected attributes of a dictionary or tensor, found some of %s", PLACE(m),
                    pickle_kind_name(to == NULL ? PICKLE_ABSENT : to->kind));
    }
    return STATUS_OK;
}

static status start(machine *m, unsigned char op)
{
    uint64_t value = 0;
    TRY(take_number(m, op == OP_PROTO ? 1 : 8, &value)); /* a frame's length is a hint for buffered reading */
    if (op == OP_PROTO && (value < 2 || value > 5)) {
        return FAIL(ST_DATA, AT "expected a pickle of protocol 2 to 5, found %" PRIu64, PLACE(m), value);
    }
    return STATUS_OK;
}

static status memo_by_number(machine *m, status (*act)(machine *, uint64_t), size_t bytes)
{
    uint64_t index = 0;
    TRY(take_number(m, bytes, &index));
    return act(m, index);
}

static status step(machine *m, unsigned char op)
{
    switch (op) {
    case OP_PROTO:
    case OP_FRAME:
        return start(m, op);
    case 'N':
        return push_simple(m, PICKLE_NONE, 0);
    case OP_NEWTRUE:
        return push_simple(m, PICKLE_BOOL, 1);
    case OP_NEWFALSE:
        return push_simple(m, PICKLE_BOOL, 0);
    case 'K':
        return push_unsigned(m, 1);
    case 'M':
        return push_unsigned(m, 2);
    case 'J':
        return push_unsigned(m, 4);
    case OP_LONG1:
        return push_long(m, 1);
    case OP_LONG4:
        return push_long(m, 4);
    case 'G':
        return push_real(m);
    case OP_SHORT_BINUNICODE:
    case 'U':
    case 'C':
        return push_text(m, 1);
    case 'X':
    case 'T':
    case 'B':
        return push_text(m, 4);
    case OP_BINUNICODE8:
    case OP_BINBYTES8:
        return push_text(m, 8);
    case '(':
        return put_mark(m);
    case ')':
        return push_list(m, PICKLE_TUPLE, 0, NULL);
    case ']':
        return push_list(m, PICKLE_LIST, 0, NULL);
    case '}':
        return push_list(m, PICKLE_DICT, 0, NULL);
    case 't':
        return push_marked(m, PICKLE_TUPLE);
    case 'l':
        return push_marked(m, PICKLE_LIST);
    case 'd':
        return push_marked(m, PICKLE_DICT);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return push_tuple(m, op - OP_TUPLE1 + 1u);
    case 'a':
        return extend_by(m, PICKLE_LIST, 1);
    case 'e':
        return extend_marked(m, PICKLE_LIST);
    case 's':
        return extend_by(m, PICKLE_DICT, 2);
    case 'u':
        return extend_marked(m, PICKLE_DICT);
    case 'q':
        return memo_by_number(m, memo_put, 1);
    case 'r':
        return memo_by_number(m, memo_put, 4);
    case OP_MEMOIZE:
        return memo_put(m, m->memo.n);
    case 'h':
        return memo_by_number(m, memo_get, 1);
    case 'j':
        return memo_by_number(m, memo_get, 4);
    case 'c':
        return push_global(m);
    case OP_STACK_GLOBAL:
        return push_stack_global(m);
    case 'R':
    case OP_NEWOBJ:
        return call(m);
    case 'b':
        return build(m);
    case 'Q':
        return persistent(m);
    default:
        return FAIL(ST_DATA,
                    AT "found the pickle operation 0x%02x, which checkpoints do not need; the file is damaged or not "
                       "by torch.save",
                    PLACE(m), op);
    }
}

status pickle_read(arena *a, const char *source, const char *part, file_bytes bytes, size_t *at,
                   pickle_storages *storages, pickle_value *out)
{
    machine m = {.place = {a, source, part, *at},
                 .data = bytes.data,
                 .size = bytes.size,
                 .first = *at,
                 .at = *at,
                 .storages = storages};
    const unsigned char *op = NULL;
    pickle_value *result = NULL;
    for (;;) {
        m.place.byte = m.at;
        TRY(take_bytes(&m, 1, &op));
        if (*op == '.') {
            break;
        }
        TRY(step(&m, *op));
    }
    if (m.n_marks > 0) {
        return FAIL(ST_DATA, AT "expected the end of nested values, found the end of the pickle: the file is damaged",
                    PLACE(&m));
    }
    TRY(pop(&m, 1, &result));
    *out = *result;
    *at = m.at;
    return STATUS_OK;
}
