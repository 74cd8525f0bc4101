#include "io/config_schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/preset.h"
#include "backend/backend.h"
#include "nn/op.h"
#include "core/status.h"
#include "io/config.h"
#include "io/config_search.h"
#include "nn/op.h"
#include "pruning/aggregate.h"
#include "io/image.h"
#include "pruning/criterion.h"
#include "pruning/curve.h"
#include "pruning/ranking.h"

static const char *kind_choice(size_t i)
{
    return i + 1 < COMPONENT_KINDS ? component_kind_name((component_kind)(i + 1)) : NULL;
}

static const char *method_choice(size_t i)
{
    return i < criterion_count ? criterion_table[i]->name : NULL;
}

static const char *backend_choice(size_t i)
{
    return i == 0 ? "auto" : backend_name(i - 1);
}

static const char *const samplings[] = {"pollard", "torch", NULL};

static const char *group_choice(size_t i)
{
    return i < GROUP_FC ? depth_group_name((depth_group)(i + 1)) : NULL;
}

static const char *rule_choice(size_t i)
{
    return i < rule_count ? rule_table[i]->name : NULL;
}

static const char *preset_choice(size_t i)
{
    return i < preset_count ? preset_table[i].name : NULL;
}

static const char *rows_choice(size_t i)
{
    static const char *const names[CONFIG_ROWS] = {[ROWS_STREAM] = "stream", [ROWS_KEEP] = "keep", [ROWS_AUTO] = "auto"};
    return i < CONFIG_ROWS ? names[i] : NULL;
}

static const char *const convolution_choices[] = {
    [CONVOLUTIONS_DIRECT] = "direct", [CONVOLUTIONS_WINOGRAD] = "winograd", NULL};

static const setting data_settings[DATA_KEYS] = {
    [DATA_REFERENCE] = {.field = {.name = "reference", .kind = FIELD_PATH, .required = true,
                                  .help = "images that are explained: a folder of class folders, tar shards or a pack (docs/data.md)"}},
    [DATA_EVALUATION] = {.field = {.name = "evaluation", .kind = FIELD_PATH, .required = true,
                                   .help = "images on which accuracy is measured, likewise"}},
    [DATA_REFERENCE_LIST] = {.field = {.name = "reference_list", .kind = FIELD_PATH,
                                       .help = "text or CSV with the class of each image, where the folder has no class folders"},
                             .absent = "the folder's class folders"},
    [DATA_EVALUATION_LIST] = {.field = {.name = "evaluation_list", .kind = FIELD_PATH, .help = "the same for evaluation"},
                              .absent = "the folder's class folders"},
    [DATA_SAMPLING] = {.field = {.name = "sampling", .kind = FIELD_CHOICE, .choices = samplings, .def = 0,
                                 .help = "who draws classes and references: pollard, or torch as the paper's program does"}},
};
const section data_section = {DATA_KEYS, data_settings};

