#include "pipeline/export.h"

#include "pipeline/commands/command.h"
#include "pipeline/launcher.h"

static status run(struct comm *c, const cli *cl, int argc, char *const argv[])
{
    (void)c;
    (void)argc;
    (void)argv;
    const launch seen = launcher_seen();
    if (seen.by != NULL && seen.size > 1) { /* they would write the same files over each other */
        return FAIL(ST_USAGE, "export is one process, found %ld started by %s; start it alone", seen.size, seen.by);
    }
    return export_run(cl, stdout);
}

static const command_option options[] = {
    {"--model", NULL, OPTION_TEXT, offsetof(cli, model), "NAME", "model of the study"},
    {"--criterion", NULL, OPTION_TEXT, offsetof(cli, criterion), "NAME", "criterion of the study"},
    {"--rate", NULL, OPTION_TEXT, offsetof(cli, rate), "RATE", "pruning rate of the study: 0.5"},
    {"--kind", NULL, OPTION_TEXT, offsetof(cli, kind), "KIND", "filters, neurons or heads"},
    {"--task", NULL, OPTION_TEXT, offsetof(cli, task), "TASK", "class subset: how many classes seeds drew, or the name of a stated one"},
    {"--references", NULL, OPTION_TEXT, offsetof(cli, references), "IMAGES", "reference images per class"},
    {"--seed", NULL, OPTION_TEXT, offsetof(cli, seed), "SEED", "seed that drew classes and reference images"},
    {"--checkpoint", NULL, OPTION_FILE, offsetof(cli, checkpoint), "FILE", "where the checkpoint is now, if it was moved"},
    {"--output", "-o", OPTION_FILE, offsetof(cli, output), "FOLDER",
     "where the files go; default: a folder here, named after study, cell and rate"},
    {"--force", NULL, OPTION_FLAG, offsetof(cli, force), NULL, "replace files of an earlier export"},
};

static const command_example examples[] = {
    {"pollard export digits.h5 --model digits_vgg_bn --criterion magnitude --rate 0.5 --task 10 --seed 0", "one network of the digits study"},
    {"pollard export digits.h5", "which models there are to choose from"},
};

const command_def command_export = {
    .name = "export",
    .summary = "write a pruned network of a result as files that PyTorch loads",
    .text = "Takes the mask of one cell of RESULT.h5 at one rate and the checkpoint that the study read, and writes masks.safetensors (as "
            "torch.nn.utils.prune names them), masked.safetensors (the same tensors with zeros), shrunk.safetensors (only the rows and "
            "columns that are left) and shrunk.json (which ones those are).\n"
            "\n"
            "Options choose the cell. Those may be left out that have one value only; if cells are left to choose from, the message lists "
            "them.\n"
            "\n"
            "Before anything is written masked and shrunk network are run on images of the study, or random ones where those are not found; "
            "the largest difference of logits is printed and stands in the files. docs/export.md describes them, and "
            "analysis/pollard_export.py loads them into torchvision's classes.",
    .operand = {.name = "RESULT.h5", .required = true},
    .options = options,
    .n_options = COUNT(options),
    .examples = examples,
    .n_examples = COUNT(examples),
    .run = run,
};
