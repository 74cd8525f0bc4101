#ifndef ATTRIBUTION_START_H
#define ATTRIBUTION_START_H
/* What a walk starts from at the logits y (docs/attribution.md, section e): the class t that is explained and its initial relevance
 *
 *   one    e_t                 every sample starts with the same relevance, however sure the network is
 *   logit  y_t e_t             a rule is linear in R: this multiplies all relevance of a sample by its logit
 *   loss   softmax(y) - e_t    the derivative of the cross entropy -log softmax(y)_t; for derivatives only */
#include <stdbool.h>
#include <stddef.h>

typedef enum start_value { START_ONE, START_LOGIT, START_LOSS } start_value;

typedef struct walk_start {
    start_value value;
    bool prediction; /* t is the class of the largest logit of all classes, the first of equals; else the label */
} walk_start;

/* What is fixed by a sample's own logits, also for a method that then looks at other inputs near it. */
typedef struct start_sample {
    size_t class;
    float scale; /* its logit, or 1 */
} start_sample;

/* Whether start_choose() reads logits. */
static inline bool start_reads_logits(const walk_start *s)
{
    return s->prediction || s->value == START_LOGIT;
}

/* logits [batch, n_classes] of the samples themselves; label [batch] below n_classes; out [batch]. */
void start_choose(const walk_start *s, size_t batch, size_t n_classes, const float *logits, const size_t label[],
                  start_sample out[]);
/* logits [batch, n_classes] at which the walk starts, for START_LOSS; r [batch, n_classes]. */
void start_fill(const walk_start *s, size_t batch, size_t n_classes, const float *logits, const start_sample sample[],
                float *r);

/* Parameters of a criterion: which class, and its initial relevance. */
extern const char *const start_targets[], *const start_values[], *const start_values_of_rules[];

#define START_FIELD_TARGET                                                                                             \
    {                                                                                                                  \
        .name = "target", .kind = FIELD_CHOICE, .choices = start_targets,                                              \
        .help = "class that is explained: the image's label, or what the network predicts out of all its classes"      \
    }
#define START_FIELD_INITIAL(default_)                                                                                  \
    {                                                                                                                  \
        .name = "initial", .kind = FIELD_CHOICE, .def = (default_), .choices = start_values,                           \
        .help =                                                                                                        \
            "what is derived: the class's logit (one), the same times its value (logit), or the cross entropy (loss)"  \
    }
#define START_FIELD_INITIAL_OF_RULES                                                                                   \
    {                                                                                                                  \
        .name = "initial", .kind = FIELD_CHOICE, .choices = start_values_of_rules,                                     \
        .help = "relevance that a walk starts with at the class's logit: 1, or the logit itself"                       \
    }

static inline walk_start start_read(double target, double initial)
{
    return (walk_start){.value = (start_value)initial, .prediction = target != 0.0};
}

#endif