static const char *const interpolations[] = {"bilinear", "bicubic", NULL};
static const setting model_settings[MODEL_KEYS] = {
    [MODEL_NAME] = {.field = {.name = "name", .kind = FIELD_TEXT, .required = true, .help = "what results call the model; unique"},
                    .form = "name"},
    [MODEL_CHECKPOINT] = {.field = {.name = "checkpoint", .kind = FIELD_PATH, .required = true,
                                    .help = "trained weights (safetensors or PyTorch); a model.json beside it is read too"}},
    [MODEL_COMPONENTS] = {.field = {.name = "components", .kind = FIELD_LIST,
                                    .help = "what is pruned; each kind gets a ranking and a curve of its own"},
                          .item = FIELD_CHOICE, .choice = kind_choice, .absent = "what the architecture offers"},
    [MODEL_ARCHITECTURE] = {.field = {.name = "architecture", .kind = FIELD_TEXT,
                                      .help = "family of the network, as `pollard inspect` prints it"},
                            .form = "name", .absent = "as the checkpoint says"},
    [MODEL_HEADS] = {.field = {.name = "heads", .kind = FIELD_COUNT, .min = 1, .max = 4096, .help = "attention heads of a block"},
                     .absent = "as the checkpoint says"},
    [MODEL_IMAGE_SIZE] = {.field = {.name = "image_size", .kind = FIELD_TEXT, .min = 1, .max = 65535,
                                    .help = "height and width of the network's input"},
                          .form = "size N or HxW", .absent = "as the checkpoint says"},
    [MODEL_RESIZE] = {.field = {.name = "resize", .kind = FIELD_TEXT, .min = 1, .max = 65535,
                                .help = "images are resized first: N sets the shorter side, HxW both sides"},
                      .form = "none or size N or HxW", .absent = "as the checkpoint says"},
    [MODEL_CROP] = {.field = {.name = "crop", .kind = FIELD_TEXT, .min = 1, .max = 65535, .help = "then this centre is cut out"},
                    .form = "none or size N or HxW", .absent = "as the checkpoint says"},
    [MODEL_MEAN] = {.field = {.name = "mean", .kind = FIELD_LIST, .min = 0, .max = 1,
                              .help = "of red, green and blue (values in 0..1): subtracted"},
                    .item = FIELD_REAL, .length = 3, .absent = "as the checkpoint says"},
    [MODEL_STD] = {.field = {.name = "std", .kind = FIELD_LIST, .min = 0.001, .max = 1,
                             .help = "standard deviation of red, green and blue (values in 0..1): divides"},
                   .item = FIELD_REAL, .length = 3, .absent = "as the checkpoint says"},
    [MODEL_PREPROCESS] = {.field = {.name = "preprocess", .kind = FIELD_CHOICE, .choices = preprocess_names,
                                    .help = "recipe for what is not stated: docs/preprocessing.md"},
                          .absent = "none; single steps are stated"},
    [MODEL_EVALUATION_PREPROCESS] = {.field = {.name = "evaluation_preprocess", .kind = FIELD_CHOICE, .choices = preprocess_names,
                                               .help = "another recipe for the images on which accuracy is measured"},
                                     .absent = "as preprocess"},
    [MODEL_INTERPOLATION] = {.field = {.name = "interpolation", .kind = FIELD_CHOICE, .choices = interpolations,
                                       .help = "of resize, both antialiased as Pillow does it"},
                             .absent = "as the recipe or the checkpoint says"},
    [MODEL_CROP_FRACTION] = {.field = {.name = "crop_fraction", .kind = FIELD_REAL, .min = 0.01, .max = 1,
                                       .help = "share of the shorter side that the crop leaves: sets resize and crop"},
                             .absent = "as the recipe or the checkpoint says"},
};
const section model_section = {MODEL_KEYS, model_settings};

static const setting criterion_settings[CRITERION_KEYS] = {
    [CRITERION_NAME] = {.field = {.name = "name", .kind = FIELD_TEXT, .required = true,
                                  .help = "what results call the criterion; unique"},
                        .form = "name"},
    [CRITERION_METHOD] = {.field = {.name = "method", .kind = FIELD_CHOICE, .required = true,
                                    .help = "how components are scored; its own keys are listed below"},
                          .choice = method_choice},
    [CRITERION_ORDER] = {.field = {.name = "order", .kind = FIELD_CHOICE, .choices = ranking_order_names, .def = RANKING_LEAST_FIRST,
                                   .help = "which end of the scores is removed first: the least relevant components or the most relevant"}},
    [CRITERION_SCOPE] = {.field = {.name = "scope", .kind = FIELD_CHOICE, .choices = ranking_scope_names, .def = RANKING_GLOBAL,
                                   .help = "scores of all layers are ranked together (global), or every layer loses the same share (layer)"}},
    [CRITERION_FLOOR] = {.field = {.name = "floor", .kind = FIELD_REAL, .def = 0, .min = 0, .max = 1,
                                   .help = "share of every layer that stays as long as anything else can go; with scope: global"},
                         .below = true},
    [CRITERION_MODELS] = {.field = {.name = "models", .kind = FIELD_LIST, .help = "names of the models that it is for"},
                          .item = FIELD_TEXT, .form = "list of names", .absent = "all of the study"},
    [CRITERION_REFERENCES] = {.field = {.name = "references", .kind = FIELD_LIST, .min = 1, .max = 1000000,
                                        .help = "of tasks.references, those that it is for, ascending; not for methods without images"},
                              .item = FIELD_COUNT, .absent = "all of tasks.references"},
};
const section criterion_section = {CRITERION_KEYS, criterion_settings};

