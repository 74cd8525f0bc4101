#include "pipeline/rule_text.h"

#include "io/config_schema.h"

/* "epsilon (epsilon=1e-06)", "pass instead of norm" */
static const char *given_rule(arena *a, const composite_entry *e, const op_def *op)
{
    const char *text = arena_text(a, "%s", e->rule->name);
    for (size_t i = 0; i < e->rule->n_fields && text != NULL; i++) {
        const setting key = {.field = e->rule->fields[i]};
        text = arena_text(a, "%s%s%s=%s", text, i == 0 ? " (" : ", ", key.field.name, value_text(&key, e->parameters[i]).text);
    }
    text = text == NULL || e->rule->n_fields == 0 ? text : arena_text(a, "%s)", text);
    return text == NULL || op->relevance_name == NULL ? text : arena_text(a, "%s instead of %s", text, op->relevance_name);
}

/* "attention (epsilon=1e-06, softmax=epsilon)" */
static const char *own_rule(arena *a, const composite *c, const op_def *op)
{
    const schema_words epsilon = number_text(c->epsilon);
    if (op->relevance_name == NULL) {
        return "none";
    }
    if ((op->relevance_reads & READS_SOFTMAX_RULE) != 0) {
        return arena_text(a, "%s (epsilon=%s, softmax=%s)", op->relevance_name, epsilon.text,
                          softmax_rule_names[c->softmax_rule]);
    }
    return (op->relevance_reads & READS_EPSILON) != 0 ? arena_text(a, "%s (epsilon=%s)", op->relevance_name, epsilon.text)
                                                      : op->relevance_name;
}

const char *rule_text(arena *a, const composite *c, const composite_entry *given, const node *n)
{
    return given != NULL ? given_rule(a, given, n->op) : own_rule(a, c, n->op);
}
