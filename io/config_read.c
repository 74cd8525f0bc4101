#include "io/config_read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

enum { MOST_KEYS = 64 };

static status unexpected(const yaml_node *node, const setting *s)
{
    const bool number = s->field.kind == FIELD_REAL || s->field.kind == FIELD_COUNT || s->item == FIELD_REAL ||
                        s->item == FIELD_COUNT;
    const bool quoted = node->kind == YAML_SCALAR && !node->plain && number;
    return FAIL_AT(node, "expected %s, found %s%s", setting_expected(s).text, yaml_found(node).text,
                   quoted ? "; leave out the quotes" : "");
}

static status unknown_key(const yaml_node *node, const section *s)
{
    const char *names[MOST_KEYS];
    char list[512] = "";
    for (size_t i = 0; i < s->n; i++) {
        const size_t used = strlen(list);
        names[i] = s->settings[i].field.name;
        (void)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    const char *closest = text_closest(node->key, s->n, names);
    if (closest != NULL) {
        return FAIL_AT_KEY(node, "unknown key; did you mean '%s'?", closest);
    }
    return FAIL_AT_KEY(node, "unknown key; allowed here: %s", list);
}

static size_t find_setting(const section *s, const char *key)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->settings[i].field.name, key) != 0) {
        i++;
    }
    return i;
}

static status repeated_key(const yaml_node *node, const yaml_node *first)
{
    return FAIL_AT_KEY(node, "the key is given a second time; it stands already in line %zu", first->key_at.line);
}

status read_section(const yaml_node *node, const section *s, const yaml_node *value[])
{
    if (node->kind != YAML_MAPPING) {
        const setting any = {.field = {.kind = FIELD_SECTION}, .section = s};
        return unexpected(node, &any);
    }
    for (size_t i = 0; i < s->n; i++) {
        value[i] = NULL;
    }
    for (const yaml_node *v = node->first; v != NULL; v = v->next) {
        const size_t i = find_setting(s, v->key);
        if (i == s->n) {
            return unknown_key(v, s);
        }
        if (value[i] != NULL) {
            return repeated_key(v, value[i]);
        }
        value[i] = v;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->settings[i].field.required && value[i] == NULL) {
            return FAIL_AT(node, "the key '%s' is missing; expected %s", s->settings[i].field.name,
                           setting_expected(&s->settings[i]).text);
        }
    }
    return STATUS_OK;
}

status read_text(const yaml_node *node, const setting *s, const char **out)
{
    if (node->kind != YAML_SCALAR || yaml_is_null(node) || node->size == 0) {
        return unexpected(node, s);
    }
    if (!yaml_is_printable(node->text, node->size)) {
        return FAIL_AT(node, "expected %s without control characters or line ends, found %s", setting_expected(s).text,
                       yaml_found(node).text);
    }
    *out = node->text;
    return STATUS_OK;
}

status read_name(const yaml_node *node, const setting *s, const char **out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    TRY(read_text(node, s, out));
    const char *name = *out;
    if (strlen(name) > MOST_NAME || strspn(name, letters) != strlen(name) || name[0] == '-' || name[0] == '.') {
        return FAIL_AT(node, "expected a name (at most %d letters, digits, _ - and ., the first a letter, digit or _), found %s",
                       MOST_NAME, yaml_found(node).text);
    }
    return STATUS_OK;
}

status read_unique_name(const yaml_node *node, const setting *s, const char **out)
{
    TRY(read_name(node, s, out));
    const yaml_node *element = node->parent;
    for (const yaml_node *other = element->parent->first; other != element; other = other->next) {
        const yaml_node *name = yaml_find(other, s->field.name);
        if (strcmp(name->text, *out) == 0) {
            return FAIL_AT(node, "expected a name of its own, found '%s', which %s[%zu] has already", *out,
                           element->parent->key, other->index);
        }
    }
    return STATUS_OK;
}

status read_path(const yaml_node *node, const setting *s, const char **out)
{
    TRY(read_text(node, s, out));
    if (node->size > MOST_PATH) {
        return FAIL_AT(node, "expected a path of at most %d bytes, found %zu bytes", MOST_PATH, node->size);
    }
    return STATUS_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p)
{
    while (is_digit(*p)) {
        p++;
    }
    return p;
}