static const char *const places[] = {"first", "last", NULL};
static const setting entry_settings[ENTRY_KEYS] = {
    [ENTRY_MATCH] = {.field = {.name = "match", .kind = FIELD_TEXT,
                               .help = "layers with such a name, as `pollard inspect --composite` prints it; * and ? stand for anything"},
                     .form = "pattern", .absent = "any name"},
    [ENTRY_TYPE] = {.field = {.name = "type", .kind = FIELD_TEXT, .help = "layers of such a type, as it prints it"},
                    .form = "pattern", .absent = "conv2d and linear"},
    [ENTRY_GROUP] = {.field = {.name = "group", .kind = FIELD_CHOICE, .help = "layers of this depth group"},
                     .choice = group_choice, .absent = "any depth"},
    [ENTRY_PLACE] = {.field = {.name = "place", .kind = FIELD_CHOICE, .choices = places,
                               .help = "the first or the last convolution or linear layer alone"},
                     .absent = "any place"},
    [ENTRY_RULE] = {.field = {.name = "rule", .kind = FIELD_CHOICE, .required = true,
                              .help = "what such layers get; its own keys are listed below"},
                    .choice = rule_choice},
};
const section entry_section = {ENTRY_KEYS, entry_settings};

static const setting preset_settings[PRESET_KEYS] = {
    [PRESET_NAME] = {.field = {.name = "preset", .kind = FIELD_CHOICE, .required = true,
                               .help = "a list that has a name; its own keys are listed below"},
                     .choice = preset_choice},
};
const section preset_section = {PRESET_KEYS, preset_settings};

const setting composite_setting = {
    .field = {.name = "composite", .kind = FIELD_LIST,
              .help = "the rule of every layer: entries, of which the first that matches a layer wins"},
    .item = FIELD_SECTION, .section = &entry_section,
    .form = "name of a preset, section of preset and its parameters, or list of sections", .absent = "epsilon"};

static const setting subset_settings[SUBSET_KEYS] = {
    [SUBSET_NAME] = {.field = {.name = "name", .kind = FIELD_TEXT, .required = true,
                               .help = "what results call the subset; unique, and not a number"},
                     .form = "name"},
    [SUBSET_CLASSES] = {.field = {.name = "classes", .kind = FIELD_LIST, .required = true,
                                  .help = "its classes, at least two: names of class folders, or class numbers from 0 where no folder has such a name"},
                        .item = FIELD_TEXT, .form = "list of names or numbers of classes"},
};
const section subset_section = {SUBSET_KEYS, subset_settings};

static const setting tasks_settings[TASKS_KEYS] = {
    [TASKS_CLASSES] = {.field = {.name = "classes", .kind = FIELD_LIST, .min = 2, .max = 100000,
                                 .help = "sizes of the class subsets, ascending; a seed draws one subset of each size"},
                       .item = FIELD_COUNT, .absent = "none, where there are subsets"},
    [TASKS_SUBSETS] = {.field = {.name = "subsets", .kind = FIELD_LIST,
                                 .help = "class subsets that are stated; a seed draws their reference images only"},
                       .item = FIELD_SECTION, .section = &subset_section, .absent = "none"},
    [TASKS_SEEDS] = {.field = {.name = "seeds", .kind = FIELD_COUNT, .def = 5, .min = 0, .max = 0x1p63,
                               .help = "each draws its own classes and reference images; at most 10000 of them"},
                     .below = true, .form = "count n (the seeds 0 .. n-1) or list of distinct integers"},
    [TASKS_REFERENCES] = {.field = {.name = "references", .kind = FIELD_LIST, .def = 10, .min = 1, .max = 1000000,
                                    .help = "reference images per class, ascending; each number is a case of its own"},
                          .item = FIELD_COUNT},
};
const section tasks_section = {TASKS_KEYS, tasks_settings};

static const setting rates_settings[RATES_KEYS] = {
    [RATES_FROM] = {.field = {.name = "from", .kind = FIELD_REAL, .def = 0, .min = 0, .max = 1,
                              .help = "0, since curves start with the accuracy before pruning"},
                    .below = true},
    [RATES_TO] = {.field = {.name = "to", .kind = FIELD_REAL, .def = 0.95, .min = 0, .max = 1,
                            .help = "no rate is larger; it is one itself where the steps meet it"},
                  .below = true},
    [RATES_STEP] = {.field = {.name = "step", .kind = FIELD_REAL, .def = 0.05, .min = 0.001, .max = 1,
                              .help = "exact decimal steps: 0.05 gives 0.15 and 0.35, not their neighbours"},
                    .below = true},
};
const section rates_section = {RATES_KEYS, rates_settings};

