#include "io/pickle_objects.h"

#include <inttypes.h>
#include <string.h>

/* What calling a name gives. */
typedef enum global_kind { GLOBAL_DICT, GLOBAL_STORAGE, GLOBAL_TENSOR, GLOBAL_PARAMETER, GLOBAL_SIZE } global_kind;

struct pickle_global {
    const char *module, *name;
    global_kind kind;
    size_t least, most;      /* arguments */
    const number_type *type; /* of storages */
};

static const struct pickle_global known[] = {
    {"collections", "OrderedDict", GLOBAL_DICT, 0, 1, NULL},
    {"torch._utils", "_rebuild_tensor", GLOBAL_TENSOR, 4, 4, NULL},
    {"torch._utils", "_rebuild_tensor_v2", GLOBAL_TENSOR, 6, 7, NULL},
    {"torch._utils", "_rebuild_parameter", GLOBAL_PARAMETER, 3, 3, NULL},
    {"torch.nn.parameter", "Parameter", GLOBAL_PARAMETER, 1, 2, NULL}, /* files of 2017 */
    {"torch", "Size", GLOBAL_SIZE, 1, 1, NULL},
};

/* Beginning of every message: file, pickle, byte. */
#define AT "%s: %s, byte %zu: "

static bool same(const char *text, size_t size, const char *other)
{
    return strlen(other) == size && memcmp(text, other, size) == 0;
}

status pickle_global_find(const pickle_place *p, const char *module, size_t module_size, const char *name,
                          size_t name_size, pickle_value *out)
{
    out->kind = PICKLE_GLOBAL;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (same(module, module_size, known[i].module) && same(name, name_size, known[i].name)) {
            out->global = &known[i];
            return STATUS_OK;
        }
    }
    const bool torch = same(module, module_size, "torch") || same(module, module_size, "torch.cuda");
    const number_type *type = torch ? number_type_of_storage(name, name_size) : NULL;
    if (type == NULL) {
        return FAIL(ST_DATA,
                    AT "refers to '%.*s.%.*s', which PyTorch would import; only tensors, dictionaries, lists, numbers "
                       "and texts are "
                       "read, and nothing is executed. Save the weights alone: torch.save(model.state_dict(), path)",
                    p->source, p->part, p->byte, (int)(module_size < 100 ? module_size : 100), module,
                    (int)(name_size < 100 ? name_size : 100), name);
    }
    struct pickle_global *g;
    TRY_ALLOC(g, p->a, 1);
    *g = (struct pickle_global){"torch", type->storage, GLOBAL_STORAGE, 0, 0, type};
    out->global = g;
    return STATUS_OK;
}

status pickle_append(arena *a, pickle_list *list, const pickle_value *v)
{
    if (list->n == list->room) {
        const size_t room = list->room == 0 ? 4 : 2 * list->room;
        pickle_value *item;
        TRY_ALLOC(item, a, room);
        if (list->n > 0) {
            memcpy(item, list->item, list->n * sizeof *item);
        }
        list->item = item;
        list->room = room;
    }
    list->item[list->n++] = *v;
    return STATUS_OK;
}

/* OrderedDict() or, as Python 2 wrote it, OrderedDict([[key, value], ...]). */
static status make_dict(const pickle_place *p, const pickle_list *arguments, pickle_value *out)
{
    TRY_ALLOC(out->list, p->a, 1);
    out->kind = PICKLE_DICT;
    if (arguments->n == 0) {
        return STATUS_OK;
    }
    const pickle_value *pairs = &arguments->item[0];
    bool good = pairs->kind == PICKLE_LIST || pairs->kind == PICKLE_TUPLE;
    for (size_t i = 0; good && i < pairs->list->n; i++) {
        const pickle_value *pair = &pairs->list->item[i];
        good = (pair->kind == PICKLE_LIST || pair->kind == PICKLE_TUPLE) && pair->list->n == 2;
        if (good) {
            TRY(pickle_append(p->a, out->list, &pair->list->item[0]));
            TRY(pickle_append(p->a, out->list, &pair->list->item[1]));
        }
    }
    return good ? STATUS_OK
                : FAIL(ST_DATA, AT "expected OrderedDict with a list of pairs, found %s", p->source, p->part, p->byte,
                       pickle_kind_name(pairs->kind));
}

/* A tuple of non-negative integers, at most MAX_TENSOR_DIMS of them. */
static status read_sizes(const pickle_place *p, const char *what, const pickle_value *v, size_t *n, uint64_t out[])
{
    const bool list = v->kind == PICKLE_TUPLE || v->kind == PICKLE_LIST;
    bool good = list && v->list->n <= MAX_TENSOR_DIMS;
    for (size_t i = 0; good && i < v->list->n; i++) {
        const pickle_value *item = &v->list->item[i];
        good = item->kind == PICKLE_INTEGER && item->integer >= 0;
        out[i] = good ? (uint64_t)item->integer : 0;
    }
    if (!good) {
        return FAIL(ST_DATA, AT "expected the %s of a tensor as at most %d numbers of at least 0, found %s", p->source,
                    p->part, p->byte, what, (int)MAX_TENSOR_DIMS, list ? "others" : pickle_kind_name(v->kind));
    }
    *n = v->list->n;
    return STATUS_OK;
}

