#include "pruning/ranking.h"

size_t ranking_count(size_t n, double rate)
{
    return (size_t)((double)n * rate);
}
