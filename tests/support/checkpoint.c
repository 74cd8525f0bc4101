#include "support/checkpoint.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/rng.h"

static const uint64_t seed = 1;

/* [-1, 1), two numbers a draw: the largest network has 138 million. */
static void fill_uniform(uint32_t stream, size_t n, float middle, float half_width, float *x)
{
    for (size_t i = 0; i < n; i += 2) {
        const uint64_t bits = rng_u64(seed, RNG_TEST, stream, (uint32_t)(i / 2));
        x[i] = middle + half_width * ((float)(uint32_t)(bits >> 40) * 0x1p-23f - 1.0f);
        if (i + 1 < n) {
            x[i + 1] = middle + half_width * ((float)((uint32_t)bits >> 8) * 0x1p-23f - 1.0f);
        }
    }
}

static void fill_tensor(uint32_t stream, fill kind, size_t n, size_t inputs, float *x)
{
    switch (kind) {
    case FILL_WEIGHTS:
        fill_uniform(stream, n, 0.0f, (float)sqrt(6.0 / (double)inputs), x);
        break;
    case FILL_ONES:
        fill_uniform(stream, n, 1.0f, 0.5f, x);
        break;
    case FILL_SMALL:
        fill_uniform(stream, n, 0.0f, 0.1f, x);
        break;
    }
}

static status make_room(checkpoint *c)
{
    if (c->n < c->room) {
        return STATUS_OK;
    }
    tensor *list;
    c->room = c->room == 0 ? 256 : 2 * c->room;
    TRY_ALLOC(list, c->a, c->room);
    if (c->n > 0) {
        memcpy(list, c->list, c->n * sizeof *list);
    }
    c->list = list;
    return STATUS_OK;
}

static status add(checkpoint *c, fill kind, const size_t dim[4], const char *name)
{
    size_t count = 1;
    float *data;
    TRY(make_room(c));
    tensor *t = &c->list[c->n];
    *t = (tensor){.type = TENSOR_F32, .type_name = "F32"};
    for (; t->rank < 4 && dim[t->rank] != 0; t->rank++) {
        t->dim[t->rank] = dim[t->rank];
        count *= dim[t->rank];
    }
    TRY_TEXT(t->name, c->a, "%s", name);
    TRY_ALLOC(data, c->a, count);
    fill_tensor((uint32_t)c->n, kind, count, count / dim[0], data);
    t->data = data;
    c->n++;
    return STATUS_OK;
}

void checkpoint_add(checkpoint *c, fill kind, const size_t dim[4], const char *name, ...)
{
    char text[128];
    va_list args;
    va_start(args, name);
    (void)vsnprintf(text, sizeof text, name, args);
    va_end(args);
    if (status_ok(c->st)) {
        c->st = add(c, kind, dim, text);
    }
}
