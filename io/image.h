#ifndef IO_IMAGE_H
#define IO_IMAGE_H
/* Images: PNG (libpng) and JPEG (libjpeg) from memory to RGB, recognised by content, not by name; and the preprocessing, pixel-exact
 * with Pillow before normalisation (docs/attribution.md, section i). */
#include "io/files.h"
#include "nn/tensors.h"

typedef struct image {
    size_t height, width;
    uint8_t *rgb; /* [height, width, 3] */
} image;

/* Like Pillow's convert("RGB"): grey is replicated, palettes are expanded, alpha is dropped, 16-bit grey is clipped at 255 (so most of it
 * is white), other 16-bit samples lose their low byte, CMYK is taken as inverted, EXIF orientation and colour profiles are not applied.
 * A truncated or corrupt file, or more than 2^28 pixels, is ST_DATA naming `name`. */
MUST_CHECK status image_decode(arena *a, const char *name, file_bytes bytes, image *out);

/* How pixels are mixed where an image changes its size. */
typedef enum resampling {
    RESAMPLE_BILINEAR, /* Pillow's, antialiased, 8 bit */
    RESAMPLE_BICUBIC,  /* the same with a = -0.5 */
    RESAMPLE_PLAIN     /* bilinear in float32 without antialiasing, as torch's interpolate on tensors; only whole images are squashed so */
} resampling;

typedef struct preprocess {
    const char *name; /* of the recipe: "torchvision", "reference", "timm"; "stated": single steps */
    resampling resampling;
    size_t resize[2];      /* height, width to squash to; {0,0}: none. resize[0]=S, resize[1]=0: shorter side to S */
    size_t crop[2];        /* centre crop; {0,0}: none */
    size_t output[2];      /* what the network wants; another size after resize and crop is an error */
    float mean[3], std[3]; /* per channel, of values in [0,1] */
} preprocess;

/* From the facts resize, crop, interpolation, crop_pct, mean, std, image_size and a recipe's name, which is the fact `recipe` ("preprocess"
 * or "evaluation_preprocess", which falls back on the former); docs/preprocessing.md has the recipes. A recipe says what is not stated by
 * the same source or one before it. Where resize is absent: none when images have to have the network's size already. Where mean or std is
 * absent and no recipe says them: refused with a hint (ST_DATA). Errors: ST_DATA. */
MUST_CHECK status preprocess_from_facts(const tensors *t, size_t height, size_t width, preprocess *out);
MUST_CHECK status preprocess_for_evaluation(const tensors *t, size_t height, size_t width, preprocess *out);
extern const char *const preprocess_names[]; /* of the recipes; NULL-terminated */
/* A line that says it whole and ends in a digest of itself, for results. */
char *preprocess_text(arena *a, const preprocess *p);
/* One line for both sets of images; where they differ it says which is which. */
char *preprocess_texts(arena *a, const preprocess *explained, const preprocess *evaluated);

/* 8-bit antialiased resize as Pillow's, bilinear (a triangle) or bicubic: horizontal pass first, 22-bit fixed-point weights. */
MUST_CHECK status image_resize(arena *a, const image *in, resampling how, size_t height, size_t width, image *out);
/* Values of 0..1 at the places of another grid, bilinear without antialiasing in float32: out [3, height, width]. */
void image_interpolate(const image *in, size_t height, size_t width, float *out);

/* Resize, crop, x/255, normalise: out [3, output[0], output[1]]. Errors: ST_DATA naming `name` where sizes do not fit. */
MUST_CHECK status preprocess_apply(arena *scratch, const preprocess *p, const char *name, const image *in, float *out);

/* The two halves of it, for images that are kept in between: pixels [output[0], output[1], 3] after resize and crop, in 8 bits (not for
 * RESAMPLE_PLAIN, which leaves them); x/255 and normalise. */
MUST_CHECK status preprocess_pixels(arena *scratch, const preprocess *p, const char *name, const image *in, uint8_t *out);
void preprocess_normalise(const preprocess *p, const uint8_t *pixels, float *out);
/* A line that says the first half whole and ends in a digest of itself; NULL when memory is gone. */
char *preprocess_steps(arena *a, const preprocess *p);
/* Images on which `steps` have been done are for networks that want just these. `data` and `model` for the message. Errors: ST_DATA. */
MUST_CHECK status preprocess_check_steps(arena *a, const char *data, const char *steps, const char *model, const preprocess *p);

#endif
