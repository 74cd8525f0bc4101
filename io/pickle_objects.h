#ifndef IO_PICKLE_OBJECTS_H
#define IO_PICKLE_OBJECTS_H
/* What a pickle's references stand for: the few names that are known and what "calling" them gives. */
#include "io/pickle.h"

typedef struct pickle_place { /* for messages and memory */
    arena *a;
    const char *source, *part;
    size_t byte; /* where in the file the operation stands */
} pickle_place;

/* Errors: ST_DATA naming what would be imported. */
MUST_CHECK status pickle_global_find(const pickle_place *p, const char *module, size_t module_size, const char *name,
                                     size_t name_size, pickle_value *out);
/* function(arguments) */
MUST_CHECK status pickle_call(const pickle_place *p, const pickle_value *function, const pickle_value *arguments,
                              pickle_value *out);
/* Persistent ids: ('storage', type, key, place, n[, view]). */
MUST_CHECK status pickle_persistent(const pickle_place *p, const pickle_value *id, pickle_storages *storages,
                                    pickle_value *out);
/* Room for one more at the end, doubling. */
MUST_CHECK status pickle_append(arena *a, pickle_list *list, const pickle_value *v);

#endif
