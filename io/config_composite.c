#include "io/config_composite.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "io/config_read.h"

/* ---- reading ---- */

static bool rule_has(const rule_def *rule, const char *parameter)
{
    return field_index(rule->n_fields, rule->fields, parameter) < rule->n_fields;
}

static bool is_key_of(const section *s, const char *name)
{
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        any = any || strcmp(s->settings[i].field.name, name) == 0;
    }
    return any;
}

/* The rules that have such a parameter, "gamma, alpha-beta"; "" where none has. */
static void rules_with(const char *parameter, size_t size, char out[])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rule_count && used < size; i++) {
        if (rule_has(rule_table[i], parameter)) {
            const int more = snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ", ", rule_table[i]->name);
            used += more < 0 ? 0 : (size_t)more;
        }
    }
}

/* A key that only an entry with another rule, or with any rule, could have: better said so than "unknown". */
static status check_parameters(const yaml_node *at, const rule_def *rule)
{
    for (const yaml_node *v = at->kind == YAML_MAPPING ? at->first : NULL; v != NULL; v = v->next) {
        char others[400];
        rules_with(v->key, sizeof others, others);
        if (others[0] == '\0' || is_key_of(&entry_section, v->key) || (rule != NULL && rule_has(rule, v->key))) {
            continue;
        }
        if (rule == NULL) {
            return FAIL_AT(at, "the key '%s' is missing; '%s' is a parameter of %s", entry_section.settings[ENTRY_RULE].field.name, v->key, others);
        }
        return FAIL_AT_KEY(v, "the rule '%s' has no such parameter; it belongs to %s", rule->name, others);
    }
    return STATUS_OK;
}

/* Copies the settings of a section and those of a family's member behind them. */
static section extended(const section *s, size_t n_fields, const field fields[], setting settings[])
{
    memcpy(settings, s->settings, s->n * sizeof *settings);
    for (size_t i = 0; i < n_fields; i++) {
        settings[s->n + i] = (setting){.field = fields[i]};
    }
    return (section){s->n + n_fields, settings};
}

static status read_type(const yaml_node *at, const char **out)
{
    TRY(read_text(at, &entry_section.settings[ENTRY_TYPE], out));
    if (composite_type_exists(*out)) {
        return STATUS_OK;
    }
    enum { MOST_TYPES = 64 };
    const char *names[MOST_TYPES];
    char list[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < op_count && n < MOST_TYPES; i++) {
        if (composite_type_exists(op_table[i]->name)) {
            const size_t used = strlen(list);
            names[n++] = op_table[i]->name;
            (void)snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : ", ", op_table[i]->name);
        }
    }
    const char *closest = text_closest(*out, n, names);
    return FAIL_AT(at, "expected a type of layers or a pattern that fits one (%s), found %s%s%s%s", list, yaml_found(at).text,
                   closest != NULL ? "; did you mean '" : "", closest != NULL ? closest : "", closest != NULL ? "'?" : "");
}

static status read_conditions(const yaml_node *const v[], composite_entry *out)
{
    size_t choice = 0;
    if (v[ENTRY_MATCH] != NULL) {
        TRY(read_text(v[ENTRY_MATCH], &entry_section.settings[ENTRY_MATCH], &out->name_pattern));
    }
    if (v[ENTRY_TYPE] != NULL) {
        TRY(read_type(v[ENTRY_TYPE], &out->type));
    }
    if (v[ENTRY_GROUP] != NULL) {
        TRY(read_choice(v[ENTRY_GROUP], &entry_section.settings[ENTRY_GROUP], &choice));
        out->group = (depth_group)(choice + 1); /* no choice for GROUP_NONE */
    }
    if (v[ENTRY_PLACE] != NULL) {
        TRY(read_choice(v[ENTRY_PLACE], &entry_section.settings[ENTRY_PLACE], &choice));
        out->place = (composite_place)(choice + 1); /* nor for PLACE_ANY */
    }
    return STATUS_OK;
}

