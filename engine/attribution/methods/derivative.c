#include "attribution/methods/derivative.h"

#include "core/vector.h"

enum { MOST_LANES = 16, PARTS = 8 };

status derivative_composite(arena *a, const composite **out)
{
    composite_entry *everywhere;
    composite *c;
    TRY_ALLOC(everywhere, a, 1);
    TRY_ALLOC(c, a, 1);
    *everywhere = (composite_entry){.type = "*", .rule = rule_find("gradient")};
    if (everywhere->rule == NULL) {
        return FAIL(ST_BUG, "the rule 'gradient' is missing from the table");
    }
    *c = (composite){.n = 1, .entries = everywhere};
    *out = c;
    return STATUS_OK;
}

size_t component_tokens(const node *n)
{
    return n->out.rank == 2 ? n->out.dim[0] : 1;
}

size_t component_floats(const graph *g, node_id id, size_t lanes)
{
    const node *n = &g->nodes[id];
    shape in[MAX_INPUTS] = {{0}};
    for (size_t i = 0; i < n->n_in; i++) {
        in[i] = g->nodes[n->in[i]].out;
    }
    return n->components == COMPONENT_HEAD ? n->op->saved(n, in, lanes) : images_floats(n->out, lanes);
}

size_t component_most_values(const graph *g)
{
    size_t most = 0;
    for (size_t l = 0; l < g->n_layers; l++) {
        const node *n = &g->nodes[g->layers[l]];
        const size_t values = component_tokens(n) * n->n_components, features = shape_channels(n->out);
        most = values > most ? values : most;
        most = features > most ? features : most;
    }
    return most;
}

static inline double product_at(measured m, size_t i)
{
    const double g = (double)m.g[i];
    return m.a == NULL ? g : m.b == NULL ? g * (double)m.a[i] : g * ((double)m.a[i] - (double)m.b[i]);
}

/* Sums of every `parts`-th element of [count, parts]. `parts`, and which of a and b there are, are constants where this is inlined. */
static inline void strided(size_t count, size_t parts, measured m, double *restrict sum)
{
    double lane[MOST_LANES] = {0.0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < parts; k++) {
            lane[k] += product_at(m, i * parts + k);
        }
    }
    for (size_t k = 0; k < parts; k++) {
        sum[k] = lane[k];
    }
}

static inline void strided_as(size_t count, size_t parts, measured m, double *restrict sum)
{
    if (m.a == NULL) {
        strided(count, parts, (measured){.g = m.g}, sum);
    } else if (m.b == NULL) {
        strided(count, parts, (measured){.g = m.g, .a = m.a}, sum);
    } else {
        strided(count, parts, m, sum);
    }
}

VECTOR_KERNEL
static void strided_8(size_t count, measured m, double *sum)
{
    strided_as(count, 8, m, sum);
}

VECTOR_KERNEL
static void strided_16(size_t count, measured m, double *sum)
{
    strided_as(count, 16, m, sum);
}

/* One channel after the other: eight partial sums that are added at the end. */
static double plane(size_t space, measured m)
{
    double part[PARTS], sum = 0.0;
    strided_8(space / PARTS, m, part);
    for (size_t i = space / PARTS * PARTS; i < space; i++) {
        sum += product_at(m, i);
    }
    for (size_t k = 0; k < PARTS; k++) {
        sum += part[k];
    }
    return sum;
}

static measured behind(measured m, size_t floats)
{
    return (measured){
        .g = m.g + floats, .a = m.a == NULL ? NULL : m.a + floats, .b = m.b == NULL ? NULL : m.b + floats};
}

void measure_map(size_t n, size_t space, size_t lanes, measured m, double *value)
{
    for (size_t c = 0; c < n; c += lanes) {
        double sum[MOST_LANES] = {0.0};
        const measured here = behind(m, c * space);
        if (lanes == 8) {
            strided_8(space, here, sum);
        } else if (lanes == 16) {
            strided_16(space, here, sum);
        } else {
            sum[0] = plane(space, here);
        }
        for (size_t k = 0; k < lanes && c + k < n; k++) {
            value[c + k] = sum[k];
        }
    }
}

VECTOR_KERNEL
void measure_elements(size_t count, measured m, double *value)
{
    for (size_t i = 0; i < count; i++) {
        value[i] = product_at(m, i);
    }
}

void measure_component(const node *n, size_t lanes, const float *heads, measured m, double *value)
{
    if (n->components == COMPONENT_FILTER) {
        measure_map(n->n_components, n->out.dim[1] * n->out.dim[2], lanes, m, value);
    } else {
        measure_elements(component_tokens(n) * n->n_components, heads == NULL ? m : (measured){.g = heads}, value);
    }
}

VECTOR_KERNEL
void measure_columns(size_t tokens, size_t n, measured m, const float *bias, double *value)
{
    for (size_t t = 0; t < tokens; t++) {
        for (size_t c = 0; c < n; c++) {
            value[c] += (double)m.g[t * n + c] * ((double)m.a[t * n + c] - (bias == NULL ? 0.0 : (double)bias[c]));
        }
    }
}
