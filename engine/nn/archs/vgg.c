#include <stdio.h>
#include <string.h>

#include "nn/builder.h"
#include "nn/sizes.h"

/* VGG with and without batch norm (docs/attribution.md, section a), names as torchvision's: `features` counts
 * convolutions, norms, ReLUs and pools alike, so that the plan can be read off the indices of the convolutions: conv
 * [norm] relu conv leaves no room for a pool, an index more does. The last convolution is always followed by a pool, as
 * in every torchvision plan. */
enum { POOL = 2 };

static bool recognises(const tensors *t)
{
    return tensors_find(t, "features.0.weight") != NULL && tensors_find(t, "classifier.0.weight") != NULL;
}

/* What one index of `features` is. */
static bool has_part(builder *b, size_t index, const char *part)
{
    return builder_has(b, builder_text(b, "features.%zu.%s", index, part));
}

typedef struct stack { /* the convolutions */
    size_t n, room;
    size_t *index;     /* [n] in `features` */
    bool *norm, *pool; /* [n] followed by a batch norm, by a pool */
} stack;

static void read_stack(builder *b, stack *s)
{
    const size_t end = builder_index_end(b, "features.", 4);
    size_t at = 0;
    while (!builder_failed(b) && s->n < s->room) {
        const bool norm = has_part(b, at + 1, "running_mean") || has_part(b, at + 1, "running_var");
        const size_t next = at + (norm ? 3 : 2);
        const bool direct = has_part(b, next, "weight"), pooled = !direct && has_part(b, next + 1, "weight");
        s->index[s->n] = at;
        s->norm[s->n] = norm;
        s->pool[s->n++] = !direct;
        if (!direct && !pooled) {
            if (at + 1 < end) {
                builder_fail(b, FAIL(ST_DATA,
                                     "%s: expected a tensor 'features.%zu.weight' or, behind a pool, "
                                     "'features.%zu.weight', found none",
                                     builder_tensors(b)->source, next, next + 1));
            }
            return;
        }
        at = direct ? next : next + 1;
    }
}

static stack find_stack(builder *b)
{
    stack s = {.room = builder_tensors(b)->n};
    s.index = builder_alloc(b, s.room, sizeof *s.index);
    s.norm = builder_alloc(b, s.room, sizeof *s.norm);
    s.pool = builder_alloc(b, s.room, sizeof *s.pool);
    read_stack(b, &s);
    return s;
}

/* VGG-16 has the groups conv 1-4, 5-9 and 10-13 (docs/attribution.md, section j); other depths get the same shares,
 * rounded down. */
static depth_group group_of(size_t i, size_t n)
{
    return i < n * 4 / 13 ? GROUP_LOW : i < n * 9 / 13 ? GROUP_MID : GROUP_HIGH;
}

static node_id add_conv(builder *b, node_id x, const stack *s, size_t i)
{
    const char *name = builder_text(b, "features.%zu", s->index[i]);
    const conv_layer layer = {
        .name = name,
        .norm = s->norm[i] ? builder_text(b, "features.%zu", s->index[i] + 1) : NULL,
        .bias = has_part(b, 0, "bias"), /* all or none */
        .kernel = 3,
        .stride = 1,
        .padding = 1,
    };
    x = builder_conv(b, x, &layer);
    builder_prunable(b, x, COMPONENT_FILTER, builder_shape(b, x).dim[0]);
    builder_group(b, x, group_of(i, s->n));
    x = builder_simple(b, &op_relu, builder_text(b, "%s.relu", name), x);
    if (s->pool[i]) {
        const maxpool_attr attr = {.kernel = POOL, .stride = POOL};
        x = builder_add(b, &op_maxpool2d, builder_text(b, "%s.pool", name), 1, &x, &attr, sizeof attr, NULL, 0, NULL,
                        0);
    }
    return x;
}

/* The plan as torchvision writes it, "16,16,M,32,M", against the fact `cfg` if there is one. torchvision's own letters ("D") say no more
 * than the tensors do. */
static void check_plan(builder *b, const stack *s, const size_t width[])
{
    const char *stated = tensors_fact(builder_tensors(b), "cfg");
    char plan[512] = "";
    size_t used = 0;
    if (builder_failed(b) || stated == NULL || strchr(stated, ',') == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n && used < sizeof plan; i++) {
        used += (size_t)snprintf(plan + used, sizeof plan - used, "%s%zu%s", i == 0 ? "" : ",", width[i],
                                 s->pool[i] ? ",M" : "");
    }
    if (used < sizeof plan && strcmp(stated, plan) != 0) {
        builder_fail(b, FAIL(ST_DATA, "%s: cfg: expected '%s', as the tensors say, found '%s'",
                             builder_tensors(b)->source, plan, stated));
    }
}

static node_id add_features(builder *b, node_id x, const stack *s)
{
    size_t *width = builder_alloc(b, s->n, sizeof *width);
    for (size_t i = 0; i < s->n && !builder_failed(b); i++) {
        x = add_conv(b, x, s, i);
        width[i] = builder_shape(b, x).dim[0];
    }
    check_plan(b, s, width);
    return x;
}

/* The pool's output size k follows from the first linear layer's C k k inputs. */
static node_id add_average(builder *b, node_id x)
{
    const tensor *first = tensors_find(builder_tensors(b), "classifier.0.weight");
    const size_t channels = builder_shape(b, x).dim[0];
    const size_t inputs = first == NULL || first->rank != 2 || first->dim[1] > MAX_COUNT ? 0 : first->dim[1];
    size_t k = 1;
    while (channels * k * k < inputs) {
        k++;
    }
    if (!builder_failed(b) && first != NULL && channels * k * k != inputs) {
        char found[SHAPE_TEXT];
        builder_fail(
            b, FAIL(ST_DATA,
                    "%s: tensor 'classifier.0.weight': expected shape [any, %zu k k] for a pool of k x k, found %s",
                    builder_tensors(b)->source, channels,
                    shape_text(first->rank < MAX_TENSOR_DIMS ? first->rank : MAX_TENSOR_DIMS, first->dim, found)));
    }
    const avgpool_attr attr = {.output = {k, k}};
    x = builder_add(b, &op_avgpool2d, "avgpool", 1, &x, &attr, sizeof attr, NULL, 0, NULL, 0);
    return builder_simple(b, &op_flatten, "flatten", x);
}

/* classifier.{0,3,6}: a ReLU and a dropout lie between the linear layers. */
static void add_classifier(builder *b, node_id x)
{
    bool more = true;
    for (size_t i = 0; more && !builder_failed(b); i += 3) {
        const char *name = builder_text(b, "classifier.%zu", i);
        x = builder_linear(b, x, name, name);
        builder_group(b, x, GROUP_FC);
        more = builder_has(b, builder_text(b, "classifier.%zu.weight", i + 3));
        if (more) {
            x = builder_simple(b, &op_relu, builder_text(b, "%s.relu", name), x);
        }
    }
}

static void build(builder *b)
{
    node_id x =
        builder_images(b, "features.0.weight", builder_published_size(b, "features.0.weight", "classifier.6.weight"));
    const stack s = find_stack(b);
    x = add_features(b, x, &s);
    add_classifier(b, add_average(b, x));
}

static const char *const variants[] = {"vgg_bn", "vgg11",    "vgg11_bn", "vgg13",    "vgg13_bn",
                                       "vgg16",  "vgg16_bn", "vgg19",    "vgg19_bn", NULL};
const arch_def arch_vgg = {
    .name = "vgg",
    .help = "VGG of any depth and width, with or without batch norm (torchvision's names)",
    .variants = variants,
    .recognises = recognises,
    .build = build,
};
