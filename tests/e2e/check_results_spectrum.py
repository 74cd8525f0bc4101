"""Spectra of a result file against the rows of the same file, by NumPy."""

import numpy as np
from check_results_rows import check_sets, no_walk
from results_check import check, near


def measures(values, n):
    """participation, adjusted, effective_rank and modes of eigenvalues of n images (docs/spectrum.md)."""
    trace, squares, m = values.sum(), (values**2).sum(), n - 1
    if trace == 0:
        return 0.0, np.nan, 0.0, [0, 0, 0]
    p = values[values > 0] / trace
    c2 = m * m / ((m - 1) * (m + 2)) * (squares - trace**2 / m) if m > 1 else np.nan
    adjusted = (trace**2 - 2 * c2 / m) / c2 if c2 > 0 else np.nan
    held = np.cumsum(np.sort(values)[::-1]) / trace
    return trace**2 / squares, adjusted, np.exp(-(p * np.log(p)).sum()), [int(np.argmax(held >= s - 1e-12)) + 1 for s in (0.90, 0.95, 0.99)]


def columns_of(name, level, kind, m, kinds):
    """Component numbers of a part."""
    of = m.kind.values[m.layer_index.values]
    if level == "layer":
        return np.nonzero(m.layer.values[m.layer_index.values] == name)[0]
    return np.nonzero(of == kind if kind else np.isin(of, kinds))[0]


def check_spectrum(group, s, data):
    _, _, model, criterion = group.split("/")
    check_sets(group, s, data, False)
    m, rows = data[f"/models/{model}"], data.get(f"/rows/{model}/{criterion}")
    kinds = sorted({t.split("/")[3] for t in data if t.startswith(f"/tracks/{model}/")})
    levels = s.level.values.tolist()
    check(levels == ["layer"] * levels.count("layer") + ["kind"] * len(kinds) + ["network"], f"{group}/level: {levels}")
    check(set(s.name.values[s.level.values == "kind"]) == set(kinds), f"{group}: kinds are not those of the tracks")
    check(s.name.values[-1] == "network" and s.kind.values[-1] == (kinds[0] if len(kinds) == 1 else ""), f"{group}: the network")
    check(s.share.values.tolist() == [0.9, 0.95, 0.99], f"{group}/share")
    for i in range(s.sizes["set"]):
        for p in range(s.sizes["part"]):
            values, n = s.eigenvalue.values[i, p], int(s.images[i])
            columns = columns_of(s.name.values[p], levels[p], s.kind.values[p], m, kinds)
            check(len(columns) == s.components.values[p], f"{group}/components of part {p}")
            known = values[~np.isnan(values)]
            check(len(known) == min(n, len(columns)) and (known >= 0).all() and (np.diff(known) <= 0).all(), f"{group}/eigenvalue {i} {p}")
            participation, adjusted, rank, modes = measures(known, n)
            found = [float(s[name].values[i, p]) for name in ("participation", "adjusted", "effective_rank", "variance")]
            check(near(np.array(found), np.array([participation, adjusted, rank, known.sum()]), 1e-9), f"{group}: measures of {s.name.values[p]}: {found}")
            check(s.modes.values[i, p].tolist() == modes, f"{group}/modes of {s.name.values[p]}: {s.modes.values[i, p]}, expected {modes}")
            if rows is not None:
                x = rows.score.values[rows.member.values[i] == 1].astype("f8")[:, columns]
                x = x - x.mean(0)
                expected = np.linalg.eigvalsh(x.T @ x if len(columns) <= n else x @ x.T)[::-1] / (n - 1)
                check(np.abs(known - expected[:len(known)]) <= 1e-12 * known[0], f"{group}: eigenvalues of {s.name.values[p]} are not those of the rows")
    check(s.attrs["agreement"].startswith("solver"), f"{group}: no attribute agreement")


def check_spectra(path, data):
    from pollard_results import open_results

    spectra = {group: s for group, s in data.items() if group.startswith("/spectrum/")}
    asked = "spectrum: true\n" in data["/provenance"].config_resolved.item()
    check(asked == bool(spectra), "spectra are there although the study does not ask for them, or the other way")
    for group, s in spectra.items():
        check_spectrum(group, s, data)
    r = open_results(path)
    for call in (lambda: r.spectrum("no such", "pair"), lambda: r.spectrum(*no_walk(data)), *([] if spectra else [r.spectrum_frame])):
        try:
            call()
            check(False, "the loader accepts spectra that are not in the file")
        except KeyError:
            pass
    if spectra:
        frame = r.spectrum_frame()
        check((frame.modes_90 <= frame.modes_95) & (frame.modes_95 <= frame.modes_99), "spectrum_frame(): modes")
        for group, s in spectra.items():
            model, criterion = group.split("/")[2:]
            check(r.spectrum(model, criterion).sizes == s.sizes, f"spectrum(): {group}")
            mine = frame[(frame.model == model) & (frame.criterion == criterion)]
            check(len(mine) == s.sizes["set"] * s.sizes["part"], f"spectrum_frame(): rows of {group}")
