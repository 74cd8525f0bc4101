#ifndef IO_H5_SCALE_H
#define IO_H5_SCALE_H
/* What io/h5_group.c and io/h5_write.c share: dimension scales. */
#include "io/h5.h"

h5_dim *h5_dim_find(h5_group *g, const char *name, size_t length); /* NULL if the group has none of that name */
MUST_CHECK status h5_scale_mark(const h5_group *g, hid_t dataset, const char *name); /* makes it a dimension scale */
MUST_CHECK status h5_scale_attach(h5_group *g, hid_t dataset, const char *name, size_t rank, h5_dim *const dims[]);

#endif
