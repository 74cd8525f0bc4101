#include "backend/backend.h"

#define BACKEND(name) extern const backend_def backend_##name;
#include "backend/backends.def"
#undef BACKEND

#define BACKEND(name) &backend_##name,
const backend_def *const backend_table[] = {
#include "backend/backends.def"
};
#undef BACKEND
const size_t backend_count = sizeof backend_table / sizeof backend_table[0];

const backend_def *backend_default(void)
{
    return backend_table[0];
}

size_t backend_conv_workspace(const conv_shape *s)
{
    size_t most = 0;
    for (size_t i = 0; i < backend_count; i++) {
        const size_t floats = backend_table[i]->conv_workspace(s);
        most = floats > most ? floats : most;
    }
    return most;
}
