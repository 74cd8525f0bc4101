#include "support/journals.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "support/support.h"

char *made_journal_folder(arena *a)
{
    static size_t made;
    char *path = arena_text(a, "%s/%zu.journal", scratch_folder(), made++);
    assert_non_null(path);
    return path;
}

journal_key made_key(size_t i)
{
    journal_key key = {.stage = 1 + (uint32_t)(i % 3), .model = (uint32_t)(i / 3 % 2), .part = 7, .index = (uint32_t)(i * 100)};
    key.content[15] = (uint8_t)(i * 31);
    return key;
}

void made_payload(size_t i, size_t size, unsigned char *payload)
{
    for (size_t k = 0; k < size; k++) {
        payload[k] = (unsigned char)((i + 1) * 37 + k * 11 + k / 256);
    }
}

void made_journal(arena *a, const char *folder, const char *name, const char *identity, size_t n, const size_t size[])
{
    journal_writer *w;
    assert_ok(journal_open(a, folder, name, identity, &w));
    for (size_t i = 0; i < n; i++) {
        const journal_key key = made_key(i);
        unsigned char *payload = arena_alloc(a, size[i], 1);
        assert_non_null(payload);
        made_payload(i, size[i], payload);
        assert_ok(journal_append(w, &key, 0.5 * (double)i, payload, size[i]));
    }
    journal_close(&w);
    assert_null(w);
}

bool made_is_there(arena *a, const journal_index *index, size_t i, size_t size)
{
    const journal_key key = made_key(i);
    unsigned char *expected = arena_alloc(a, size, 1), *found = arena_alloc(a, size + 1, 1);
    assert_non_null(expected);
    assert_non_null(found);
    made_payload(i, size, expected);
    if (!journal_load(index, &key, found, size)) {
        return false;
    }
    assert_memory_equal(found, expected, size);
    assert_int_equal(found[size], 0);
    return true;
}

void made_frame_seal(frame_head *h)
{
    h->own = (uint32_t)crc32_z(0, (const Bytef *)h, offsetof(frame_head, own));
}

static FILE *open_file(arena *a, const char *folder, const char *name, const char *mode)
{
    const char *path = path_join(a, folder, name);
    assert_non_null(path);
    FILE *f = fopen(path, mode);
    if (f == NULL) {
        fail_msg("%s cannot be opened", path);
    }
    return f;
}

unsigned char *bytes_read(arena *a, const char *folder, const char *name, size_t *size)
{
    FILE *f = open_file(a, folder, name, "rb");
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = arena_alloc(a, *size, 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, f), *size);
    (void)fclose(f);
    return data;
}

void bytes_write(arena *a, const char *folder, const char *name, const void *data, size_t size)
{
    (void)mkdir(folder, 0777);
    FILE *f = open_file(a, folder, name, "wb");
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}
