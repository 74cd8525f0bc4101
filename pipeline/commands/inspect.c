#include "pipeline/inspect.h"

#include "pipeline/commands/command.h"
#include "pipeline/inspect_composite.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    if (!cl->composite && cl->n_sets > 0) {
        return FAIL(ST_USAGE, "--set %s: overrides what --composite shows; add --composite", cl->sets[0]);
    }
    return cl->composite ? inspect_composite(cl->file, cl->n_sets, cl->sets, stdout) : inspect_file(cl->file, stdout);
}

static const command_option options[] = {
    {"--composite", NULL, OPTION_FLAG, offsetof(cli, composite), NULL,
     "every node of a network with its relevance rule; FILE is a study or a checkpoint"},
    {"--set", NULL, OPTION_SET, 0, "KEY=VALUE",
     "with --composite: overrides one key of the study, or of the criterion for a checkpoint: composite=epsilon-plus"},
};

static const command_example examples[] = {
    {"pollard inspect model.safetensors", "tensors, prunable layers and components of a network"},
    {"pollard inspect --composite my-study.yaml", "which relevance rule each layer gets"},
    {"pollard inspect --composite --set composite=epsilon-plus model.safetensors", "the same without a study"},
};

const command_def command_inspect = {
    .name = "inspect",
    .summary = "show a checkpoint, a data set or a result as a table",
    .text = "Prints what FILE is: tensors, layers and components of a checkpoint (safetensors or PyTorch), classes, sizes, formats and odd files "
            "of images (a folder, tar shards, a pack), or models, curves and provenance of a result (.h5).",
    .operand = {.name = "FILE", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
