#include "attribution/preset.h"

#include <math.h>
#include <string.h>

/* Where a preset speaks of convolutions, linear layers are left to a later entry, which has no conditions: it reaches whatever an
 * architecture may hold (conv_proj of a transformer is in no depth group). */

static const preset_value alpha_2[] = {{"alpha", NULL, 2.0}};
static const preset_value own_gamma[] = {{"gamma", "gamma", 0.0}};
static const preset_value own_box[] = {{"low", "low", 0.0}, {"high", "high", 0.0}, {"units", "units", 0.0}};
static const preset_value smallest_epsilon[] = {{"epsilon", NULL, 1e-9}};

static const preset_entry epsilon[] = {{.rule = "epsilon"}};
static const preset_entry z_plus[] = {{.rule = "z-plus"}};
static const preset_entry alpha2_beta1[] = {{.rule = "alpha-beta", .values = alpha_2, .n_values = COUNT(alpha_2)}};
static const preset_entry gamma_everywhere[] = {{.rule = "gamma", .values = own_gamma, .n_values = COUNT(own_gamma)}};
static const preset_entry heuristic[] = {{.rule = "z-plus", .values = smallest_epsilon, .n_values = COUNT(smallest_epsilon)}};

static const preset_entry epsilon_plus[] = {{.type = "conv2d", .rule = "z-plus"}, {.rule = "epsilon"}};
static const preset_entry epsilon_plus_flat[] = {
    {.place = PLACE_FIRST, .rule = "flat"},
    {.type = "conv2d", .rule = "z-plus"},
    {.rule = "epsilon"},
};
static const preset_entry epsilon_gamma_box[] = {
    {.type = "conv2d", .place = PLACE_FIRST, .rule = "z-box", .values = own_box, .n_values = COUNT(own_box)},
    {.type = "conv2d", .rule = "gamma", .values = own_gamma, .n_values = COUNT(own_gamma)},
    {.rule = "epsilon"},
};

/* A parameter that becomes a rule's has the rule's default and range; tests/unit/test_preset.c compares them. */
#define GAMMA_FIELD(name_, help_)                                                                                      \
    {                                                                                                                  \
        .name = (name_), .kind = FIELD_REAL, .def = 0.25, .min = 0.0, .max = 1e6, .scale = SCALE_LOG, .help = (help_)  \
    }

static const field gamma_fields[] = {GAMMA_FIELD("gamma", "how much more weight positive contributions get")};
static const char *const box_units[] = {"pixels", "input", NULL};
static const field box_fields[] = {
    GAMMA_FIELD("gamma", "how much more weight positive contributions get, in convolutions behind the first"),
    {.name = "low", .kind = FIELD_REAL, .def = 0.0, .min = -1e6, .max = 0.0, .help = "the least value that a pixel can have"},
    {.name = "high", .kind = FIELD_REAL, .def = 1.0, .min = 0.0, .max = 1e6, .help = "the greatest"},
    {.name = "units", .kind = FIELD_CHOICE, .def = 0.0, .min = 0.0, .max = 1.0, .choices = box_units,
     .help = "of low and high: a pixel from 0 to 1 before it is normalised, or the network's input as it is"},
};

/* The rules among which the paper chooses (docs/attribution.md, section j). */
static const char *const paper_rules[] = {"epsilon", "z-plus", "gamma", "alpha-beta", NULL};
#define RULE_FIELD(name_, help_)                                                                                       \
    {                                                                                                                  \
        .name = (name_), .kind = FIELD_CHOICE, .choices = paper_rules, .help = (help_)                                 \
    }
static const field group_fields[] = {
    RULE_FIELD("low", "rule of the layers nearest to the input"),
    RULE_FIELD("mid", "rule of the layers between"),
    RULE_FIELD("high", "rule of the layers nearest to the classifier"),
    RULE_FIELD("fc", "rule of the classifier's linear layers"),
    GAMMA_FIELD("gamma", "of the rule gamma in low, mid and high; the paper states 0.25 for convolutions, 0.05 for linear layers"),
    GAMMA_FIELD("gamma_fc", "of the rule gamma in fc; the paper states 0.05, its program has 0.25"),
    {.name = "alpha", .kind = FIELD_REAL, .def = 2.0, .min = 1.0, .max = 100.0, .help = "of the rule alpha-beta; beta is alpha - 1"},
};
static const preset_value below_values[] = {{"gamma", "gamma", 0.0}, {"alpha", "alpha", 0.0}};
static const preset_value fc_values[] = {{"gamma", "gamma_fc", 0.0}, {"alpha", "alpha", 0.0}};
static const preset_entry four_groups[] = {
    {.group = GROUP_LOW, .chosen = "low", .values = below_values, .n_values = COUNT(below_values)},
    {.group = GROUP_MID, .chosen = "mid", .values = below_values, .n_values = COUNT(below_values)},
    {.group = GROUP_HIGH, .chosen = "high", .values = below_values, .n_values = COUNT(below_values)},
    {.group = GROUP_FC, .chosen = "fc", .values = fc_values, .n_values = COUNT(fc_values)},
    {.rule = "epsilon"},
};

