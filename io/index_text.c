#include "io/index_text.h"

#include <string.h>

#include "io/sha256.h"

static void seal(const void *text, size_t size, char line[INDEX_SEAL_BYTES + 1])
{
    uint8_t digest[32];
    char hex[65];
    sha256(text, size, digest);
    sha256_text(digest, hex);
    (void)snprintf(line, INDEX_SEAL_BYTES + 1, "E %s\n", hex);
}

status index_seal(char *text, size_t room, size_t *size)
{
    char line[INDEX_SEAL_BYTES + 1];
    if (room - *size < sizeof line) {
        return FAIL(ST_BUG, "no room for the last line of an index");
    }
    seal(text, *size, line);
    memcpy(text + *size, line, sizeof line);
    *size += INDEX_SEAL_BYTES;
    return STATUS_OK;
}

status index_check(const char *path, file_bytes bytes, size_t *size)
{
    char line[INDEX_SEAL_BYTES + 1];
    if (bytes.size > INDEX_SEAL_BYTES && memchr(bytes.data, '\0', bytes.size) == NULL) {
        *size = bytes.size - INDEX_SEAL_BYTES;
        seal(bytes.data, *size, line);
        if (memcmp(bytes.data + *size, line, INDEX_SEAL_BYTES) == 0) {
            return STATUS_OK;
        }
    }
    return FAIL(ST_DATA, "%s: expected an index whose last line is the SHA-256 of all others, found another text or a damaged one; make it again", path);
}
