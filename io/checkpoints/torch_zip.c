/* torch.save since PyTorch 1.6: a zip archive <name>/data.pkl with the dictionary and <name>/data/<key> with the bytes of each storage. */
#include <string.h>

#include "io/checkpoint_reader.h"
#include "io/file_kind.h"
#include "io/torch_state.h"
#include "io/zip_archive.h"

static bool recognises(file_bytes bytes)
{
    return file_starts_with(bytes, "PK\x03\x04", 4);
}

static bool ends_with(const zip_entry *e, const char *ending)
{
    const size_t size = strlen(ending);
    return e->name_size >= size && memcmp(e->name + e->name_size - size, ending, size) == 0;
}

/* <name>/data.pkl; every other name begins with <name> too. */
static status find_pickle(const zip_archive *z, const zip_entry **out)
{
    const zip_entry *found = NULL;
    for (size_t i = 0; i < z->n; i++) {
        const zip_entry *e = &z->entry[i];
        if (ends_with(e, "/constants.pkl")) {
            return FAIL(
                ST_DATA,
                "%s: expected a checkpoint, found a TorchScript archive, which is a program; save the weights alone: "
                "torch.save(torch.jit.load(path).state_dict(), new_path)",
                z->source);
        }
        if (ends_with(e, "/data.pkl") &&
            memchr(e->name, '/', e->name_size) == e->name + e->name_size - strlen("/data.pkl")) {
            found = e;
        }
    }
    if (found == NULL) {
        return FAIL(ST_DATA,
                    "%s: expected a checkpoint, found a zip archive without <name>/data.pkl: not one of torch.save",
                    z->source);
    }
    *out = found;
    return STATUS_OK;
}

typedef struct place {
    const zip_archive *zip;
    int prefix_size; /* of <name> */
    const char *prefix;
} place;

static status check_byte_order(const place *p)
{
    char name[512];
    file_bytes order;
    (void)snprintf(name, sizeof name, "%.*s/byteorder", p->prefix_size, p->prefix);
    const zip_entry *e = zip_find(p->zip, name);
    if (e == NULL) {
        return STATUS_OK;
    }
    TRY(zip_entry_bytes(p->zip, e, &order));
    if (order.size != 6 || memcmp(order.data, "little", 6) != 0) {
        return FAIL(
            ST_DATA,
            "%s: expected little-endian numbers, found the byte order '%.*s'; save it again on a little-endian machine",
            p->zip->source, (int)(order.size < 20 ? order.size : 20), (const char *)order.data);
    }
    return STATUS_OK;
}

static status find_storage(const torch_source *from, const torch_storage *s, const unsigned char **data,
                           uint64_t *bytes)
{
    const place *p = from->context;
    char name[512];
    file_bytes found;
    (void)snprintf(name, sizeof name, "%.*s/data/%s", p->prefix_size, p->prefix, s->key);
    const zip_entry *e = zip_find(p->zip, name);
    if (e == NULL) {
        return FAIL(ST_DATA, "%s: expected the entry '%s' with a storage, found none", from->source, name);
    }
    TRY(zip_entry_bytes(p->zip, e, &found));
    *data = found.data;
    *bytes = found.size;
    return STATUS_OK;
}

static status parse(arena *a, const char *source, file_bytes bytes, tensors **out)
{
    zip_archive z;
    const zip_entry *e = NULL;
    file_bytes text;
    pickle_storages storages = {0};
    pickle_value root;
    size_t at = 0;
    TRY(zip_open(a, source, bytes, &z));
    TRY(find_pickle(&z, &e));
    TRY(zip_entry_bytes(&z, e, &text));
    const place p = {&z, (int)(e->name_size - strlen("/data.pkl")), e->name};
    if (p.prefix_size > 256) {
        return FAIL(ST_DATA, "%s: expected names of at most 256 characters in the archive, found longer ones", source);
    }
    TRY(check_byte_order(&p));
    TRY(pickle_read(a, source, "data.pkl", text, &at, &storages, &root));
    const torch_source from = {source, bytes.size, find_storage, &p};
    return torch_state_tensors(a, &from, &root, out);
}

const checkpoint_reader reader_torch_zip = {
    .name = "PyTorch checkpoint (zip)", .recognises = recognises, .parse = parse};
