/* What is to be done with images, from what study file, model.json and checkpoint say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/image.h"
#include "io/sha256.h"

static const size_t most_pixels = (size_t)1 << 28;

/* "HxW" or "none" or, where one number is allowed, "S" (then size[1] = 0): the canonical forms of facts_merge(). */
static status read_size(const tensors *t, const char *name, bool one_number, size_t size[2])
{
    const char *text = tensors_fact(t, name);
    size[0] = 0;
    size[1] = 0;
    if (text == NULL || strcmp(text, "none") == 0) {
        return STATUS_OK;
    }
    char *end = NULL;
    unsigned long long second = 0;
    const unsigned long long first = strtoull(text, &end, 10);
    const bool pair = *end == 'x';
    if (pair) {
        second = strtoull(end + 1, &end, 10);
    }
    const bool good = *end == '\0' && first > 0 && first <= most_pixels && second <= most_pixels;
    if (!good || (pair ? second == 0 : !one_number)) {
        return FAIL(ST_DATA, "%s: the fact %s: expected HEIGHTxWIDTH%s or none, found '%.100s'", t->source, name,
                    one_number ? ", a number for the shorter side" : "", text);
    }
    size[0] = (size_t)first;
    size[1] = (size_t)second;
    return STATUS_OK;
}

static status read_triple(const tensors *t, const char *name, double least, float out[3])
{
    const char *text = tensors_fact(t, name);
    if (text == NULL) {
        return FAIL(ST_DATA,
                    "%s: the %s per colour channel of its training is not known: expected the fact %s in model.json "
                    "beside the checkpoint, in the metadata of the checkpoint, or in the study file (ImageNet networks "
                    "of torchvision: mean 0.485,0.456,0.406, std 0.229,0.224,0.225)",
                    t->source, strcmp(name, "std") == 0 ? "standard deviation" : "mean", name);
    }
    const char *p = text;
    for (size_t c = 0; c < 3; c++) {
        char *end;
        const double value = strtod(p, &end);
        if (end == p || *end != (c < 2 ? ',' : '\0') || !isfinite((float)value) || (float)value <= (float)least) {
            return FAIL(ST_DATA, "%s: the fact %s: expected three %snumbers a,b,c, found '%.100s'", t->source, name,
                        least == 0.0 ? "positive " : "", text);
        }
        out[c] = (float)value;
        p = end + 1;
    }
    return STATUS_OK;
}

/* Where the steps alone settle the final size, or can never give it, this is known before any image is read. */
static status check_steps(const tensors *t, const preprocess *p)
{
    const size_t *out = p->output, *fixed = p->crop[0] > 0 ? p->crop : p->resize;
    if (fixed[0] > 0 && fixed[1] > 0 && (fixed[0] != out[0] || fixed[1] != out[1])) {
        return FAIL(ST_DATA,
                    "%s: the network takes images of %zux%zu, but %s makes them %zux%zu; correct one of the two in the "
                    "study file",
                    t->source, out[0], out[1], fixed == p->crop ? "crop" : "resize", fixed[0], fixed[1]);
    }
    const size_t *r = p->resize, *c = p->crop;
    if (r[1] > 0 ? c[0] > r[0] || c[1] > r[1] : r[0] > 0 && c[0] > r[0] && c[1] > r[0]) {
        return FAIL(ST_DATA,
                    "%s: crop %zux%zu is larger than what resize leaves; correct one of the two in the study file",
                    t->source, c[0], c[1]);
    }
    return STATUS_OK;
}

/* A recipe: what is done where nothing else is stated. */
typedef struct recipe {
    const char *name;
    resampling resampling;
    bool
        squash; /* the whole image to the network's size, else its shorter side to size / fraction and the centre cut out */
    double fraction; /* crop fraction */
} recipe;

/* torchvision's for its ImageNet networks (256 and 224), the paper's program for evaluation, timm's default configuration. */
static const recipe recipes[] = {
    {"torchvision", RESAMPLE_BILINEAR, false, 0.875},
    {"reference", RESAMPLE_PLAIN, true, 1.0},
    {"timm", RESAMPLE_BICUBIC, false, 0.875},
};
const char *const preprocess_names[] = {"torchvision", "reference", "timm", NULL};
static const char imagenet_mean[] = "0.485,0.456,0.406", imagenet_std[] = "0.229,0.224,0.225";

static const fact *find_fact(const tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n_facts; i++) {
        if (strcmp(t->facts[i].name, name) == 0) {
            return &t->facts[i];
        }
    }
    return NULL;
}