static status read_entry(const yaml_node *at, composite_entry *out)
{
    setting settings[ENTRY_KEYS + MAX_RULE_PARAMETERS];
    const yaml_node *v[ENTRY_KEYS + MAX_RULE_PARAMETERS];
    const setting *rule_setting = &entry_section.settings[ENTRY_RULE];
    const yaml_node *rule = at->kind == YAML_MAPPING ? yaml_find(at, rule_setting->field.name) : NULL;
    section own = entry_section;
    if (rule != NULL) {
        size_t choice = 0;
        TRY(read_choice(rule, rule_setting, &choice));
        out->rule = rule_table[choice];
        assert(out->rule->n_fields <= MAX_RULE_PARAMETERS);
        own = extended(&entry_section, out->rule->n_fields, out->rule->fields, settings);
    }
    TRY(check_parameters(at, out->rule));
    TRY(read_section(at, &own, v));
    TRY(read_conditions(v, out));
    for (size_t i = 0; i < out->rule->n_fields; i++) {
        const bool stabiliser = rule_is_stabilised(out->rule) && i == out->rule->epsilon_field;
        out->parameters[i] = stabiliser ? NAN : out->rule->fields[i].def;
        if (v[ENTRY_KEYS + i] != NULL) {
            TRY(read_value(v[ENTRY_KEYS + i], &settings[ENTRY_KEYS + i], &out->parameters[i]));
        }
    }
    if (!composite_type_takes(out->type, out->rule)) {
        return FAIL_AT(rule, "the rule '%s' is not for %s%s%s", out->rule->name, out->type != NULL ? "layers of type '" : "convolutions and linear layers",
                       out->type != NULL ? yaml_shown(out->type, strlen(out->type)).text : ", which an entry without 'type' means",
                       out->type != NULL ? "'" : "");
    }
    return STATUS_OK;
}

static status read_entries(arena *a, const yaml_node *at, const char *name, const composite **out)
{
    composite_entry *entries;
    composite *c;
    TRY(read_list(at, &composite_setting, 1, MOST_ENTRIES));
    TRY_ALLOC(entries, a, at->n);
    TRY_ALLOC(c, a, 1);
    for (const yaml_node *v = at->first; v != NULL; v = v->next) {
        TRY(read_entry(v, &entries[v->index]));
    }
    *c = (composite){.name = name, .n = at->n, .entries = entries};
    *out = c;
    return STATUS_OK;
}

/* `at` is the name itself, or a section that holds it with the preset's parameters. */
static status read_preset(const yaml_node *at, config_criterion *c)
{
    setting settings[PRESET_KEYS + MAX_PRESET_PARAMETERS];
    const yaml_node *v[PRESET_KEYS + MAX_PRESET_PARAMETERS];
    const setting *name_setting = &preset_section.settings[PRESET_NAME];
    const bool with_parameters = at->kind == YAML_MAPPING;
    const yaml_node *name = with_parameters ? yaml_find(at, name_setting->field.name) : at;
    size_t choice = 0;
    section own = preset_section;
    if (name != NULL) {
        TRY(read_choice(name, name_setting, &choice));
        c->preset = &preset_table[choice];
        assert(c->preset->n_fields <= MAX_PRESET_PARAMETERS);
        own = extended(&preset_section, c->preset->n_fields, c->preset->fields, settings);
    }
    if (with_parameters) {
        TRY(read_section(at, &own, v));
    }
    for (size_t i = 0; i < c->preset->n_fields; i++) {
        double *out = &c->preset_parameters[i];
        *out = c->preset->fields[i].def;
        if (with_parameters && v[PRESET_KEYS + i] != NULL) {
            TRY(read_value(v[PRESET_KEYS + i], &settings[PRESET_KEYS + i], out));
        }
    }
    return STATUS_OK;
}

