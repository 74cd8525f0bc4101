#include "parallel/node_weights.h"

status node_weights_place(comm *c, arena *a, const weight_list *l)
{
    static const char what[] = "the weights in the order of the kernels";
    node_block b;
    if (!c->shares) {
        return STATUS_OK;
    }
    TRY(comm_same_in_node(c, what, weights_key(l)));
    TRY(node_block_open(c, a, what, l->floats * sizeof(float), &b));
    TRY(node_block_ready(c, &b, weights_make(l, b.data, (size_t)c->node_rank, (size_t)c->node_size)));
    weights_use(l, b.data);
    return STATUS_OK;
}