/* [+-] digits [. digits] [e [+-] digits]: no hexadecimal, no "inf", no "nan". */
static bool is_number(const yaml_node *node)
{
    const char *p = node->text;
    if (node->kind != YAML_SCALAR || !node->plain) {
        return false;
    }
    p += *p == '+' || *p == '-' ? 1 : 0;
    const char *whole = p;
    p = skip_digits(p);
    bool any = p > whole;
    if (*p == '.') {
        const char *part = p + 1;
        p = skip_digits(part);
        any = any || p > part;
    }
    if (any && (*p == 'e' || *p == 'E')) {
        const char *exponent = p + 1 + (p[1] == '+' || p[1] == '-' ? 1 : 0);
        p = skip_digits(exponent);
        any = p > exponent;
    }
    return any && p == node->text + node->size;
}

status read_real(const yaml_node *node, const setting *s, double *out)
{
    if (!is_number(node)) {
        return unexpected(node, s);
    }
    const double value = strtod(node->text, NULL);
    const bool high = s->below ? value >= s->field.max : value > s->field.max;
    if (!isfinite(value) || value < s->field.min || high) {
        return unexpected(node, s);
    }
    *out = value;
    return STATUS_OK;
}

status read_count(const yaml_node *node, const setting *s, uint64_t *out)
{
    const char *text = node->text;
    if (!is_number(node) || skip_digits(text) != text + node->size || (text[0] == '0' && node->size > 1)) {
        return unexpected(node, s);
    }
    /* Results and HDF5 attributes hold signed 64-bit integers, so no count is larger. */
    const uint64_t most = s->field.max >= 0x1p63 ? INT64_MAX : (uint64_t)s->field.max - (s->below ? 1 : 0);
    errno = 0;
    const unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0 || value > most || (double)value < s->field.min) {
        return unexpected(node, s);
    }
    *out = value;
    return STATUS_OK;
}

status read_choice(const yaml_node *node, const setting *s, size_t *out)
{
    const char *names[MOST_KEYS];
    size_t n = 0;
    for (; n < MOST_KEYS && setting_choice(s, n) != NULL; n++) {
        names[n] = setting_choice(s, n);
    }
    for (size_t i = 0; i < n && node->kind == YAML_SCALAR; i++) {
        if (strcmp(node->text, names[i]) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    const char *closest = node->kind == YAML_SCALAR ? text_closest(node->text, n, names) : NULL;
    setting one = *s; /* an element's own form, where s is a list */
    one.field.kind = FIELD_CHOICE;
    return FAIL_AT(node, "expected %s, found %s%s%s%s", setting_expected(&one).text, yaml_found(node).text,
                   closest != NULL ? "; did you mean '" : "", closest != NULL ? closest : "", closest != NULL ? "'?" : "");
}

static status read_bool(const yaml_node *node, const setting *s, double *out)
{
    const bool yes = node->kind == YAML_SCALAR && node->plain && strcmp(node->text, "true") == 0;
    const bool no = node->kind == YAML_SCALAR && node->plain && strcmp(node->text, "false") == 0;
    *out = yes ? 1.0 : 0.0;
    return yes || no ? STATUS_OK : unexpected(node, s);
}

status read_value(const yaml_node *node, const setting *s, double *out)
{
    uint64_t count = 0;
    size_t choice = 0;
    switch (s->field.kind) {
    case FIELD_REAL:
        return read_real(node, s, out);
    case FIELD_COUNT:
        TRY(read_count(node, s, &count));
        *out = (double)count;
        return STATUS_OK;
    case FIELD_BOOL:
        return read_bool(node, s, out);
    case FIELD_CHOICE:
        TRY(read_choice(node, s, &choice));
        *out = (double)choice;
        return STATUS_OK;
    default:
        return FAIL(ST_BUG, "the field '%s' of a family has a kind that is not a number", s->field.name);
    }
}

status read_list(const yaml_node *node, const setting *s, size_t least, size_t most)
{
    if (node->kind != YAML_SEQUENCE) {
        return unexpected(node, s);
    }
    if (least == most && node->n != most) {
        return FAIL_AT(node, "expected a list of exactly %zu elements, found %zu", most, node->n);
    }
    if (node->n < least || node->n > most) {
        return FAIL_AT(node, "expected a list of %zu to %zu elements, found %zu", least, most, node->n);
    }
    return STATUS_OK;
}