static const setting heatmaps_settings[HEATMAPS_KEYS] = {
    [HEATMAPS_IMAGES] = {.field = {.name = "images", .kind = FIELD_COUNT, .min = 1, .max = 1000000, .required = true,
                                   .help = "evaluation images of every class that are explained; the same for all tasks"}},
    [HEATMAPS_RATES] = {.field = {.name = "rates", .kind = FIELD_LIST, .min = 0, .max = 1,
                                  .help = "which of the study's rates, ascending; 0 always is one"},
                        .item = FIELD_REAL, .below = true, .absent = "all"},
    [HEATMAPS_CRITERIA] = {.field = {.name = "criteria", .kind = FIELD_LIST, .help = "whose pruned networks are explained, by name"},
                           .item = FIELD_TEXT, .absent = "all"},
    [HEATMAPS_COMPOSITE] = {.field = {.name = "composite", .kind = FIELD_LIST,
                                      .help = "relevance rules of the explanation, as a criterion's composite"},
                            .item = FIELD_SECTION, .form = "name of a preset, section of preset and its parameters, or list of sections",
                            .absent = "epsilon-gamma-box"},
    [HEATMAPS_EPSILON] = {.field = {.name = "epsilon", .kind = FIELD_REAL, .def = 1e-6, .min = 0, .max = 1, .scale = SCALE_LOG,
                                    .help = "stabiliser of every denominator for which the composite states none of its own"}},
    [HEATMAPS_SOFTMAX] = {.field = {.name = "softmax", .kind = FIELD_CHOICE, .choices = softmax_rule_names,
                                    .help = "rule of the softmax in attention (transformers)"}},
    [HEATMAPS_KEEP] = {.field = {.name = "keep", .kind = FIELD_BOOL,
                                 .help = "store the maps themselves: one float32 a pixel, image and distinct pruned network"}},
};
const section heatmaps_section = {HEATMAPS_KEYS, heatmaps_settings};

static const char *const search_methods[] = {"exhaustive", "random", "sobol", "bayes", "halving", NULL};

static const char *group_rule(size_t i)
{
    return search_preset()->fields[0].choices[i]; /* the same for all groups */
}

#define SEARCH_RULES(name_, help_)                                                                                     \
    {                                                                                                                  \
        .field = {.name = (name_), .kind = FIELD_LIST, .help = (help_)}, .item = FIELD_CHOICE, .choice = group_rule,   \
        .absent = "all of them"                                                                                        \
    }
#define SEARCH_RANGE(name_, min_, max_, help_, absent_)                                                                \
    {                                                                                                                  \
        .field = {.name = (name_), .kind = FIELD_LIST, .min = (min_), .max = (max_), .help = (help_)}, .item = FIELD_REAL, \
        .length = 2, .absent = (absent_)                                                                               \
    }
