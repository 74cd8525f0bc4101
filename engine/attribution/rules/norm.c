#include "attribution/rule.h"

/* The epsilon rule of a layer without parameters (docs/attribution.md, section b): sums and average pooling, which have it as their own. */
const rule_def rule_norm = {
    .name = "norm",
    .help = "the epsilon rule of sums and average pooling",
    .kind = RULE_OWN,
};
