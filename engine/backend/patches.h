#ifndef BACKEND_PATCHES_H
#define BACKEND_PATCHES_H
/* Between an image and the matrix of its patches [in_channels/groups * kh * kw, oh * ow], whose column is what one output of a convolution
 * reads. Only a block of that matrix is there at a time: some rows (taps), and the columns of a panel of outputs. Images are those of one
 * group of one sample, in plain order. */
#include "backend/backend.h"

/* Outputs [y0,y1) x [x0,x1) of a plane: whole rows or a part of one row, so that they lie one behind the other. */
typedef struct panel {
    size_t y0, y1, x0, x1;
} panel;

static inline size_t panel_columns(panel p)
{
    return (p.y1 - p.y0) * (p.x1 - p.x0);
}

static inline size_t patch_size(const conv_shape *s)
{
    return s->in_channels / s->groups * s->kernel[0] * s->kernel[1];
}

/* patches [n, columns of p]: taps [first, first+n) of the image; those outside of it are 0. */
void patches_gather(const conv_shape *s, panel p, size_t first, size_t n, const float *image, float *patches);

/* The transpose: adds every element to the pixel that it was gathered from. Spoils those that were gathered from none. */
void patches_scatter(const conv_shape *s, panel p, size_t first, size_t n, float *patches, float *image);

#endif
