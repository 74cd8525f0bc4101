#include "nn/arch.h"

#include <string.h>

#include "nn/builder.h"
#include "nn/sizes.h"

#define ARCH(name) extern const arch_def arch_##name;
#include "nn/archs/archs.def"
#undef ARCH

#define ARCH(name) &arch_##name,
const arch_def *const arch_table[] = {
#include "nn/archs/archs.def"
};
#undef ARCH
const size_t arch_count = COUNT(arch_table);

#define ARCH(name) " " #name
static const char arch_names[] =
#include "nn/archs/archs.def"
    ;
#undef ARCH

static bool is_called(const arch_def *arch, const char *name)
{
    bool same = strcmp(arch->name, name) == 0;
    for (const char *const *v = arch->variants; !same && *v != NULL; v++) {
        same = strcmp(*v, name) == 0;
    }
    return same;
}

/* NULL where there is none. */
static const arch_def *choose(const tensors *t, const char *name)
{
    for (size_t i = 0; i < arch_count; i++) {
        if (name != NULL ? is_called(arch_table[i], name) : arch_table[i]->recognises(t)) {
            return arch_table[i];
        }
    }
    return NULL;
}

static status unknown(const tensors *t, const char *name)
{
    if (name != NULL) {
        return FAIL(ST_DATA, "%s: unknown architecture '%s'; known families are:%s", t->source, name, arch_names);
    }
    return FAIL(ST_DATA,
                "%s: the names of its %zu tensors%s%s%s belong to no known architecture; known families, in "
                "torchvision's names, are:%s",
                t->source, t->n, t->n == 0 ? "" : " ('", t->n == 0 ? "" : t->list[0].name, t->n == 0 ? "" : "', ...)",
                arch_names);
}

/* An architecture takes every tensor at most once, and adds a bias to convolutions that have none. */
size_t graph_weights(const tensors *t)
{
    size_t floats = 0;
    for (size_t i = 0; i < t->n; i++) {
        const tensor *one = &t->list[i];
        size_t count = 0;
        if (one->type == TENSOR_F32 && one->rank <= MAX_TENSOR_DIMS && sizes_product(one->rank, one->dim, &count)) {
            floats += weights_rounded(count) + (one->rank == 4 ? weights_rounded(one->dim[0]) : 0);
        }
    }
    return floats;
}

status graph_build(arena *a, const tensors *t, const graph **out)
{
    return graph_build_in(a, t, &(weight_block){.a = a, .fills = true}, out);
}

status graph_build_in(arena *a, const tensors *t, weight_block *weights, const graph **out)
{
    const char *name = tensors_fact(t, "arch");
    const arch_def *arch = choose(t, name);
    builder *b = NULL;
    if (arch == NULL) {
        return unknown(t, name);
    }
    TRY(builder_open(a, t, weights, &b));
    arch->build(b);
    return builder_close(b, arch->name, out);
}
