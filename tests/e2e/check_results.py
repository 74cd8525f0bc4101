#!/usr/bin/env python3
"""Checks a result file of the digits study as its users meet it: through xarray, with every engine that is installed.

usage: check_results.py RESULT.h5 RANKS PROGRAM ARGUMENT...     the last ones: how the file was made
exit 0: fine, 1: something is wrong (printed), 77: skipped, Python packages are missing
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is

from results_check import ENGINES, failures, read
from check_results_digits import check_digits
from check_results_docs import check_docs
from check_results_heatmaps import check_heatmaps
from check_results_layout import check_layouts, check_storage
from check_results_numbers import check_numbers
from check_results_provenance import check_provenance, check_run
from check_results_rows import check_audits_and_rows
from check_results_search import check_searches
from check_results_spectrum import check_spectra


def main(path, ranks, command):
    data = read(path)
    check_layouts(data)
    check_storage(path)
    check_numbers(data)
    if "\nsearch:\n" not in data["/provenance"].config_resolved.item():  # which leaves a part of the images to the curves; the reference is of all
        check_digits(data)
    check_provenance(data)
    check_run(data["/provenance"], ranks, command)
    check_docs(path, data)
    check_audits_and_rows(path, data)
    check_spectra(path, data)
    check_heatmaps(path, data)
    check_searches(path, data)
    for failure in failures[:30]:
        print(failure)
    print(f"{path}: {len(data)} groups, engines {', '.join(ENGINES)}: {'fine' if not failures else str(len(failures)) + ' failures'}")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]))
