#include "stages/stage.h"

#define STAGE(name) extern const stage_def stage_##name;
#include "stages/stages.def"
#undef STAGE

#define STAGE(name) &stage_##name,
const stage_def *const stage_table[] = {
#include "stages/stages.def"
};
#undef STAGE
const size_t stage_count = COUNT(stage_table);