#define ENTRIES(list) .entries = (list), .n_entries = COUNT(list)
#define FIELDS(list) .fields = (list), .n_fields = COUNT(list)

const preset_def preset_table[] = {
    {.name = "epsilon", .help = "LRP-epsilon in every layer", .source = "Bach et al. 2015, eq. 58", ENTRIES(epsilon)},
    {.name = "z-plus", .help = "LRP-z+ in every layer, which is alpha 1, beta 0", .source = "Montavon et al. 2017", ENTRIES(z_plus)},
    {.name = "alpha2-beta1", .help = "LRP-alpha-beta with alpha 2, beta 1 in every layer", .source = "Bach et al. 2015, eq. 60",
     ENTRIES(alpha2_beta1)},
    {.name = "gamma", .help = "LRP-gamma in every layer", .source = "Montavon et al. 2019, generalised to inputs of any sign",
     FIELDS(gamma_fields), ENTRIES(gamma_everywhere)},
    {.name = "heuristic", .help = "what the first paper on pruning by explaining took: z-plus in every layer, stabilised by 1e-9",
     .source = "Yeom et al. 2021", ENTRIES(heuristic)},
    {.name = "epsilon-plus", .help = "z-plus in convolutions, epsilon in linear layers", .source = "Kohlbrenner et al. 2020; zennit's EpsilonPlus",
     ENTRIES(epsilon_plus)},
    {.name = "epsilon-plus-flat", .help = "epsilon-plus with the flat rule in the first layer", .source = "Lapuschkin et al. 2019; zennit's EpsilonPlusFlat",
     ENTRIES(epsilon_plus_flat)},
    {.name = "epsilon-gamma-box",
     .help = "gamma in convolutions, z-box in the first of them, epsilon in linear layers",
     .source = "Montavon et al. 2019; zennit's EpsilonGammaBox", FIELDS(box_fields), ENTRIES(epsilon_gamma_box)},
    {.name = "four-groups", .help = "a rule for each depth group, as the paper that tunes attribution for pruning has it",
     .source = "Hatefi et al. 2024, arXiv 2408.12568", FIELDS(group_fields), ENTRIES(four_groups)},
};
const size_t preset_count = COUNT(preset_table);

const preset_def *preset_find(const char *name)
{
    for (size_t i = 0; i < preset_count; i++) {
        if (strcmp(preset_table[i].name, name) == 0) {
            return &preset_table[i];
        }
    }
    return NULL;
}

static status parameter_of(const preset_def *p, const double parameters[], const char *name, const field **f, double *value)
{
    const size_t i = field_index(p->n_fields, p->fields, name);
    if (i == p->n_fields) {
        return FAIL(ST_BUG, "the preset '%s' has no parameter '%s'", p->name, name);
    }
    *f = &p->fields[i];
    *value = parameters[i];
    return STATUS_OK;
}

static status find_rule(const preset_def *p, const preset_entry *e, const double parameters[], const rule_def **out)
{
    const char *name = e->rule;
    const field *f = NULL;
    double choice = 0.0;
    if (name == NULL) {
        TRY(parameter_of(p, parameters, e->chosen, &f, &choice));
        name = f->choices[(size_t)choice];
    }
    *out = rule_find(name);
    return *out != NULL ? STATUS_OK : FAIL(ST_BUG, "the preset '%s' has the rule '%s', which is missing from the table", p->name, name);
}

static status set_values(const preset_def *p, const preset_entry *e, const double parameters[], composite_entry *out)
{
    const rule_def *rule = out->rule;
    const field *f = NULL;
    for (size_t i = 0; i < rule->n_fields; i++) {
        out->parameters[i] = rule->fields[i].def;
    }
    if (rule_is_stabilised(rule)) {
        out->parameters[rule->epsilon_field] = NAN;
    }
    for (size_t v = 0; v < e->n_values; v++) {
        const preset_value *value = &e->values[v];
        const size_t i = field_index(rule->n_fields, rule->fields, value->parameter);
        if (i == rule->n_fields && e->rule != NULL) {
            return FAIL(ST_BUG, "the preset '%s': the rule '%s' has no parameter '%s'", p->name, rule->name, value->parameter);
        }
        if (i == rule->n_fields) {
            continue; /* not of the rule that was chosen */
        }
        out->parameters[i] = value->fixed;
        if (value->from != NULL) {
            TRY(parameter_of(p, parameters, value->from, &f, &out->parameters[i]));
        }
    }
    return STATUS_OK;
}

status preset_build(arena *a, const preset_def *p, const double parameters[], const char *name, const composite **out)
{
    composite_entry *entries;
    composite *c;
    TRY_ALLOC(entries, a, p->n_entries);
    TRY_ALLOC(c, a, 1);
    for (size_t i = 0; i < p->n_entries; i++) {
        const preset_entry *e = &p->entries[i];
        entries[i] = (composite_entry){.type = e->type, .group = e->group, .place = e->place};
        TRY(find_rule(p, e, parameters, &entries[i].rule));
        TRY(set_values(p, e, parameters, &entries[i]));
    }
    *c = (composite){.name = name, .n = p->n_entries, .entries = entries};
    *out = c;
    return STATUS_OK;
}