/* (storage, offset, size, stride, ...) */
static status make_tensor(const pickle_place *p, const pickle_list *arguments, pickle_value *out)
{
    const pickle_value *storage = &arguments->item[0], *offset = &arguments->item[1];
    torch_tensor *t;
    size_t strides = 0;
    TRY_ALLOC(t, p->a, 1);
    if (storage->kind != PICKLE_STORAGE || offset->kind != PICKLE_INTEGER || offset->integer < 0) {
        return FAIL(ST_DATA, AT "expected a tensor of a storage and an offset of at least 0, found %s and %s",
                    p->source, p->part, p->byte, pickle_kind_name(storage->kind), pickle_kind_name(offset->kind));
    }
    t->storage = storage->storage;
    t->offset = (uint64_t)offset->integer;
    TRY(read_sizes(p, "size", &arguments->item[2], &t->rank, t->dim));
    TRY(read_sizes(p, "strides", &arguments->item[3], &strides, t->stride));
    if (strides != t->rank) {
        return FAIL(ST_DATA, AT "expected a stride for each of %zu dimensions, found %zu", p->source, p->part, p->byte,
                    t->rank, strides);
    }
    out->kind = PICKLE_TENSOR;
    out->tensor = t;
    return STATUS_OK;
}

status pickle_call(const pickle_place *p, const pickle_value *function, const pickle_value *arguments,
                   pickle_value *out)
{
    if (function->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_TUPLE) {
        return FAIL(ST_DATA, AT "expected a call of a known name with a tuple, found a call of %s with %s", p->source,
                    p->part, p->byte, pickle_kind_name(function->kind), pickle_kind_name(arguments->kind));
    }
    const struct pickle_global *g = function->global;
    const pickle_list *list = arguments->list;
    if (g->kind == GLOBAL_STORAGE || list->n < g->least || list->n > g->most) {
        return FAIL(ST_DATA, AT "%s.%s cannot be called with %zu arguments here", p->source, p->part, p->byte,
                    g->module, g->name, list->n);
    }
    const pickle_kind wanted =
        g->kind == GLOBAL_PARAMETER ? PICKLE_TENSOR : PICKLE_TUPLE; /* of the kinds that hand on what they get */
    switch (g->kind) {
    case GLOBAL_DICT:
        return make_dict(p, list, out);
    case GLOBAL_TENSOR:
        return make_tensor(p, list, out);
    default:
        *out = list->item[0];
        return out->kind == wanted ? STATUS_OK
                                   : FAIL(ST_DATA, AT "expected %s.%s of %s, found %s", p->source, p->part, p->byte,
                                          g->module, g->name, pickle_kind_name(wanted), pickle_kind_name(out->kind));
    }
}

/* (key of the view, first element, elements) or None. */
static bool read_view(const pickle_value *v, torch_storage *s)
{
    if (v->kind == PICKLE_NONE) {
        return true;
    }
    const pickle_value *item = v->kind == PICKLE_TUPLE && v->list->n == 3 ? v->list->item : NULL;
    if (item == NULL || item[1].kind != PICKLE_INTEGER || item[2].kind != PICKLE_INTEGER || item[1].integer < 0 ||
        item[2].integer < 0) {
        return false;
    }
    s->view_first = (uint64_t)item[1].integer;
    s->view_n = (uint64_t)item[2].integer;
    return s->view_first <= s->n && s->view_n <= s->n - s->view_first;
}

static status add_storage(arena *a, pickle_storages *all, torch_storage *s)
{
    if (all->n == all->room) {
        const size_t room = all->room == 0 ? 64 : 2 * all->room;
        torch_storage **list;
        TRY_ALLOC(list, a, room);
        if (all->n > 0) {
            memcpy(list, all->list, all->n * sizeof *list);
        }
        all->list = list;
        all->room = room;
    }
    all->list[all->n++] = s;
    return STATUS_OK;
}

status pickle_persistent(const pickle_place *p, const pickle_value *id, pickle_storages *storages, pickle_value *out)
{
    const size_t n = id->kind == PICKLE_TUPLE ? id->list->n : 0;
    const pickle_value *item = n > 0 ? id->list->item : NULL;
    torch_storage *s;
    if (n > 0 && item[0].kind == PICKLE_TEXT && !pickle_is_text(&item[0], "storage")) {
        return FAIL(ST_DATA,
                    AT "refers to a '%.*s' of its own, which would be executed; save the weights alone: "
                       "torch.save(model.state_dict(), path)",
                    p->source, p->part, p->byte, (int)(item[0].text.size < 100 ? item[0].text.size : 100),
                    item[0].text.start);
    }
    if (storages == NULL || n < 5 || n > 6 || !pickle_is_text(&item[0], "storage") || item[1].kind != PICKLE_GLOBAL ||
        item[1].global->kind != GLOBAL_STORAGE || item[2].kind != PICKLE_TEXT || item[4].kind != PICKLE_INTEGER ||
        item[4].integer < 0) {
        return FAIL(ST_DATA, AT "expected ('storage', type, key, place, elements), found another reference", p->source,
                    p->part, p->byte);
    }
    TRY_ALLOC(s, p->a, 1);
    s->type = item[1].global->type;
    s->n = s->view_n = (uint64_t)item[4].integer;
    if (memchr(item[2].text.start, 0, item[2].text.size) != NULL || item[2].text.size > 100) {
        return FAIL(ST_DATA, AT "expected a key of at most 100 characters for a storage, found another", p->source,
                    p->part, p->byte);
    }
    TRY_TEXT(s->key, p->a, "%.*s", (int)item[2].text.size, item[2].text.start);
    if (n == 6 && !read_view(&item[5], s)) {
        return FAIL(ST_DATA, AT "storage '%s': expected a view within its %" PRIu64 " elements, found another",
                    p->source, p->part, p->byte, s->key, s->n);
    }
    out->kind = PICKLE_STORAGE;
    out->storage = s;
    return add_storage(p->a, storages, s);
}
