#include "io/dataset_shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* A decimal number and the space behind it; moves *at. */
static bool take_number(const char **at, uint64_t most, uint64_t *out)
{
    char *end;
    if (**at < '0' || **at > '9') {
        return false;
    }
    errno = 0;
    const unsigned long long value = strtoull(*at, &end, 10);
    if (errno != 0 || value > most || *end != ' ') {
        return false;
    }
    *out = value;
    *at = end + 1;
    return true;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_identity(const char **at, uint8_t out[32])
{
    for (size_t i = 0; i < 32; i++) {
        const int high = digit((*at)[2 * i]), low = high < 0 ? -1 : digit((*at)[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(16 * high + low);
    }
    *at += 64;
    return *(*at)++ == ' ';
}

/* A file of the folder itself: what it is called decides nothing else. "." stands for the data set's own path. */
static bool is_shard_name(const char *name, dataset_kind kind)
{
    if (kind == DATASET_TAR && strcmp(name, ".") == 0) {
        return true;
    }
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/') {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '.';
}

static bool read_pack(const char *at, shard_head *out)
{
    uint64_t height, width;
    if (out->n_lines != 0 || !take_number(&at, 1 << 14, &height) || !take_number(&at, 1 << 14, &width) ||
        !take_identity(&at, out->identity) || (height == 0) != (width == 0) || at[0] == '\0') {
        return false;
    }
    out->kind = DATASET_PACK;
    out->stored[0] = (size_t)height;
    out->stored[1] = (size_t)width;
    out->steps = height == 0 ? NULL : at;
    return height > 0 || strcmp(at, "-") == 0;
}

static bool read_shard(const char *line, shard_head *out, dataset_shard *to)
{
    const char *at = line + 2;
    uint64_t number;
    const dataset_kind kind = line[0] == 'T' ? DATASET_TAR : DATASET_PACK;
    if (line[0] == 'T' && out->n_lines == 0) {
        out->kind = DATASET_TAR;
    }
    if (kind != out->kind || !take_number(&at, kind == DATASET_TAR ? INT64_MAX : UINT32_MAX, &number) || !is_shard_name(at, kind) ||
        (kind == DATASET_PACK && number == 0)) {
        return false;
    }
    *to = (dataset_shard){.name = at[0] == '.' ? "" : at, .bytes = number, .first = out->n_samples};
    out->n_samples += kind == DATASET_PACK ? (size_t)number : 0;
    return out->n_samples <= UINT32_MAX;
}

static bool belongs(char kind)
{
    return kind == 'T' || kind == 'D' || kind == 'K';
}

/* How many lines there are before the classes, and where they end. */
static size_t measure(const char *text, size_t size, size_t *bytes)
{
    size_t n = 0;
    *bytes = 0;
    while (*bytes < size && belongs(text[*bytes])) {
        const char *end = memchr(text + *bytes, '\n', size - *bytes);
        if (end == NULL) {
            break;
        }
        *bytes = (size_t)(end - text) + 1;
        n++;
    }
    return n;
}

status shard_head_read(arena *a, const char *root, const char *text, size_t size, size_t *bytes, shard_head *out)
{
    char *copy;
    dataset_shard *shard;
    *out = (shard_head){.kind = DATASET_FILES};
    const size_t n = measure(text, size, bytes);
    if (n == 0) {
        return STATUS_OK;
    }
    if (n > SHARDS_MOST) {
        return FAIL(ST_DATA, "%s: expected at most %d shards, found %zu; make larger ones", root, (int)SHARDS_MOST, n);
    }
    TRY_ALLOC(copy, a, *bytes);
    TRY_ALLOC(shard, a, n);
    memcpy(copy, text, *bytes);
    out->shard = shard;
    for (char *at = copy; at < copy + *bytes; out->n_lines++) {
        char *end = memchr(at, '\n', (size_t)(copy + *bytes - at));
        *end = '\0';
        const bool good = at[1] == ' ' && (at[0] == 'D' ? read_pack(at + 2, out) : read_shard(at, out, &shard[out->n_shards]));
        if (!good) {
            return FAIL(ST_DATA, "%s: line %zu of the listing of images is not one about a shard", root, out->n_lines + 1);
        }
        out->n_shards += at[0] != 'D';
        at = end + 1;
    }
    return out->n_shards > 0 ? STATUS_OK : FAIL(ST_DATA, "%s: the listing of images has no shard", root);
}

bool shard_place_read(const shard_head *head, const char *text, dataset_place *out, const char **path)
{
    uint64_t shard, offset, size;
    const char *at = text;
    if (!take_number(&at, head->n_shards - 1, &shard) || !take_number(&at, INT64_MAX, &offset) ||
        !take_number(&at, SHARD_IMAGE_MOST, &size) || at[0] == '\0') {
        return false;
    }
    *out = (dataset_place){.offset = offset, .shard = (uint32_t)shard, .size = (uint32_t)size};
    *path = at;
    return size <= head->shard[shard].bytes && offset <= head->shard[shard].bytes - size;
}
