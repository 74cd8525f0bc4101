#include "bench/options.h"

#include <stdlib.h>
#include <string.h>

#include "attribution/rule.h"
#include "bench/networks.h"

const char options_help[] =
    "bench_engine: images per second of a core and share of its multiply-add peak, as JSON lines.\n"
    "\n"
    "  --network LIST  of vgg16_bn, resnet18, resnet50, vit_b_16 (all)\n"
    "  --what WHAT     forward, winograd, lrp, both (forward and lrp) or all (both)\n"
    "  --rule LIST     of the rules for convolutions and linear layers: lrp with each, in all of them (epsilon)\n"
    "  --backend NAME  (all that were built in)\n"
    "  --batch N       images in a micro-batch (16)\n"
    "  --repeats N     timed runs of a micro-batch (5)\n"
    "  --masks N       forward and winograd: so many masks in turn, each with half of the components (0: nothing pruned)\n"
    "  --size N        pixels of an image's side (224)\n"
    "  --shrink N      divide all widths by N, a power of 2 up to 16: a quick check, not a measurement (1)\n"
    "  --rows ROWS     needed or all: the token rows that the last block computes (needed, as a study does)\n";

static status read_number(const char *name, const char *text, size_t most, size_t *out)
{
    char *end = NULL;
    const unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || value == 0 || value > most) {
        return FAIL(ST_USAGE, "%s: expected a whole number in [1, %zu], found '%s'", name, most, text);
    }
    *out = value;
    return STATUS_OK;
}

static status read_rows(const char *text, options *o)
{
    o->all_rows = strcmp(text, "all") == 0;
    return o->all_rows || strcmp(text, "needed") == 0 ? STATUS_OK
                                                      : FAIL(ST_USAGE, "--rows: expected needed or all, found '%s'", text);
}

static status read_what(const char *text, options *o)
{
    const bool all = strcmp(text, "all") == 0, both = strcmp(text, "both") == 0;
    bool known = all || both;
    for (engine_task t = TASK_FORWARD; t < TASK_COUNT; t++) {
        o->task[t] = all || (both && t != TASK_WINOGRAD) || strcmp(text, engine_task_name(t)) == 0;
        known |= o->task[t];
    }
    return known ? STATUS_OK : FAIL(ST_USAGE, "--what: expected forward, winograd, lrp, both or all, found '%s'", text);
}

/* Whether `name` [length] is a part of the comma-separated list. */
static bool lists(const char *list, const char *name, size_t length)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0) {
            return true;
        }
    }
    return false;
}

bool options_want_network(const options *o, const char *name)
{
    return o->networks == NULL || lists(o->networks, name, strlen(name));
}

bool options_want_backend(const options *o, const char *name)
{
    return o->backend == NULL || strcmp(o->backend, name) == 0;
}

bool options_want_rule(const options *o, const char *name)
{
    return lists(o->rules, name, strlen(name));
}

static status check_rules(const char *list)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (size_t i = 0; i < rule_count; i++) {
            const char *name = rule_table[i]->name;
            known |= rule_table[i]->kind == RULE_TERMS && strlen(name) == length && strncmp(name, at, length) == 0;
        }
        if (!known) {
            return FAIL(ST_USAGE, "--rule: no rule '%.*s' for convolutions and linear layers", (int)length, at);
        }
    }
    return STATUS_OK;
}

static status check_networks(const char *list)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (size_t i = 0; i < network_count; i++) {
            known |= strlen(network_table[i].name) == length && strncmp(network_table[i].name, at, length) == 0;
        }
        if (!known) {
            return FAIL(ST_USAGE, "--network: unknown network '%.*s'; see --help", (int)length, at);
        }
    }
    return STATUS_OK;
}

static status check_backend(const char *name)
{
    for (size_t i = 0; i < backend_count; i++) {
        if (strcmp(backend_table[i]->name, name) == 0) {
            return STATUS_OK;
        }
    }
    return FAIL(ST_USAGE, "--backend: '%s' is not built in", name);
}

static status read_option(const char *name, const char *value, options *o)
{
    if (strcmp(name, "--network") == 0) {
        o->networks = value;
        return check_networks(value);
    }
    if (strcmp(name, "--backend") == 0) {
        o->backend = value;
        return check_backend(value);
    }
    if (strcmp(name, "--rule") == 0) {
        o->rules = value;
        return check_rules(value);
    }
    if (strcmp(name, "--what") == 0) {
        return read_what(value, o);
    }
    if (strcmp(name, "--batch") == 0) {
        return read_number(name, value, 1024, &o->batch);
    }
    if (strcmp(name, "--repeats") == 0) {
        return read_number(name, value, 100000, &o->repeats);
    }
    if (strcmp(name, "--masks") == 0) {
        return read_number(name, value, 1000, &o->masks);
    }
    if (strcmp(name, "--size") == 0) {
        return read_number(name, value, 1024, &o->size);
    }
    if (strcmp(name, "--rows") == 0) {
        return read_rows(value, o);
    }
    if (strcmp(name, "--shrink") == 0) {
        TRY(read_number(name, value, 16, &o->shrink));
        return (o->shrink & (o->shrink - 1)) == 0
                   ? STATUS_OK
                   : FAIL(ST_USAGE, "--shrink: expected 1, 2, 4, 8 or 16, found '%s'", value);
    }
    return FAIL(ST_USAGE, "unknown option '%s'; see --help", name);
}

status options_parse(int argc, char *argv[], options *out)
{
    *out = (options){.task = {[TASK_FORWARD] = true, [TASK_LRP] = true},
                     .rules = "epsilon",
                     .batch = 16,
                     .repeats = 5,
                     .size = 224,
                     .shrink = 1};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            out->help = true;
            return STATUS_OK;
        }
        if (i + 1 == argc) {
            return FAIL(ST_USAGE, "%s: expected a value behind it; see --help", argv[i]);
        }
        TRY(read_option(argv[i], argv[i + 1], out));
    }
    return STATUS_OK;
}