status composite_read(arena *a, const yaml_node *at, config_criterion *c)
{
    if (at != NULL && at->kind == YAML_SEQUENCE) {
        return read_entries(a, at, c->name, &c->composite);
    }
    if (at != NULL && yaml_is_null(at)) {
        return FAIL_AT(at, "expected %s, found nothing", setting_expected(&composite_setting).text);
    }
    c->preset = &preset_table[0]; /* the default */
    if (at != NULL) {
        TRY(read_preset(at, c));
    }
    return preset_build(a, c->preset, c->preset_parameters, c->name, &c->composite);
}

/* ---- writing ---- */

static const char *with_text(arena *a, const char *before, const setting *s, const char *text)
{
    const size_t n = yaml_scalar(text, NULL, 0) + 1;
    char *value = arena_alloc(a, n, 1);
    if (before == NULL || value == NULL) {
        return NULL;
    }
    (void)yaml_scalar(text, value, n);
    return arena_text(a, "%s%s: %s, ", before, s->field.name, value);
}

static const char *with_parameters(arena *a, const char *before, size_t n, const field fields[], const double value[])
{
    for (size_t i = 0; i < n && before != NULL; i++) {
        const setting s = {.field = fields[i]};
        if (!isnan(value[i])) {
            before = arena_text(a, "%s, %s: %s", before, fields[i].name, value_text(&s, value[i]).text);
        }
    }
    return before == NULL ? NULL : arena_text(a, "%s}", before);
}

const char *composite_entry_text(arena *a, const composite_entry *e)
{
    const setting *s = entry_section.settings;
    const char *text = "{";
    if (e->name_pattern != NULL) {
        text = with_text(a, text, &s[ENTRY_MATCH], e->name_pattern);
    }
    if (e->type != NULL) {
        text = with_text(a, text, &s[ENTRY_TYPE], e->type);
    }
    if (e->group != GROUP_NONE) {
        text = with_text(a, text, &s[ENTRY_GROUP], depth_group_name(e->group));
    }
    if (e->place != PLACE_ANY) {
        text = with_text(a, text, &s[ENTRY_PLACE], setting_choice(&s[ENTRY_PLACE], (size_t)e->place - 1));
    }
    text = text == NULL ? NULL : arena_text(a, "%s%s: %s", text, s[ENTRY_RULE].field.name, e->rule->name);
    return with_parameters(a, text, e->rule->n_fields, e->rule->fields, e->parameters);
}

static const char *join(arena *a, const composite *c, const char *before_first, const char *before, const char *end)
{
    const char *text = "";
    for (size_t i = 0; i < c->n && text != NULL; i++) {
        const char *entry = composite_entry_text(a, &c->entries[i]);
        text = entry == NULL ? NULL : arena_text(a, "%s%s%s", text, i == 0 ? before_first : before, entry);
    }
    return text == NULL ? NULL : arena_text(a, "%s%s", text, end);
}

const char *composite_text(arena *a, const composite *c)
{
    return join(a, c, "[", ", ", "]");
}

/* The name alone where the preset has no parameters. */
static const char *preset_text(arena *a, const config_criterion *c)
{
    const preset_def *p = c->preset;
    const char *text = arena_text(a, "{%s: %s", preset_section.settings[PRESET_NAME].field.name, p->name);
    return p->n_fields == 0 ? p->name : with_parameters(a, text, p->n_fields, p->fields, c->preset_parameters);
}

const char *composite_stated_text(arena *a, const config_criterion *c)
{
    return c->preset != NULL ? preset_text(a, c) : join(a, c->composite, "\n      - ", "\n      - ", "");
}

const char *criterion_text(arena *a, const config_criterion *c)
{
    const char *text = arena_text(a, "%s", c->method->name);
    if (c->method->takes_composite && text != NULL) {
        const char *stated = c->preset != NULL ? preset_text(a, c) : "list";
        text = stated == NULL ? NULL : arena_text(a, "%s %s=%s", text, composite_setting.field.name, stated);
    }
    for (size_t i = 0; i < c->method->n_fields && text != NULL; i++) {
        const setting key = {.field = c->method->fields[i]};
        text = arena_text(a, "%s %s=%s", text, key.field.name, value_text(&key, c->parameters[i]).text);
    }
    return text;
}