static const setting search_settings[SEARCH_KEYS] = {
    [SEARCH_METHOD] = {.field = {.name = "method", .kind = FIELD_CHOICE, .choices = search_methods,
                                 .help = "exhaustive: every setting; halving: all on a little, the better ones on more; bayes: a Gaussian process proposes; random, sobol"}},
    [SEARCH_LOW] = SEARCH_RULES("low", "rules that are tried in the layers nearest to the input"),
    [SEARCH_MID] = SEARCH_RULES("mid", "... in the layers between"),
    [SEARCH_HIGH] = SEARCH_RULES("high", "... in the layers nearest to the classifier"),
    [SEARCH_FC] = SEARCH_RULES("fc", "... in the classifier's linear layers"),
    [SEARCH_ABSOLUTE] = {.field = {.name = "absolute", .kind = FIELD_LIST, .choices = aggregate_absolutes,
                                   .help = "rankings that are tried, as the key of a criterion: by absolute or signed relevance"},
                         .item = FIELD_CHOICE, .absent = "[token, never]"},
    [SEARCH_SOFTMAX] = {.field = {.name = "softmax", .kind = FIELD_LIST, .choices = softmax_rule_names,
                                  .help = "rules of the softmax that are tried (transformers)"},
                        .item = FIELD_CHOICE, .absent = "the first"},
    [SEARCH_CONTINUOUS] = {.field = {.name = "continuous", .kind = FIELD_BOOL,
                                     .help = "try values of gamma, alpha and epsilon too, for each depth group where its rule has one"}},
    [SEARCH_GAMMA] = SEARCH_RANGE("gamma", 1e-6, 1e6, "range of gamma in low, mid and high", "[0.01, 10]"),
    [SEARCH_GAMMA_FC] = SEARCH_RANGE("gamma_fc", 1e-6, 1e6, "range of gamma in fc", "[0.01, 10]"),
    [SEARCH_ALPHA] = SEARCH_RANGE("alpha", 1, 100, "range of alpha; beta is alpha - 1", "[1, 4]"),
    [SEARCH_EPSILON] = SEARCH_RANGE("epsilon", 1e-12, 1, "range of epsilon", "[1e-9, 0.1]"),
    [SEARCH_TRIALS] = {.field = {.name = "trials", .kind = FIELD_COUNT, .def = 64, .min = 1, .max = 4096,
                                 .help = "settings that are tried, of bayes, sobol and random"}},
    [SEARCH_BATCH] = {.field = {.name = "batch", .kind = FIELD_COUNT, .def = 8, .min = 1, .max = 1024,
                                .help = "settings that are proposed, explained and evaluated at a time"}},
    [SEARCH_SEED] = {.field = {.name = "seed", .kind = FIELD_COUNT, .def = 0, .min = 0, .max = 9007199254740992,
                               .help = "of the proposals"}},
    [SEARCH_ETA] = {.field = {.name = "eta", .kind = FIELD_COUNT, .def = 3, .min = 2, .max = 100,
                              .help = "of halving: a rung has so many times the work a setting, and leaves one of so many settings"}},
    [SEARCH_CONFIDENCE] = {.field = {.name = "confidence", .kind = FIELD_REAL, .def = 0.95, .min = 0.5, .max = 0.999999,
                                     .help = "of halving: that the best setting is not dropped as clearly worse, over the whole race"}},
    [SEARCH_FIRST_IMAGES] = {.field = {.name = "first_images", .kind = FIELD_REAL, .def = 0.25, .min = 0.001, .max = 1,
                                       .help = "of halving: share of the images that the first rung has"}},
    [SEARCH_FIRST_RATES] = {.field = {.name = "first_rates", .kind = FIELD_COUNT, .def = 5, .min = 1, .max = 1000000,
                                      .help = "... rates, without the first, 0"}},
    [SEARCH_FIRST_SEEDS] = {.field = {.name = "first_seeds", .kind = FIELD_COUNT, .def = 3, .min = 1, .max = 1000000,
                                      .help = "... seeds"}},
    [SEARCH_SEEDS] = {.field = {.name = "seeds", .kind = FIELD_COUNT, .def = 5, .min = 0, .max = 0x1p63,
                                .help = "of the tasks on which settings are judged, none of tasks.seeds; a count n means the n behind them"},
                      .below = true, .form = "count n or list of distinct integers"},
    [SEARCH_REFERENCES] = {.field = {.name = "references", .kind = FIELD_COUNT, .min = 1, .max = 1000000,
                                     .help = "reference images per class of the search, one of tasks.references"},
                           .absent = "the largest of them"},
    [SEARCH_SPLIT] = {.field = {.name = "split", .kind = FIELD_REAL, .def = 0.5, .min = 0.01, .max = 0.99,
                                .help = "share of each class's evaluation images on which settings are judged; curves are of the others"}},
    [SEARCH_OBJECTIVE] = {.field = {.name = "objective", .kind = FIELD_CHOICE, .choices = search_objective_names,
                                    .help = "what is maximised: A_PR as the mean or the trapezoid, area over removed parameters or multiply-adds, accuracy at some rates"}},
    [SEARCH_AT] = {.field = {.name = "at", .kind = FIELD_LIST, .min = 0, .max = 1, .help = "rates over which accuracy_at is the mean, ascending"},
                   .item = FIELD_REAL, .below = true, .absent = "accuracy_at is not measured"},
    [SEARCH_REPORT] = {.field = {.name = "report", .kind = FIELD_COUNT, .def = 3, .min = 1, .max = 100,
                                 .help = "of how many of the best settings there are curves on the other images and seeds"}},
};
const section search_section = {SEARCH_KEYS, search_settings};

