#ifndef IO_PACK_H
#define IO_PACK_H
/* Packs: a data set's images in HDF5 shards of a fixed number of images, in the order of its listing, and an index.
 *
 *   FOLDER/pack.index          a listing (io/dataset_shards.h), its last line `E SHA256` of all before it
 *   FOLDER/shard-00000.h5 ...  /data u8 [bytes], /record [images] as pack_record, /name, /class_name; behind HDF5's end a pack_trailer
 *
 * Both arrays lie in one piece in the file and the trailer says where, so that an image is read by two reads and without the HDF5
 * library, which serves one thread at a time and which damaged files can crash. What a shard holds depends on the data set, the kind and
 * the images per shard alone: any number of ranks and of interruptions gives the same bytes. All numbers are little-endian. */
#include "io/dataset.h"
#include "io/image.h"

typedef struct pack_record {
    uint64_t offset, size; /* in /data */
    uint64_t original;     /* bytes of the original file */
    uint32_t label;
    uint32_t check;        /* CRC-32 of identity, this record with check = 0, and the data */
    uint8_t sha256[32];    /* of the original file */
} pack_record;
_Static_assert(sizeof(pack_record) == 64, "a record has 64 bytes without holes");

typedef struct pack_trailer {
    char magic[8];
    uint64_t first, images;      /* samples of the data set */
    uint64_t record, data, size; /* where the two begin in the file; bytes of /data */
    uint64_t before;             /* bytes of the file before this */
    uint8_t identity[32];        /* of the pack */
    uint32_t check;              /* CRC-32 of all bytes before this */
    uint32_t own;                /* CRC-32 of identity and the rest of the trailer */
    uint8_t zero[32];
} pack_trailer;
_Static_assert(sizeof(pack_trailer) == 128, "a trailer has 128 bytes without holes");

/* What is to be made. */
typedef struct pack_plan {
    const dataset *from;
    const preprocess *recipe; /* NULL: the original files */
    const char *steps;        /* of the recipe, or "-" */
    size_t per_shard, n_shards;
    uint8_t identity[32];
} pack_plan;

enum { PACK_SHARD_IMAGES = 1024, PACK_SHARD_MOST = 1 << 20 };

/* Errors: ST_DATA where decoded images cannot be stored in 8 bits, or come from a pack of decoded ones. */
MUST_CHECK status pack_plan_build(arena *a, const dataset *from, const preprocess *recipe, size_t per_shard, pack_plan *out);
char *pack_shard_path(arena *a, const char *folder, size_t shard); /* NULL when memory is gone */

/* Makes one shard under another name and renames it. `scratch` is reset; `images` for one image at a time. Errors: those of the images,
 * ST_CANT_WRITE. */
MUST_CHECK status pack_write_shard(arena *scratch, arena *image, const pack_plan *p, const char *folder, size_t shard);
/* Is there a whole shard of another pack under its name? */
bool pack_shard_is_others(arena *scratch, const pack_plan *p, const char *folder, size_t shard);
/* Is it there, of this pack and undamaged? */
bool pack_has_shard(arena *scratch, const pack_plan *p, const char *folder, size_t shard);
/* Last of all. Errors: ST_CANT_WRITE. */
MUST_CHECK status pack_write_index(arena *a, const pack_plan *p, const char *folder);

bool pack_there(const char *folder); /* has it an index? */
/* The listing of a pack for dataset_parse(). Errors: ST_NO_INPUT, ST_DATA (damaged). */
MUST_CHECK status pack_list(arena *a, const char *folder, char **text, size_t *size);
/* The same of a text that was read; `path` is for messages. */
MUST_CHECK status pack_index_parse(const char *path, file_bytes text, size_t *size);

/* Checks all of a shard: each image against its checksum, original files against their SHA-256 too, and the file as a whole. bad() is told of
 * each. Errors: ST_NO_INPUT, ST_DATA where the shard as such is not to be read. */
typedef void pack_bad(void *context, const char *what);
MUST_CHECK status pack_verify_shard(arena *scratch, const dataset *d, size_t shard, pack_bad *bad, void *context);

/* Of a shard's file, for who reads it: checks the trailer. `path` is for messages. */
MUST_CHECK status pack_trailer_check(const char *path, const pack_trailer *t, uint64_t size_of_file, const uint8_t identity[32]);
uint32_t pack_check(const uint8_t identity[32], const pack_record *r, const void *data);

#endif
