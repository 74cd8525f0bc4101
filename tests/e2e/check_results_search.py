"""Searches: places, fronts and dimensions against the numbers beside them, the best settings against their curves, and the loader."""

import re

import numpy as np
from results_check import check, near

OBJECTIVES = ("a_pr_mean", "a_pr_trapezoid", "area_parameters", "area_macs", "accuracy_at")


def dominated(values):
    """[trials, objectives]: is another one at least as good in all and better in one?"""
    at_least = (values[None, :, :] >= values[:, None, :]).all(-1)
    better = (values[None, :, :] > values[:, None, :]).any(-1)
    return (at_least & better).any(1)


def raced(s):
    return (s.state.values != "complete").any()


def check_race(name, s):
    """What was dropped later has cost more; only what came to the end is complete, and comes first. Elsewhere regret, where it is known, is by the best."""
    complete, order = s.state.values == "complete", np.argsort(s["rank"].values)
    check(complete.any() and np.isin(s.state.values, ("complete", "worse", "share")).all(), f"{name}/state")
    check(not raced(s) or ((s["round"].values == s["round"].values.max()) == complete).all(), f"{name}: states and last rungs differ")
    by_round = [np.unique(s.cost.values[s["round"].values == k]) for k in range(s["round"].values.max() + 1)]
    check(not raced(s) or all(len(c) == 1 for c in by_round) and (np.diff(np.concatenate(by_round)) > 0).all(), f"{name}/cost of rungs: {by_round}")
    check(np.diff(s["round"].values[order]) <= 0, f"{name}/rank: a setting that was dropped earlier is before one that was dropped later") if raced(s) else None
    for k in np.unique(s["round"].values) if raced(s) else []:
        check(np.diff(s.objective.values[order][s["round"].values[order] == k]) <= 0, f"{name}/rank: not by the objective on rung {k}")
    if not np.isnan(s.regret.values).all():
        check(near(s.regret.values, s.objective.values.max() - s.objective.values) and not raced(s), f"{name}/regret")
    check(s.attrs["n_images"] >= s.attrs["n_evaluated"], f"{name}: fewer images than networks")


def check_points(name, s):
    """Numbers of choices are within their lists; no setting is there twice."""
    for i, choices in enumerate(s.choices.values.tolist()):
        at = s.point.values[:, i]
        if choices:
            known = at[~np.isnan(at)]
            check((known == known.astype(int)) & (known >= 0) & (known < len(choices.split(","))), f"{name}/point: dimension {i} has no such choice")
    points = np.nan_to_num(s.point.values, nan=-1e300)
    check(len(np.unique(points, axis=0)) == len(points), f"{name}: a setting is there twice")
    if not raced(s):
        check(not np.isnan(s.regret.values).all() or (np.diff(s["round"].values) >= 0).all(), f"{name}/round: not in the order of the proposals")
        check(s.state.values == "complete", f"{name}/state: dropped without a race")
        check(len(np.unique(s.cost.values)) == 1, f"{name}/cost: not the same of all settings")
    parent = s.parent.values
    check((parent >= -1) & (parent < np.arange(len(parent))), f"{name}/parent: not an earlier trial")


def check_places(name, s):
    order = np.argsort(s["rank"].values)
    check(s["rank"].values[order] == np.arange(len(order)), f"{name}/rank: no permutation")
    values = np.stack([s[v].values for v in ("a_pr_mean", "area_parameters", "area_macs")], -1)
    complete = s.state.values == "complete"
    check((s.front.values[complete] == 1) == ~dominated(values[complete]), f"{name}/front")
    check(s.front.values[~complete] == 0, f"{name}/front of settings that are not complete")
    check(not np.isnan(s.held_out.values[order[0]]), f"{name}/held_out: not of the best setting")
    check(s.attrs["objective"] in OBJECTIVES, f"{name}: objective {s.attrs['objective']!r}")
    if s.attrs["objective"] in OBJECTIVES:
        check(near(s.objective.values, s[s.attrs["objective"]].values), f"{name}/objective is another number than {s.attrs['objective']}")
    check(s.error.values[~np.isnan(s.error.values)] >= 0, f"{name}/error")
    check(0 < s.attrs["n_evaluated"] <= s.attrs["n_masks"], f"{name}: more masks were run than were asked for")


