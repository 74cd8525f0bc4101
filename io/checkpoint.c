#include "io/checkpoint.h"

#include <string.h>

#include "io/checkpoint_reader.h"
#include "io/file_kind.h"

#define READER(name) extern const checkpoint_reader reader_##name;
#include "io/checkpoints/readers.def"
#undef READER

#define READER(name) &reader_##name,
const checkpoint_reader *const checkpoint_reader_table[] = {
#include "io/checkpoints/readers.def"
};
#undef READER
const size_t checkpoint_reader_count = COUNT(checkpoint_reader_table);

/* What wrappers of a model put in front of every name: torch's DataParallel, torch.compile. */
static const char *const prefixes[] = {"module.", "_orig_mod."};

static const checkpoint_reader *find_reader(file_bytes bytes)
{
    for (size_t i = 0; i < checkpoint_reader_count; i++) {
        if (checkpoint_reader_table[i]->recognises(bytes)) {
            return checkpoint_reader_table[i];
        }
    }
    return NULL;
}

const char *checkpoint_format(file_bytes start)
{
    const checkpoint_reader *reader = find_reader(start);
    return reader == NULL ? NULL : reader->name;
}

static bool all_begin_with(const tensors *t, const char *prefix)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strncmp(t->list[i].name, prefix, strlen(prefix)) != 0 || t->list[i].name[strlen(prefix)] == '\0') {
            return false;
        }
    }
    return t->n > 0;
}

/* A prefix is left out only where every tensor has it. */
static status strip_prefixes(arena *a, tensors *t)
{
    tensor *list;
    TRY_ALLOC(list, a, t->n);
    if (t->n > 0) {
        memcpy(list, t->list, t->n * sizeof *list);
    }
    t->list = list;
    for (size_t i = 0; i < COUNT(prefixes);) {
        if (!all_begin_with(t, prefixes[i])) {
            i++;
            continue;
        }
        for (size_t k = 0; k < t->n; k++) {
            list[k].name += strlen(prefixes[i]);
        }
        i = 0; /* one may lie within the other */
    }
    return STATUS_OK;
}

status checkpoint_parse(arena *a, const char *source, file_bytes bytes, tensors **out)
{
    tensors *t = NULL;
    const checkpoint_reader *reader = find_reader(bytes);
    if (reader == NULL) {
        const file_kind *kind = file_kind_of(bytes);
        return FAIL(ST_DATA, "%s: expected a checkpoint (safetensors or PyTorch's .pth, .pt, .th), found %s%s", source,
                    kind == NULL ? "something else" : kind->name, kind == NULL ? "" : kind->advice);
    }
    TRY(reader->parse(a, source, bytes, &t));
    TRY(strip_prefixes(a, t));
    *out = t;
    return STATUS_OK;
}
