#include "nn/op.h"

/* The images: the run puts them here, so that every other layer finds its input among the outputs of nodes. They stay in plain order
 * (block 1) where convolutions are the only readers. */
static status infer(const node *n, const shape in[], shape *out)
{
    (void)in;
    *out = n->out;
    return STATUS_OK;
}

static void forward(const op_call *c)
{
    images_store(c->batch, c->node->out, c->block, c->in[0], c->out);
}

const op_def op_input = {
    .name = "input",
    .help = "the images",
    .infer = infer,
    .forward = forward,
};
