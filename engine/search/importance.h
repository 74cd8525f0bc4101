#ifndef SEARCH_IMPORTANCE_H
#define SEARCH_IMPORTANCE_H
/* How much each parameter matters: the shares of the objective's variance over the search space, all settings equally likely (functional analysis
 * of variance: Sobol' 1993; for search spaces Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter
 * importance, 2014). With f over independent parameters x_1..x_D:
 *   main_d  = Var(E[f | x_d]) / Var(f)                   what x_d does by itself
 *   total_d = E[Var(f | all but x_d)] / Var(f)           and what it does together with others (Homma and Saltelli 1996)
 * The mains add up to 1 at most, and to 1 exactly where parameters do not interact; total_d >= main_d. */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/status.h"
#include "search/gp.h"
#include "search/space.h"

typedef struct importance {
    double main, total;
} importance;

/* Exactly, where f is known everywhere: value [space_combinations(s)], in the order of space_next(). variance: Var(f). Noise of the values is
 * part of the variance and looks like interaction. A constant f has importance 0. Errors: ST_DATA (a value is not finite; continuous or
 * conditional dimensions, whose settings are no grid: use importance_of_process()). */
MUST_CHECK status importance_of_grid(arena *scratch, const space *s, const double value[], double *variance, importance out[]);

/* Of the posterior mean, where f is known at the trials only. The parameters are the independent uniform coordinates of space_from_unit(), so
 * a conditional one has an effect where it exists; sums over n_samples scrambled Sobol points of the doubled cube, main by Saltelli et
 * al. (Variance based sensitivity analysis of model output, 2010, table 2 b, of f around its mean), total by Jansen (1999; table 2 f).
 * Estimates below 0 become 0. The posterior mean is smoother than f: what the trials do not show is missing. s->n <= SOBOL_DIMENSIONS / 2. */
MUST_CHECK status importance_of_process(arena *scratch, const space *s, const gp *g, uint64_t seed, size_t n_samples, double *variance,
                                        importance out[]);

#endif
