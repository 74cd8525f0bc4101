#include "backend/backend.h"

#include <string.h>

#ifdef POLLARD_HAVE_ONEDNN
#define OPTIONAL(name) BACKEND(name)
#else
#define OPTIONAL(name)
#endif

#define BACKEND(name) extern const backend_def backend_##name;
#include "backend/backends.def"
#undef BACKEND

#define BACKEND(name) &backend_##name,
const backend_def *const backend_table[] = {
#include "backend/backends.def"
};
#undef BACKEND
#undef OPTIONAL
const size_t backend_count = sizeof backend_table / sizeof backend_table[0];

#define BACKEND(name) #name,
#define OPTIONAL(name) #name,
static const char *const names[] = {
#include "backend/backends.def"
};
#undef BACKEND
#undef OPTIONAL

const char *backend_name(size_t i)
{
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

const backend_def *backend_default(void)
{
    return backend_table[0];
}

const backend_def *backend_find(const char *name)
{
    for (size_t i = 0; i < backend_count; i++) {
        if (strcmp(backend_table[i]->name, name) == 0) {
            return backend_table[i];
        }
    }
    return NULL;
}