static const setting study_settings[STUDY_KEYS] = {
    [STUDY_NAME] = {.field = {.name = "study", .kind = FIELD_TEXT, .required = true, .help = "name of the study and its result file"},
                    .form = "name"},
    [STUDY_DATA] = {.field = {.name = "data", .kind = FIELD_SECTION, .required = true, .help = "the two sets of images"},
                    .section = &data_section},
    [STUDY_MODELS] = {.field = {.name = "models", .kind = FIELD_LIST, .required = true, .help = "the networks that are pruned"},
                      .item = FIELD_SECTION, .section = &model_section},
    [STUDY_CRITERIA] = {.field = {.name = "criteria", .kind = FIELD_LIST, .required = true,
                                  .help = "what decides which components go first"},
                        .item = FIELD_SECTION, .section = &criterion_section},
    [STUDY_TASKS] = {.field = {.name = "tasks", .kind = FIELD_SECTION, .required = true,
                               .help = "class subsets, drawn by seeds; accuracy is measured on the classes of a subset"},
                     .section = &tasks_section},
    [STUDY_RATES] = {.field = {.name = "rates", .kind = FIELD_LIST, .min = 0, .max = 1,
                               .help = "fractions of the components that are removed, at most 9 decimal places"},
                     .item = FIELD_REAL, .below = true, .section = &rates_section,
                     .form = "section of from, to, step or list of ascending numbers",
                     .absent = "the section's defaults"},
    [STUDY_PREDICTION] = {.field = {.name = "prediction", .kind = FIELD_CHOICE, .choices = curve_prediction_names,
                                    .def = PREDICTION_RESTRICTED,
                                    .help = "accuracies: the largest logit among a task's classes (restricted), or among all with the others set to 0 "
                                            "(masked)"}},
    [STUDY_MICRO_BATCH] = {.field = {.name = "micro_batch", .kind = FIELD_COUNT, .def = 16, .min = 1, .max = 1024,
                                     .help = "images computed together; more need more memory, the number of ranks does not matter"}},
    [STUDY_DECODE_THREADS] = {.field = {.name = "decode_threads", .kind = FIELD_COUNT, .def = 1, .min = 0, .max = 64,
                                        .help = "threads of each rank that read and decode images ahead of the computation; 0: the rank does it "
                                                "itself. Results do not depend on it"}},
    [STUDY_BACKEND] = {.field = {.name = "backend", .kind = FIELD_CHOICE, .def = 0,
                                 .help = "library of the convolutions; auto: onednn where it is built in. Results differ in the last digits"},
                       .choice = backend_choice},
    [STUDY_ROWS] = {.field = {.name = "rows", .kind = FIELD_CHOICE, .def = ROWS_STREAM,
                              .help = "scores of single images: stream adds them up and forgets them, keep stores them in the result too, auto keeps "
                                      "them where all of the study take at most 1 GiB"},
                    .choice = rows_choice},
    [STUDY_SPECTRUM] = {.field = {.name = "spectrum", .kind = FIELD_BOOL, .def = 0,
                                  .help = "how many independent components the layers and the network amount to, by the eigenvalues of the covariance "
                                          "of scores over images. Rank 0 holds the scores for it, whatever rows says of the result"}},
    [STUDY_SPECTRUM_LAPACK] = {.field = {.name = "spectrum_lapack", .kind = FIELD_COUNT, .def = 4096, .min = 1, .max = 32768,
                                         .help = "largest matrix of it that one rank works on alone, with the same bits on any number of ranks; larger "
                                                 "ones lie over all ranks (ScaLAPACK), and their last digits depend on how many there are"}},
    [STUDY_CONVOLUTIONS] = {.field = {.name = "convolutions", .kind = FIELD_CHOICE, .choices = convolution_choices,
                                      .def = CONVOLUTIONS_DIRECT,
                                      .help = "how accuracy is measured; winograd: 3x3 at stride 1 on processors with AVX-512, which is "
                                              "faster and rounds more. Explanations are always direct"}},
    [STUDY_OUTPUT] = {.field = {.name = "output", .kind = FIELD_PATH,
                                .help = "result file, relative to the working directory, not to the study file"},
                      .absent = "<study>.h5"},
    [STUDY_SEARCH] = {.field = {.name = "search", .kind = FIELD_SECTION,
                                .help = "find the relevance rules that prune best, and add them to the criteria: docs/search.md"},
                      .section = &search_section, .absent = "nothing is searched"},
    [STUDY_HEATMAPS] = {.field = {.name = "heatmaps", .kind = FIELD_SECTION,
                                  .help = "how explanations of evaluation images change under pruning: docs/heatmaps.md"},
                        .section = &heatmaps_section, .absent = "nothing is explained after pruning"},
};
const section study_section = {STUDY_KEYS, study_settings};

