#include "pipeline/inspect.h"

#include "pipeline/commands/command.h"
#include "pipeline/inspect_composite.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    return cl->composite ? inspect_composite(cl->file, stdout) : inspect_file(cl->file, stdout);
}

static const command_option options[] = {
    {"--composite", NULL, OPTION_FLAG, offsetof(cli, composite), NULL,
     "every node of a network with its relevance rule; FILE is a study or a checkpoint"},
};

static const command_example examples[] = {
    {"pollard inspect model.safetensors", "tensors, prunable layers and components of a network"},
    {"pollard inspect --composite my-study.yaml", "which relevance rule each layer gets"},
};

const command_def command_inspect = {
    .name = "inspect",
    .summary = "show a checkpoint, an image folder or a result as a table",
    .text = "Prints what FILE is: tensors, layers and components of a checkpoint (safetensors or PyTorch), classes and images of an image "
            "folder, or models, curves and provenance of a result (.h5).",
    .operand = {.name = "FILE", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
