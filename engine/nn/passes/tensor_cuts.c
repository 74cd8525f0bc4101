#include "nn/passes/tensor_cuts.h"

#include <string.h>

#include "nn/op.h"
#include "nn/passes/compact.h"

/* One tensor while it is described: nodes add their part of its rows. */
typedef struct draft {
    uint8_t *row_kept, *row_alive;            /* [rows]; row_alive NULL: no mask is about rows */
    const uint8_t *column_alive;              /* [columns] or NULL */
    channel_map column;                       /* n = 0: nobody reads it by columns */
    bool read;                                /* some node has rows of it */
} draft;

typedef struct drafter {
    arena *a;
    const graph *g;
    component_kind kind;
    const uint8_t *alive;
    const channel_map *map;
    tensor_cut *list;
    draft *draft;
} drafter;

static size_t elements(const graph_tensor *t)
{
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++) {
        n *= t->dim[i];
    }
    return n;
}

static bool find(const graph *g, const float *data, size_t *tensor, size_t *first_row)
{
    for (size_t i = 0; i < g->n_tensors && data != NULL; i++) {
        const graph_tensor *t = &g->tensors[i];
        const size_t n = elements(t);
        if (data >= t->data && data < t->data + n) {
            *tensor = i;
            *first_row = (size_t)(data - t->data) / (n / t->dim[0]);
            return true;
        }
    }
    return false;
}

bool tensor_of_weight(const graph *g, const node *n, size_t *tensor, size_t *first_row)
{
    return find(g, n->weight, tensor, first_row);
}

bool tensor_of_bias(const graph *g, const node *n, size_t *tensor, size_t *first_row)
{
    return find(g, n->bias, tensor, first_row);
}

bool tensor_of_norm(const graph *g, const node *n, size_t *tensor)
{
    size_t row;
    return find(g, n->norm_scale, tensor, &row);
}

/* Every layer of the kind has at least one component left: the first, where it lost all. */
static status keep_one(arena *a, const graph *g, component_kind kind, const uint8_t alive[], tensor_cuts *out)
{
    uint8_t *kept;
    TRY_ALLOC(kept, a, g->n_components);
    memcpy(kept, alive, g->n_components);
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *n = &g->nodes[g->layers[i]];
        if (n->components == kind && op_count_live(kept + n->first_component, 0, n->n_components) == 0) {
            kept[n->first_component] = 1;
            out->n_emptied++;
        }
    }
    out->kept = kept;
    return STATUS_OK;
}

/* Rows first .. first + n-1 of a tensor belong to a node, which keeps those of its map. */
static status add_rows(const drafter *d, size_t tensor, size_t first, const node *n, const channel_map *map, bool masked)
{
    draft *to = &d->draft[tensor];
    const size_t rows = d->list[tensor].rows, channels = shape_channels(n->out);
    if (first + channels > rows) {
        return FAIL(ST_BUG, "%s: its rows end behind the tensor %s", n->name, d->list[tensor].name);
    }
    if (!to->read) {
        TRY_ALLOC(to->row_kept, d->a, rows);
        to->read = true;
    }
    for (size_t i = 0; i < map->n; i++) {
        if (map->channel[i] >= channels) {
            return FAIL(ST_BUG, "%s: a place of the shrunk layer has no channel", n->name);
        }
        to->row_kept[first + map->channel[i]] = 1;
    }
    if (masked && n->components == d->kind && n->n_components == channels) {
        if (to->row_alive == NULL) {
            TRY_ALLOC(to->row_alive, d->a, rows);
            memset(to->row_alive, 1, rows);
        }
        memcpy(to->row_alive + first, d->alive + n->first_component, channels);
        d->list[tensor].prunable = true;
    }
    return STATUS_OK;
}

/* Columns that read what dead heads would have given are zero: nothing else of a head stays in the network of the same shapes. */
static status add_heads(const drafter *d, size_t tensor, const node *n)
{
    const node *from = &d->g->nodes[n->in[0]];
    shape in[MAX_INPUTS] = {{0}};
    uint8_t *column_alive;
    if (from->components != COMPONENT_HEAD || d->kind != COMPONENT_HEAD) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < from->n_in; i++) {
        in[i] = d->g->nodes[from->in[i]].out;
    }
    TRY_ALLOC(column_alive, d->a, shape_channels(from->out));
    from->op->live(from, in, d->alive + from->first_component, NULL, column_alive);
    d->draft[tensor].column_alive = column_alive;
    d->list[tensor].prunable = true;
    return STATUS_OK;
}

/* Weights [rows, columns, taps] of a convolution or linear layer. */
static status add_weight(const drafter *d, node_id id)
{
    const node *n = &d->g->nodes[id];
    size_t tensor, first;
    if (!tensor_of_weight(d->g, n, &tensor, &first)) {
        return STATUS_OK;
    }
    TRY(add_rows(d, tensor, first, n, &d->map[id], true));
    if (n->op->takes_whole == NULL || !n->op->takes_whole(n)) {
        d->draft[tensor].column = d->map[n->in[0]];
    }
    return add_heads(d, tensor, n);
}

