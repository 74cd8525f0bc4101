#ifndef ATTRIBUTION_RULES_RULE_FIELDS_H
#define ATTRIBUTION_RULES_RULE_FIELDS_H
/* Parameters that rules share. */
#define RULE_EPSILON                                                                                                   \
    {                                                                                                                  \
        .name = "epsilon", .kind = FIELD_REAL, .def = 1e-6, .min = 0.0, .max = 1.0, .scale = SCALE_LOG,                \
        .help = "stabiliser of the denominator"                                                                        \
    }

#endif