const char *setting_choice(const setting *s, size_t i)
{
    return s->choice != NULL ? s->choice(i) : s->field.choices != NULL ? s->field.choices[i] : NULL;
}

schema_words number_text(double value)
{
    schema_words out = {"2^63"}; /* the end of what integers can be, see read_count */
    if (value == 0x1p63) {
        return out;
    }
    if (value == trunc(value) && fabs(value) < 0x1p53) {
        (void)snprintf(out.text, sizeof out.text, "%.0f", value == 0.0 ? 0.0 : value); /* no "-0" */
        return out;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(out.text, sizeof out.text, "%.*g", digits, value);
        if (strtod(out.text, NULL) == value) {
            break;
        }
    }
    return out;
}

schema_words value_text(const setting *s, double value)
{
    schema_words out = number_text(value);
    if (s->field.kind == FIELD_BOOL || s->field.kind == FIELD_CHOICE) {
        const char *word = s->field.kind == FIELD_CHOICE ? setting_choice(s, (size_t)value) : value != 0.0 ? "true" : "false";
        (void)snprintf(out.text, sizeof out.text, "%s", word);
    }
    return out;
}

static void add_text(schema_words *out, const char *text)
{
    const size_t used = strlen(out->text);
    (void)snprintf(out->text + used, sizeof out->text - used, "%s", text);
}

static void add_range(schema_words *out, const setting *s)
{
    const bool low = isfinite(s->field.min), high = isfinite(s->field.max);
    if (low && high) {
        add_text(out, " in [");
        add_text(out, number_text(s->field.min).text);
        add_text(out, ", ");
        add_text(out, number_text(s->field.max).text);
        add_text(out, s->below ? ")" : "]");
    } else if (low || high) {
        add_text(out, low ? " of at least " : " of at most ");
        add_text(out, number_text(low ? s->field.min : s->field.max).text);
    }
}

static void add_choices(schema_words *out, const setting *s)
{
    for (size_t i = 0; setting_choice(s, i) != NULL; i++) {
        add_text(out, i == 0 ? "" : ", ");
        add_text(out, setting_choice(s, i));
    }
}

schema_words setting_form(const setting *s)
{
    static const char *const one[] = {[FIELD_REAL] = "number", [FIELD_COUNT] = "integer", [FIELD_BOOL] = "true or false",
                                      [FIELD_CHOICE] = "one of ", [FIELD_TEXT] = "text", [FIELD_PATH] = "path",
                                      [FIELD_LIST] = "list", [FIELD_SECTION] = "section"};
    static const char *const many[] = {[FIELD_REAL] = "numbers", [FIELD_COUNT] = "integers", [FIELD_BOOL] = "true or false",
                                       [FIELD_CHOICE] = "any of ", [FIELD_TEXT] = "texts", [FIELD_PATH] = "paths",
                                       [FIELD_LIST] = "lists", [FIELD_SECTION] = "sections"};
    schema_words out = {""};
    const bool list = s->field.kind == FIELD_LIST;
    const field_kind kind = list ? s->item : s->field.kind;
    if (s->form != NULL) {
        add_text(&out, s->form);
    } else {
        add_text(&out, list ? "list of " : "");
        add_text(&out, s->length > 0 ? number_text((double)s->length).text : "");
        add_text(&out, s->length > 0 ? " " : "");
        add_text(&out, list ? many[kind] : one[kind]);
    }
    if (kind == FIELD_CHOICE) {
        add_choices(&out, s);
    } else if (kind != FIELD_BOOL && s->field.max > s->field.min) {
        add_range(&out, s);
    }
    return out;
}

static void add_keys(schema_words *out, const section *s)
{
    for (size_t i = 0; i < s->n; i++) {
        add_text(out, i == 0 ? "" : ", ");
        add_text(out, s->settings[i].field.name);
    }
}

schema_words setting_expected(const setting *s)
{
    const schema_words form = setting_form(s);
    schema_words out = {""};
    const bool bare = strncmp(form.text, "one of", 6) == 0 || strncmp(form.text, "true or", 7) == 0 ||
                      strncmp(form.text, "none or", 7) == 0;
    add_text(&out, bare ? "" : form.text[0] == 'i' ? "an " : "a ");
    add_text(&out, form.text);
    if (s->section != NULL && s->form == NULL) {
        add_text(&out, " with the keys ");
        add_keys(&out, s->section);
    }
    return out;
}