/* A vector that is named like the batch norm's weights but for its end. */
static status add_norm(const drafter *d, node_id id)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const node *n = &d->g->nodes[id];
    size_t scale;
    if (!tensor_of_norm(d->g, n, &scale)) {
        return STATUS_OK;
    }
    const char *name = d->g->tensors[scale].name;
    const size_t stem = strlen(name) - strlen(parts[0]); /* "features.1." */
    for (size_t i = 0; i < d->g->n_tensors; i++) {
        const char *other = d->g->tensors[i].name;
        for (size_t k = 0; k < COUNT(parts); k++) {
            if (strncmp(other, name, stem) == 0 && strcmp(other + stem, parts[k]) == 0) {
                d->list[i].statistic = k >= 2;
                TRY(add_rows(d, i, 0, n, &d->map[id], k < 2));
            }
        }
    }
    return STATUS_OK;
}

static status add_node(const drafter *d, node_id id)
{
    const node *n = &d->g->nodes[id];
    size_t tensor, first;
    if (n->op->product == NULL) {
        return STATUS_OK; /* norms of tokens, embeddings: they stay whole */
    }
    TRY(add_weight(d, id));
    if (tensor_of_bias(d->g, n, &tensor, &first)) {
        TRY(add_rows(d, tensor, first, n, &d->map[id], true));
    }
    return add_norm(d, id);
}

static void describe_whole(const graph_tensor *t, tensor_cut *c)
{
    *c = (tensor_cut){.name = t->name, .rank = t->rank, .rows = 1, .columns = 1, .taps = 1};
    memcpy(c->dim, t->dim, sizeof c->dim);
    for (size_t i = 0; i < t->rank; i++) {
        *(i == 0 ? &c->rows : i == 1 ? &c->columns : &c->taps) *= t->dim[i];
    }
}

static status finish(const drafter *d, size_t i)
{
    tensor_cut *c = &d->list[i];
    const draft *from = &d->draft[i];
    TRY(from->read ? channel_map_kept(d->a, c->rows, from->row_kept, 1, &c->row) : channel_map_whole(d->a, c->rows, &c->row));
    c->column = from->column;
    if (from->column.n == 0 || c->rank < 2) {
        TRY(channel_map_whole(d->a, c->columns, &c->column));
    }
    c->row_alive = from->row_alive;
    c->column_alive = from->column_alive;
    return STATUS_OK;
}

status tensor_cuts_build(arena *a, const graph *g, component_kind kind, const uint8_t alive[], tensor_cuts *out)
{
    drafter d = {.a = a, .g = g, .kind = kind, .alive = alive};
    *out = (tensor_cuts){.alive = alive, .n = g->n_tensors};
    TRY(keep_one(a, g, kind, alive, out));
    TRY(graph_compact_mapped(a, g, out->kept, NULL, 1, &out->small, &out->map));
    d.map = out->map;
    TRY_ALLOC(d.list, a, g->n_tensors);
    TRY_ALLOC(d.draft, a, g->n_tensors);
    for (size_t i = 0; i < g->n_tensors; i++) {
        describe_whole(&g->tensors[i], &d.list[i]);
    }
    for (node_id id = 0; id < g->n_nodes; id++) {
        TRY(add_node(&d, id));
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        TRY(finish(&d, i));
    }
    out->list = d.list;
    return STATUS_OK;
}

/* ---- what is done with them ---- */

size_t tensor_cut_elements(const tensor_cut *c)
{
    return c->row.n * c->column.n * c->taps;
}

void tensor_cut_shape(const tensor_cut *c, size_t dim[MAX_TENSOR_DIMS])
{
    memcpy(dim, c->dim, sizeof c->dim);
    if (c->rank > 0) {
        dim[0] = c->row.n;
    }
    if (c->rank > 1) {
        dim[1] = c->column.n;
    }
}

static bool is_alive(const tensor_cut *c, size_t row, size_t column)
{
    return (c->row_alive == NULL || c->row_alive[row] != 0) && (c->column_alive == NULL || c->column_alive[column] != 0);
}

void tensor_cut_mask(const tensor_cut *c, float *mask)
{
    for (size_t row = 0; row < c->rows; row++) {
        for (size_t column = 0; column < c->columns; column++) {
            for (size_t i = 0; i < c->taps; i++) {
                *mask++ = is_alive(c, row, column) ? 1.0f : 0.0f;
            }
        }
    }
}

void tensor_cut_apply(const tensor_cut *c, const float *whole, float *masked)
{
    for (size_t row = 0; row < c->rows; row++) {
        for (size_t column = 0; column < c->columns; column++, whole += c->taps, masked += c->taps) {
            const bool alive = is_alive(c, row, column);
            for (size_t i = 0; i < c->taps; i++) {
                masked[i] = alive ? whole[i] : 0.0f; /* not a product, which would keep the sign of what is gone */
            }
        }
    }
}

void tensor_cut_shrink(const tensor_cut *c, const float *whole, float *small)
{
    const weight_cut cut = {.row = c->row, .column = c->column, .all_columns = c->columns, .taps = c->taps};
    weight_cut_matrix(&cut, whole, small);
}

void tensor_cut_expand(const tensor_cut *c, const float *small, float *whole)
{
    memset(whole, 0, c->rows * c->columns * c->taps * sizeof *whole);
    for (size_t row = 0; row < c->row.n; row++) {
        float *to = whole + c->row.channel[row] * c->columns * c->taps;
        for (size_t column = 0; column < c->column.n; column++, small += c->taps) {
            memcpy(to + c->column.channel[column] * c->taps, small, c->taps * sizeof *small);
        }
    }
}
