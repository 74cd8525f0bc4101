"""What the parts of check_results.py share: the packages, the list of failures, and a result file as xarray sees it."""

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

missing = [m for m in ("numpy", "pandas", "xarray", "h5py", "h5netcdf") if find_spec(m) is None]
if missing:
    print("skipped: Python has no " + ", ".join(missing))
    sys.exit(77)

import h5py
import numpy as np
import xarray as xr

warnings.simplefilter("error")
ROOT = Path(__file__).resolve().parents[2]
ENGINES = ["h5netcdf"] + (["netcdf4"] if find_spec("netCDF4") else [])
failures = []


def check(ok, message):
    if not bool(np.all(ok)):
        failures.append(message)


def near(a, b, rtol=1e-12):
    return np.allclose(a, b, rtol=rtol, atol=1e-15, equal_nan=True)


def groups_with_variables(path):
    found = ["/"]
    with h5py.File(path, "r") as f:
        f.visititems(lambda name, o: found.append("/" + name)
                     if isinstance(o, h5py.Group) and any(isinstance(v, h5py.Dataset) for v in o.values()) else None)
    return found


def read(path):
    """All groups by the first engine; the others must see the same."""
    data = {}
    for group in groups_with_variables(path):
        seen = [xr.open_dataset(path, group=group, engine=e, mask_and_scale=False).load() for e in ENGINES]
        for engine, other in zip(ENGINES[1:], seen[1:]):
            try:
                xr.testing.assert_equal(seen[0], other)
            except AssertionError as e:
                failures.append(f"{group}: {ENGINES[0]} and {engine} differ: {e}")
            check(sorted(seen[0].attrs) == sorted(other.attrs), f"{group}: attributes differ between engines")
        for engine in ENGINES:
            xr.open_dataset(path, group=group, engine=engine).load()  # decoding must not warn either
        data[group] = seen[0]
    return data
