#include "io/file_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"


static const struct {
    const char *magic;
    size_t size;
    file_kind kind;
} known[] = {
    {"PK\x03\x04", 4, {"a zip archive", ""}},
    {"\x80\x02", 2, {"a Python pickle that torch.save did not write", "; save the weights with torch.save(model.state_dict(), path)"}},
    {"\x89PNG\r\n\x1a\n", 8, {"a PNG image", ""}},
    {"\xff\xd8\xff", 3, {"a JPEG image", ""}},
    {"\x89HDF\r\n\x1a\n", 8, {"an HDF5 file", ""}},
    {"\x1f\x8b", 2, {"a gzip archive", "; unpack it"}},
};
static const file_kind text_kind = {"text", ""};

bool file_starts_with(file_bytes bytes, const char *magic, size_t size)
{
    return bytes.size >= size && memcmp(bytes.data, magic, size) == 0;
}

/* The last character may be cut. The length before a safetensors header has zero bytes, so that it is no text. */
static bool is_text(file_bytes start)
{
    const char *p = (const char *)start.data;
    size_t i = 0, n = 1;
    for (; i < start.size && n != 0; i += n) {
        n = text_utf8_length(p + i, start.size - i);
        if (n != 0 && text_is_control(p + i) && (p[i] == '\0' || strchr("\t\n\r\f", p[i]) == NULL)) {
            return false;
        }
    }
    return i > 0 && (n != 0 || start.size - i < 4);
}

const file_kind *file_kind_of(file_bytes bytes)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        /* The two bytes of a pickle may be a length as well, which a header follows. */
        if (file_starts_with(bytes, known[i].magic, known[i].size) && (bytes.size <= 8 || bytes.data[8] != '{')) {
            return &known[i].kind;
        }
    }
    const file_bytes start = {bytes.data, bytes.size < FILE_KIND_BYTES ? bytes.size : FILE_KIND_BYTES};
    return is_text(start) ? &text_kind : NULL;
}

static status read_start(int fd, const char *path, unsigned char start[FILE_KIND_BYTES], size_t *n)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return FAIL(ST_NO_INPUT, "%s: expected a file, found something else", path);
    }
    const ssize_t got = pread(fd, start, FILE_KIND_BYTES, 0);
    if (got < 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    }
    *n = (size_t)got;
    return STATUS_OK;
}

status file_read_start(const char *path, unsigned char start[FILE_KIND_BYTES], size_t *n)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (fd < 0) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    const status st = read_start(fd, path, start, n);
    (void)close(fd);
    return st;
}