def check_held_out(name, s, curves, config):
    """The settings that were reported are criteria, in the order of their places; their curves give the held-out numbers."""
    model, kind = name.split("/")[2:]
    references = int(re.search(r"\nsearch:\n(?:  .*\n)*?  references: (\d+)\n", config).group(1))
    order = np.argsort(s["rank"].values)
    reported = [i for i in order if not np.isnan(s.held_out.values[i])]
    for k, i in enumerate(reported):
        of = (curves.model == model) & (curves.kind == kind) & (curves.criterion == f"tuned-{model}-{kind}-{k + 1}") & (curves.references == references)
        check(of.any(), f"{name}: no curve of the setting in place {k}")
        if not of.any():
            continue
        if s.attrs["objective"] == "accuracy_at":
            at = [float(rate) for rate in re.search(r"\n  at: \[(.*)\]\n", config).group(1).split(",")]
            values = curves.accuracy.values[of.values][:, np.isin(curves.rate.values, at)].mean(1)
        else:
            values = curves[s.attrs["objective"]].values[of.values]
        seeds = curves.seed.values[of.values]
        means = np.array([values[seeds == seed].mean() for seed in np.unique(seeds)])
        error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
        check(near(s.held_out.values[i], means.mean()), f"{name}/held_out of trial {i} is not that of its curves")
        check(np.isclose(s.held_out_error.values[i], error, rtol=1e-6, atol=1e-9, equal_nan=True), f"{name}/held_out_error of trial {i}")


def check_importance(name, s):
    alone, total = s.importance_main.values, s.importance_total.values
    known = ~np.isnan(alone) & ~np.isnan(total)
    sizes = [len(c.split(",")) if c else 0 for c in s.choices.values.tolist()]
    check(total[known] >= 0, f"{name}/importance_total: a negative share")
    if np.prod(sizes) != s.sizes["trial"] or not known.all() or raced(s):
        return  # estimates from samples, or from the first rung of a race
    # The whole grid: shares of the variance from their definition.
    grid = np.empty(sizes)
    grid[tuple(s.point.values.astype(int).T)] = s.objective.values
    variance = grid.var()
    if variance > 0:
        axes = range(len(sizes))
        check(np.allclose(alone, [grid.mean(tuple(a for a in axes if a != d)).var() / variance for d in axes], atol=1e-9), f"{name}/importance_main")
        check(np.allclose(total, [grid.var(d).mean() / variance for d in axes], atol=1e-9), f"{name}/importance_total")


def check_loader(path, searches):
    from pollard_results import open_results

    r = open_results(path)
    check(sorted(r.searches()) == sorted(searches), f"searches(): {r.searches()}")
    try:
        best = r.best()
        check(len(best) == len(searches) and (best["rank"] == 0).all(), "best(): not one row per search")
    except KeyError:
        check(not searches, "best(): the file has searches")
    for (model, kind), s in searches.items():
        f = r.search_frame(model, kind)
        check(f.trial.values == np.argsort(s["rank"].values), "search_frame(): not the best first")
        check(near(f.gap.values, (s.objective - s.held_out).values[f.trial.values]), "search_frame(): gap")
        for i, name in enumerate(s.dimension.values.tolist()):
            words, at = s.choices.values[i].split(","), s.point.values[f.trial.values, i]
            if s.choices.values[i]:
                check([w is None or w == words[int(x)] for w, x in zip(f[name], np.nan_to_num(at))], f"search_frame(): {name}")
            else:
                check(np.array_equal(f[name].values, at, equal_nan=True), f"search_frame(): {name}")
        check(f.state.values == s.state.values[f.trial.values], "search_frame(): state")
        if not np.isnan(s.regret.values).any():  # an exhaustive one against itself
            g = r.search_frame(model, kind, against=r)
            check(near(g.regret.values, f.regret.values) and g.regret.values.min() == 0, "search_frame(against): regret")
        else:
            try:
                r.search_frame(model, kind, against=r)
                check(False, "search_frame(against): takes a search that is not exhaustive")
            except ValueError:
                pass
        check(len(r.importance_frame(model, kind)) == s.sizes["dimension"], "importance_frame(): rows")
    try:
        r.search_frame("no", "such")
        check(False, "the loader accepts searches that are not in the file")
    except KeyError:
        pass


def check_searches(path, data):
    searches = {tuple(group.split("/")[2:]): s for group, s in data.items() if group.startswith("/search/")}
    asked = "\nsearch:\n" in data["/provenance"].config_resolved.item()
    check(asked == (len(searches) > 0), "/search has something although the study asks for none, or the other way")
    for (model, kind), s in searches.items():
        name = f"/search/{model}/{kind}"
        check_points(name, s)
        check_places(name, s)
        check_held_out(name, s, data["/curves"], data["/provenance"].config_resolved.item())
        check_race(name, s)
        check_importance(name, s)
    check_loader(path, searches)