/* The study file says it before a model.json does, and that before the checkpoint. */
static int rank_of(const fact *f)
{
    return strcmp(f->source, "config") == 0 ? 0 : strcmp(f->source, "model.json") == 0 ? 1 : 2;
}

static status find_recipe(const tensors *t, const char *name, const recipe **out, int *rank)
{
    const fact *f = find_fact(t, name);
    *out = NULL;
    *rank = 3;
    if (f == NULL) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < COUNT(recipes); i++) {
        if (strcmp(f->value, recipes[i].name) == 0) {
            *out = &recipes[i];
            *rank = rank_of(f);
            return STATUS_OK;
        }
    }
    return FAIL(ST_DATA, "%s: the fact %s: expected torchvision, reference or timm, found '%.100s'", t->source, name,
                f->value);
}

/* Facts about steps that a recipe overrules are hidden from the readers below: they see a copy without them. */
typedef struct visible {
    tensors t;
    fact list[8];
} visible;

static void show(visible *v, const tensors *t, const char *name, int rank, const char *otherwise)
{
    const fact *f = find_fact(t, name);
    if (f != NULL && rank_of(f) <= rank) {
        v->list[v->t.n_facts++] = *f;
    } else if (otherwise != NULL) {
        v->list[v->t.n_facts++] = (fact){name, otherwise, "recipe"};
    }
}

static status read_resampling(const tensors *t, resampling *out)
{
    const char *text = tensors_fact(t, "interpolation");
    if (text != NULL && strcmp(text, "bilinear") != 0 && strcmp(text, "bicubic") != 0) {
        return FAIL(ST_DATA, "%s: the fact interpolation: expected bilinear or bicubic, found '%.100s'", t->source,
                    text);
    }
    if (text != NULL) {
        *out = text[2] == 'c' ? RESAMPLE_BICUBIC : RESAMPLE_BILINEAR;
    }
    return STATUS_OK;
}

/* Shorter side to (int)(size / fraction), then the centre: timm's and torchvision's way; 224 / 0.875 = 256. */
static status fill_crop(const tensors *t, double fraction, preprocess *p)
{
    const size_t *out = p->output;
    bool found = false;
    TRY(tensors_fact_real(t, "crop_pct", &fraction, &found));
    if (fraction > 1.0 || fraction < 0.01) {
        return FAIL(ST_DATA, "%s: the fact crop_pct: expected a fraction in [0.01, 1], found %g", t->source, fraction);
    }
    if (tensors_fact(t, "resize") == NULL) {
        p->resize[0] = (size_t)((double)(out[0] < out[1] ? out[0] : out[1]) / fraction);
    }
    if (tensors_fact(t, "crop") == NULL) {
        p->crop[0] = out[0];
        p->crop[1] = out[1];
    }
    return STATUS_OK;
}

static status read_steps(const tensors *t, const recipe *r, preprocess *p)
{
    TRY(read_size(t, "resize", true, p->resize));
    TRY(read_size(t, "crop", false, p->crop));
    TRY(read_resampling(t, &p->resampling));
    if (r != NULL && r->squash) {
        p->resampling = r->resampling;
        memcpy(p->resize, p->output, sizeof p->resize);
        p->crop[0] = p->crop[1] = 0;
        return STATUS_OK;
    }
    return r != NULL || tensors_fact(t, "crop_pct") != NULL ? fill_crop(t, r != NULL ? r->fraction : 1.0, p)
                                                            : STATUS_OK;
}

static status from_facts(const tensors *t, const char *recipe_fact, size_t height, size_t width, preprocess *out)
{
    const recipe *r;
    int rank;
    preprocess p = {.name = "stated", .output = {height, width}};
    visible v = {.t = {.source = t->source, .facts = v.list}};
    TRY(find_recipe(t, recipe_fact, &r, &rank));
    static const char *const steps[] = {"resize", "crop", "interpolation", "crop_pct"};
    for (size_t i = 0; i < COUNT(steps); i++) {
        show(&v, t, steps[i], rank, NULL);
    }
    show(&v, t, "mean", 3, r != NULL ? imagenet_mean : NULL);
    show(&v, t, "std", 3, r != NULL ? imagenet_std : NULL);
    if (r != NULL) {
        p.name = r->name;
        p.resampling = r->resampling;
    }
    TRY(read_steps(&v.t, r, &p));
    TRY(read_triple(&v.t, "mean", -INFINITY, p.mean));
    TRY(read_triple(&v.t, "std", 0.0, p.std));
    TRY(check_steps(t, &p));
    *out = p;
    return STATUS_OK;
}

