/* Journals: one file of a folder, as it is, and with checksums of its heads that are right whatever they say, since no change at random hits those. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "io/journal_frame.h"

static char folder[200];

static void remove_folder(void)
{
    if (!status_ok(journal_remove(folder))) {
        status_clear();
    }
}

static void need(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "journal: %s\n", what);
        abort();
    }
}

static void put(const uint8_t *data, size_t size)
{
    char path[220];
    if (folder[0] == '\0') {
        const char *base = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%.150s/pollard-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : base != NULL ? base : "/tmp");
        need(mkdtemp(folder) != NULL, "no folder to work in");
        (void)atexit(remove_folder);
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, "a.journal");
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    need(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0, "the input cannot be written");
}

/* Every entry lies within the file, in order, and what is loaded has its checksum. */
static void look_at(arena *a, const journal_index *index, size_t size)
{
    for (size_t i = 0; i < index->n; i++) {
        const journal_entry *e = &index->entry[i], *first = journal_find(index, &e->key);
        need(e->offset >= FRAME_BYTES && e->offset <= size && e->size <= size - e->offset, "an entry outside of the file");
        need(i == 0 || memcmp(&index->entry[i - 1].key, &e->key, sizeof e->key) <= 0, "entries out of order");
        need(first != NULL && first <= e && memcmp(&first->key, &e->key, sizeof e->key) == 0, "an entry that is not found");
        unsigned char *payload = arena_alloc(a, (size_t)e->size, 1);
        need(payload != NULL, "no memory");
        if (journal_load(index, &e->key, payload, (size_t)e->size)) {
            const uint32_t check = (uint32_t)crc32_z(0, payload, (size_t)e->size);
            bool known = false;
            for (const journal_entry *twin = first; twin < index->entry + index->n && memcmp(&twin->key, &e->key, sizeof e->key) == 0; twin++) {
                known = known || (twin->size == e->size && twin->check == check);
            }
            need(known, "a payload that no frame has");
        }
    }
}

static void hand_on(arena *a, const journal_index *index)
{
    const void *data;
    size_t size;
    journal_index copy;
    need(status_ok(journal_index_write(a, index, &data, &size)) && status_ok(journal_index_read(a, data, size, &copy)), "an index that cannot be handed on");
    need(copy.n == index->n && copy.n_files == index->n_files && (copy.n == 0 || memcmp(copy.entry, index->entry, copy.n * sizeof copy.entry[0]) == 0),
         "an index that is another when it is handed on");
}

static void scan(arena *a, const uint8_t *data, size_t size)
{
    journal_index index;
    const char *identity;
    put(data, size);
    fuzz_expect(journal_identity(a, folder, &identity));
    fuzz_expect(journal_scan(a, folder, "the study\nrate: 0.5\n", &index)); /* the seeds' own */
    const status st = journal_scan(a, folder, NULL, &index);
    need(status_ok(st), "a journal of any identity that cannot be read");
    need(identity != NULL || index.n == 0, "frames without an identity");
    look_at(a, &index, size);
    hand_on(a, &index);
}

static void run(arena *a, const uint8_t *data, size_t size)
{
    scan(a, data, size);
    uint8_t *sealed = arena_alloc(a, size, 1);
    need(sealed != NULL, "no memory");
    memcpy(sealed, data, size);
    for (size_t at = 0; at + FRAME_BYTES <= size; at += FRAME_BYTES) {
        frame_head h;
        memcpy(&h, sealed + at, sizeof h);
        if (memcmp(h.magic, frame_magic, sizeof h.magic) == 0) {
            h.own = (uint32_t)crc32_z(0, (const Bytef *)&h, offsetof(frame_head, own));
            memcpy(sealed + at, &h, sizeof h);
        }
    }
    scan(a, sealed, size);
}

static const char *const corpus[] = {"tests/fuzz/corpus/small.journal", "tests/fuzz/corpus/twins.journal", "tests/fuzz/corpus/torn.journal", NULL};
const fuzz_target fuzz_journal = {"journal", run, corpus, 1 << 13};
