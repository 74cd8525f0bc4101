#ifndef IO_CONFIG_SCHEMA_H
#define IO_CONFIG_SCHEMA_H
/* The keys of a study file. These tables are the only statement of them: reading, range checks, `--help config` and docs/config.md
 * follow from them. A criterion's own keys are the fields of its method (pruning/criterion.h). */
#include <stdint.h>

#include "core/field.h"

typedef struct section section;

/* A field of core/field.h with what only a study file needs. */
typedef struct setting {
    field field;            /* FIELD_LIST: its default, range and choices are those of an element */
    field_kind item;        /* FIELD_LIST: kind of its elements */
    size_t length;          /* FIELD_LIST: exactly so many elements, 0 = any number */
    bool below;             /* the upper end does not belong to the range */
    const char *absent;     /* what an absent key means, where it is not field.def */
    const char *form;       /* how a value is written, where the kind does not say it; the range follows it in messages */
    const char *(*choice)(size_t i); /* FIELD_CHOICE of a family: the i-th name, NULL behind the last */
    const section *section; /* FIELD_SECTION, or what a list of sections holds */
} setting;

struct section {
    size_t n;
    const setting *settings;
};

/* Indices into the tables. */
enum { STUDY_NAME, STUDY_DATA, STUDY_MODELS, STUDY_CRITERIA, STUDY_TASKS, STUDY_RATES, STUDY_PREDICTION, STUDY_MICRO_BATCH,
       STUDY_DECODE_THREADS, STUDY_BACKEND, STUDY_ROWS,
       STUDY_SPECTRUM, STUDY_SPECTRUM_LAPACK,
       STUDY_CONVOLUTIONS, STUDY_OUTPUT,
       STUDY_HEATMAPS,
       STUDY_SEARCH, STUDY_KEYS };
enum { CONVOLUTIONS_DIRECT, CONVOLUTIONS_WINOGRAD }; /* choices of `convolutions` */
enum { DATA_REFERENCE, DATA_EVALUATION, DATA_REFERENCE_LIST, DATA_EVALUATION_LIST, DATA_SAMPLING, DATA_KEYS };
enum {
    MODEL_NAME, MODEL_CHECKPOINT, MODEL_COMPONENTS, MODEL_ARCHITECTURE, MODEL_HEADS, MODEL_IMAGE_SIZE, MODEL_RESIZE, MODEL_CROP,
    MODEL_MEAN, MODEL_STD, MODEL_PREPROCESS, MODEL_EVALUATION_PREPROCESS, MODEL_INTERPOLATION, MODEL_CROP_FRACTION, MODEL_KEYS
};
enum { CRITERION_NAME, CRITERION_METHOD, CRITERION_ORDER, CRITERION_SCOPE, CRITERION_FLOOR, CRITERION_MODELS,
       CRITERION_REFERENCES, CRITERION_KEYS }; /* then the fields of the method */
enum { ENTRY_MATCH, ENTRY_TYPE, ENTRY_GROUP, ENTRY_PLACE, ENTRY_RULE, ENTRY_KEYS }; /* then the fields of the rule */
enum { PRESET_NAME, PRESET_KEYS }; /* then the fields of the preset */
enum { TASKS_CLASSES, TASKS_SUBSETS, TASKS_SEEDS, TASKS_REFERENCES, TASKS_KEYS };
enum { SUBSET_NAME, SUBSET_CLASSES, SUBSET_KEYS };
enum { RATES_FROM, RATES_TO, RATES_STEP, RATES_KEYS };
enum { HEATMAPS_IMAGES, HEATMAPS_RATES, HEATMAPS_CRITERIA, HEATMAPS_COMPOSITE, HEATMAPS_EPSILON, HEATMAPS_SOFTMAX, HEATMAPS_KEEP, HEATMAPS_KEYS };
/* Four rules from SEARCH_LOW on, in the order of the preset four-groups. */
enum { SEARCH_METHOD, SEARCH_LOW, SEARCH_MID, SEARCH_HIGH, SEARCH_FC, SEARCH_ABSOLUTE, SEARCH_SOFTMAX, SEARCH_CONTINUOUS, SEARCH_GAMMA, SEARCH_GAMMA_FC,
       SEARCH_ALPHA, SEARCH_EPSILON, SEARCH_TRIALS, SEARCH_BATCH, SEARCH_SEED, SEARCH_ETA, SEARCH_CONFIDENCE, SEARCH_FIRST_IMAGES,
       SEARCH_FIRST_RATES, SEARCH_FIRST_SEEDS, SEARCH_SEEDS, SEARCH_REFERENCES, SEARCH_SPLIT, SEARCH_OBJECTIVE, SEARCH_AT, SEARCH_REPORT,
       SEARCH_KEYS };

extern const section study_section, data_section, model_section, criterion_section, entry_section, preset_section, tasks_section,
    subset_section, rates_section, heatmaps_section,
    search_section;
extern const setting composite_setting; /* a key more of criteria whose method takes a composite */

enum { MOST_MODELS = 256, MOST_CRITERIA = 256, MOST_ENTRIES = 256, MOST_SIZES = 100, MOST_SUBSETS = 100, MOST_CLASSES = 100000, MOST_SEEDS = 10000,
       MOST_RATES = 1000, MOST_PATH = 4000, MOST_NAME = 64 };

typedef struct schema_words {
    char text[400];
} schema_words;

/* What a value looks like: "number in [0, 1)", "list of integers in [2, 100000]", "one of filters, neurons, heads". */
schema_words setting_form(const setting *s);
/* The same for "expected ...", with an article where it needs one. */
schema_words setting_expected(const setting *s);
const char *setting_choice(const setting *s, size_t i); /* NULL behind the last */

/* The shortest decimal text that strtod reads back as the same double; integers without exponent up to 2^53. */
schema_words number_text(double value);
/* A value as a study file says it: a number, true or false, or a word of the choice. */
schema_words value_text(const setting *s, double value);

#endif
