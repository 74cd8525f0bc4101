#ifndef IO_CONFIG_RESOLVE_H
#define IO_CONFIG_RESOLVE_H
/* A study back as YAML: every key that has a value, in the order of the tables, so that reading it gives the same study and text. */
#include "io/config.h"

/* Paths as they were written (in `config` they are ready to be opened), and composites as YAML. */
typedef struct config_written {
    const char *reference, *evaluation, *reference_list, *evaluation_list; /* the lists may be NULL */
    const char *const *checkpoint; /* [n_models] */
    const char *const *composite;  /* [n_criteria] the value of the key (composite_stated_text), NULL where the method takes none */
    const char *heatmaps_composite; /* the same of `heatmaps:`; NULL where the study has no such section */
} config_written;

MUST_CHECK status config_resolve(arena *a, const config *c, const config_written *w, const char **out);
/* config.scoring: the section of each criterion as above, without what does not matter to its scores. */
MUST_CHECK status config_scoring(arena *a, const config *c, const config_written *w, const char *const **out);

/* How facts about a model are called in study files and elsewhere (io/checkpoint.h). */
typedef struct config_fact_name {
    size_t setting; /* MODEL_HEADS, ... */
    const char *fact;
} config_fact_name;
enum { CONFIG_FACTS = 11 };
extern const config_fact_name config_fact_names[CONFIG_FACTS];

#endif
