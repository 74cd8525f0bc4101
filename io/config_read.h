#ifndef IO_CONFIG_READ_H
#define IO_CONFIG_READ_H
/* From nodes to values, each checked against its setting. Errors: ST_CONFIG with the place, what was expected and found. */
#include <stdint.h>

#include "io/config_schema.h"
#include "io/config_yaml.h"

/* The value of every key of a section: value[i] belongs to settings[i], NULL where the key is absent. Unknown, repeated and
 * missing keys are refused. */
MUST_CHECK status read_section(const yaml_node *node, const section *s, const yaml_node *value[]);

MUST_CHECK status read_text(const yaml_node *node, const setting *s, const char **out); /* printable, without line ends */
MUST_CHECK status read_name(const yaml_node *node, const setting *s, const char **out);
/* A name that no element before this one in the same list has. */
MUST_CHECK status read_unique_name(const yaml_node *node, const setting *s, const char **out);
MUST_CHECK status read_path(const yaml_node *node, const setting *s, const char **out);
MUST_CHECK status read_count(const yaml_node *node, const setting *s, uint64_t *out);
MUST_CHECK status read_real(const yaml_node *node, const setting *s, double *out);
MUST_CHECK status read_choice(const yaml_node *node, const setting *s, size_t *out);
/* Any of the kinds that are one double: FIELD_REAL, FIELD_COUNT, FIELD_BOOL, FIELD_CHOICE. */
MUST_CHECK status read_value(const yaml_node *node, const setting *s, double *out);
/* Checks that the node is a list of least .. most elements. */
MUST_CHECK status read_list(const yaml_node *node, const setting *s, size_t least, size_t most);

#endif
