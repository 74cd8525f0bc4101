/* The layout of a pack: what is the same for who writes and who reads. */
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include "io/dataset_shards.h"
#include "io/guard.h"
#include "io/index_text.h"
#include "io/pack.h"
#include "io/pack_parts.h"

const char pack_magic[8] = {'P', 'L', 'R', 'D', 'P', 'A', 'C', 'K'};
static const char first_line[] = "pollard pack 1\n";
static const size_t largest_index = (size_t)1 << 32;

char *pack_shard_path(arena *a, const char *folder, size_t shard)
{
    return arena_text(a, "%s/" PACK_SHARD_NAME, folder, shard);
}

uint32_t pack_check(const uint8_t identity[32], const pack_record *r, const void *data)
{
    pack_record plain = *r;
    plain.check = 0;
    uLong crc = crc32(0L, identity, 32);
    crc = crc32(crc, (const Bytef *)&plain, sizeof plain);
    return (uint32_t)crc32(crc, data, (uInt)r->size); /* at most SHARD_IMAGE_MOST */
}

uint32_t pack_trailer_sum(const pack_trailer *t, const uint8_t identity[32])
{
    pack_trailer plain = *t;
    plain.own = 0;
    return (uint32_t)crc32(crc32(0L, identity, 32), (const Bytef *)&plain, sizeof plain);
}

static bool within(uint64_t at, uint64_t size, uint64_t before)
{
    return size <= before && at <= before - size;
}

status pack_trailer_check(const char *path, const pack_trailer *t, uint64_t size_of_file, const uint8_t identity[32])
{
    if (memcmp(t->magic, pack_magic, sizeof pack_magic) != 0) {
        return FAIL(ST_DATA, "%s: expected a shard of a pack, found a file that was cut off or is something else; make the pack again", path);
    }
    if (memcmp(t->identity, identity, 32) != 0) {
        return FAIL(ST_DATA, "%s: a shard of another pack than its index says; make the pack again in an empty folder", path);
    }
    if (pack_trailer_sum(t, identity) != t->own || t->before != size_of_file - sizeof *t || t->images == 0 || t->images > PACK_SHARD_MOST ||
        !within(t->record, t->images * sizeof(pack_record), t->before) || !within(t->data, t->size, t->before)) {
        return FAIL(ST_DATA, "%s: the shard is damaged or was cut off; make the pack again", path);
    }
    return STATUS_OK;
}

/* ---- the index ---- */

static char *index_path(arena *a, const char *folder)
{
    return arena_text(a, "%s/" PACK_INDEX_NAME, folder);
}

bool pack_there(const char *folder)
{
    char path[4096];
    struct stat info;
    const int n = snprintf(path, sizeof path, "%s/" PACK_INDEX_NAME, folder);
    return n > 0 && n < (int)sizeof path && stat(path, &info) == 0;
}

status pack_index_parse(const char *path, file_bytes text, size_t *size)
{
    const size_t n = sizeof first_line - 1;
    TRY(index_check(path, text, size));
    if (*size <= n || memcmp(text.data, first_line, n) != 0) {
        return FAIL(ST_DATA, "%s: expected 'pollard pack 1' in its first line, found something else; it may be of a newer version", path);
    }
    if (text.data[n] != 'D') {
        return FAIL(ST_DATA, "%s: expected a line that says what is packed, found none; make the pack again", path);
    }
    *size -= n;
    return STATUS_OK;
}

status pack_list(arena *a, const char *folder, char **text, size_t *size)
{
    file_bytes bytes;
    const char *path = index_path(a, folder);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(file_read(a, path, largest_index, &bytes));
    TRY(pack_index_parse(path, bytes, size));
    *text = (char *)(uintptr_t)bytes.data + sizeof first_line - 1;
    return STATUS_OK;
}

static size_t index_room(const pack_plan *p)
{
    const dataset *d = p->from;
    size_t room = sizeof first_line + strlen(p->steps) + 128 + p->n_shards * 64 + INDEX_SEAL_BYTES + 1;
    for (size_t i = 0; i < d->n_classes; i++) {
        room += strlen(d->class_name[i]) + 3;
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        room += strlen(d->path[i]) + 3;
    }
    return room;
}

status pack_write_index(arena *a, const pack_plan *p, const char *folder)
{
    const dataset *d = p->from;
    const size_t room = index_room(p);
    const size_t *output = p->recipe == NULL ? (const size_t[2]){0, 0} : p->recipe->output;
    char *text, identity[65];
    const char *path = index_path(a, folder);
    size_t size;
    TRY_ALLOC(text, a, room);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    sha256_text(p->identity, identity);
    size = (size_t)snprintf(text, room, "%sD %zu %zu %s %s\n", first_line, output[0], output[1], identity, p->steps);
    for (size_t i = 0; i < p->n_shards; i++) {
        size += (size_t)snprintf(text + size, room - size, "K %zu " PACK_SHARD_NAME "\n", pack_shard_images(p, i), i);
    }
    for (size_t c = 0; c < d->n_classes; c++) {
        size += (size_t)snprintf(text + size, room - size, "C %s\n", d->class_name[c]);
        for (size_t i = d->class_first[c]; i < d->class_first[c + 1]; i++) {
            size += (size_t)snprintf(text + size, room - size, "P %s\n", d->path[i]);
        }
    }
    TRY(index_seal(text, room, &size));
    return file_write_atomic(path, text, size);
}
