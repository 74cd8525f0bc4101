#include "nn/graph.h"

size_t shape_count(shape s)
{
    size_t n = 1;
    for (size_t i = 0; i < s.rank; i++) {
        n *= s.dim[i];
    }
    return n;
}

const char *component_kind_name(component_kind k)
{
    static const char *const names[COMPONENT_KINDS] = {"none", "filters", "neurons", "heads"};
    return names[k];
}

const char *depth_group_name(depth_group g)
{
    static const char *const names[] = {"none", "low", "mid", "high", "fc"};
    return names[g];
}
