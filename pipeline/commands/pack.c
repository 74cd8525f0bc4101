#include "pipeline/pack.h"

#include "pipeline/commands/command.h"
#include "stages/stop.h"

static status check_options(const cli *cl)
{
    if (cl->verify && (cl->output != NULL || cl->decoded != NULL || cl->list != NULL || cl->shard_images != NULL)) {
        return FAIL(ST_USAGE, "--verify: looks at the pack SOURCE and makes none; leave -o, --decoded, --list and --shard-images out");
    }
    if (!cl->verify && cl->output == NULL) {
        return FAIL(ST_USAGE, "pack: expected -o FOLDER, where the pack goes, or --verify");
    }
    if (cl->decoded == NULL && (cl->model != NULL || cl->evaluated || cl->n_sets > 0)) {
        return FAIL(ST_USAGE, "pack: --model, --evaluated and --set belong to --decoded STUDY");
    }
    return STATUS_OK;
}

static status run(comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)argc;
    (void)argv;
    TRY(comm_agree(c, check_options(cl)));
    stop_listen();
    return cl->verify ? pack_check_all(c, cl->file) : pack_make(c, cl);
}

static const command_option options[] = {
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "FOLDER", "where the shards and their index go; it is made where it is missing"},
    {"--list", NULL, OPTION_FILE, offsetof(cli, list), "LIST", "SOURCE is a folder without class folders: its images and their classes, as data.reference_list of a study"},
    {"--decoded", NULL, OPTION_FILE, offsetof(cli, decoded), "STUDY", "decoded images as the networks of this study want them, instead of the original files"},
    {"--model", NULL, OPTION_TEXT, offsetof(cli, model), "NAME", "with --decoded: the network of the study, where they want different images"},
    {"--evaluated", NULL, OPTION_FLAG, offsetof(cli, evaluated), NULL, "with --decoded: as images on which accuracy is measured, where a study treats these otherwise"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE", "with --decoded: overrides one key of the study"},
    {"--shard-images", NULL, OPTION_TEXT, offsetof(cli, shard_images), "N", "images in a shard; default: 1024"},
    {"--verify", NULL, OPTION_FLAG, offsetof(cli, verify), NULL, "SOURCE is a pack: check every checksum, and name what is damaged"},
};

static const command_example examples[] = {
    {"srun pollard pack /data/imagenet/train -o /scratch/train.pack", "the original files, for any network"},
    {"srun pollard pack /data/train.tars -o train.pack --decoded my-study.yaml", "pixels, so that a study decodes nothing"},
    {"srun pollard pack --verify /scratch/train.pack", "after a copy, or in doubt"},
};

const command_def command_pack = {
    .name = "pack",
    .summary = "put a data set into few large files",
    .text = "Reads the images of SOURCE (a folder per class, a folder with --list, tar shards or another pack of original files) and writes them into "
            "HDF5 shards of a fixed number of images, each by one rank, and an index. A study takes the folder as data.reference or "
            "data.evaluation and gives the same results as from SOURCE. Classes that are numbers become names: pack both data sets then.\n"
            "\n"
            "The same command goes on after any interruption: shards that are complete and undamaged stay. What a shard holds does not depend on "
            "the number of ranks.",
    .operand = {.name = "SOURCE", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .ranks = RANKS_ALL,
    .run = run,
};