static status check_image_size(const tensors *t, size_t height, size_t width)
{
    size_t image_size[2];
    TRY(read_size(t, "image_size", false, image_size));
    if (image_size[0] > 0 && (image_size[0] != height || image_size[1] != width)) {
        return FAIL(ST_DATA, "%s: the fact image_size says %zux%zu, the network takes %zux%zu", t->source,
                    image_size[0], image_size[1], height, width);
    }
    return STATUS_OK;
}

status preprocess_from_facts(const tensors *t, size_t height, size_t width, preprocess *out)
{
    TRY(check_image_size(t, height, width));
    return from_facts(t, "preprocess", height, width, out);
}

status preprocess_for_evaluation(const tensors *t, size_t height, size_t width, preprocess *out)
{
    static const char name[] = "evaluation_preprocess";
    TRY(check_image_size(t, height, width));
    return from_facts(t, find_fact(t, name) != NULL ? name : "preprocess", height, width, out);
}

enum { TRIPLE_TEXT = 64 };

/* "a,b,c", each the shortest text that gives the same float again. */
static void write_triple(const float value[3], char text[TRIPLE_TEXT])
{
    size_t used = 0;
    for (size_t c = 0; c < 3; c++) {
        char number[20];
        for (int digits = 6; digits <= 9; digits++) {
            (void)snprintf(number, sizeof number, "%.*g", digits, (double)value[c]);
            if (strtof(number, NULL) == value[c]) {
                break;
            }
        }
        used += (size_t)snprintf(text + used, TRIPLE_TEXT - used, "%s%s", c > 0 ? "," : "", number);
    }
}

/* Resize, crop and what is left. */
static char *geometry(arena *a, const preprocess *p)
{
    static const char *const how[] = {"bilinear, antialiased, 8 bit", "bicubic, antialiased, 8 bit",
                                      "bilinear, not antialiased, float32"};
    char resize[80] = "no resize", crop[80] = "no crop";
    if (p->resize[0] > 0 && p->resize[1] > 0) {
        (void)snprintf(resize, sizeof resize, "resize %zux%zu (%s)", p->resize[0], p->resize[1], how[p->resampling]);
    } else if (p->resize[0] > 0) {
        (void)snprintf(resize, sizeof resize, "resize shorter side %zu (%s)", p->resize[0], how[p->resampling]);
    }
    if (p->crop[0] > 0) {
        (void)snprintf(crop, sizeof crop, "centre crop %zux%zu", p->crop[0], p->crop[1]);
    }
    return arena_text(a, "%s; %s; input %zux%zu", resize, crop, p->output[0], p->output[1]);
}

static void digest_text(const char *text, char digest[65])
{
    uint8_t raw[32];
    sha256(text, strlen(text), raw);
    sha256_text(raw, digest);
}

char *preprocess_steps(arena *a, const preprocess *p)
{
    char digest[65];
    const char *steps = geometry(a, p);
    if (steps == NULL) {
        return NULL;
    }
    digest_text(steps, digest);
    return arena_text(a, "%s; sha256 %.16s", steps, digest);
}

status preprocess_check_steps(arena *a, const char *data, const char *steps, const char *model, const preprocess *p)
{
    const char *wanted = preprocess_steps(a, p);
    if (wanted == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    return strcmp(wanted, steps) == 0
               ? STATUS_OK
               : FAIL(ST_DATA,
                      "%s: its images are decoded and preprocessed already (%s), model '%s' wants others (%s); take the original files, or a pack that "
                      "was made for this model: pollard pack --decoded STUDY",
                      data, steps, model, wanted);
}

char *preprocess_text(arena *a, const preprocess *p)
{
    char mean[TRIPLE_TEXT], std[TRIPLE_TEXT], digest[65];
    write_triple(p->mean, mean);
    write_triple(p->std, std);
    const char *first = geometry(a, p);
    const char *steps = first == NULL ? NULL : arena_text(a, "%s; x/255; mean %s; std %s", first, mean, std);
    if (steps == NULL) {
        return NULL;
    }
    digest_text(steps, digest); /* of the steps alone: what they are called changes nothing */
    return arena_text(a, "%s: %s; sha256 %.16s", p->name, steps, digest);
}

char *preprocess_texts(arena *a, const preprocess *explained, const preprocess *evaluated)
{
    char *first = preprocess_text(a, explained), *second = preprocess_text(a, evaluated);
    if (first == NULL || second == NULL || strcmp(first, second) == 0) {
        return second == NULL ? NULL : first;
    }
    return arena_text(a, "explained images: %s; evaluated images: %s", first, second);
}
