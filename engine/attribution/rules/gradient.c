#include "attribution/rule.h"

/* R_in = J' R_out with the layer's derivative J: for a convolution or linear layer W' R_out (docs/attribution.md, section c). What a layer
 * without a rule does in the paper's program. Nothing is divided, so that nothing is conserved. */
const rule_def rule_gradient = {
    .name = "gradient",
    .help = "the derivative's transpose: what a layer without a rule does",
    .kind = RULE_GRADIENT,
};
