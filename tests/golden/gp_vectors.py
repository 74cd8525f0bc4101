"""Writes tests/golden/gp_vectors.h: a Gaussian process by another implementation, for tests/unit/test_gp.c.

    python3 -m venv venv && venv/bin/pip install numpy scikit-learn
    venv/bin/python tests/golden/gp_vectors.py >tests/golden/gp_vectors.h

The kernel is scikit-learn's Matern(nu=2.5), the rest the textbook's matrices (Rasmussen and Williams 2006, eq. 2.41, 2.42, 2.45 with
the one basis function 1), by numpy's general inverse and determinant: neither a Cholesky factor nor anything of ours. Inputs are made of
integers, so that C makes the same.
"""
import numpy as np
import sklearn
from sklearn.gaussian_process.kernels import Matern


def inputs(n, width, shift):
    i, c = np.arange(n)[:, None], np.arange(width)[None, :]
    return ((i * 37 + c * c * 11 + c * i * 5 + c * 7 + shift) % 61) / 64


def observations(n):
    i = np.arange(n)
    return ((i * i * 13 + i * 29) % 97) / 32 - 1.5, (i * 5 % 7) / 512


CASES = [  # name, n, m, scale_of, scale, signal, noise
    ("one", 1, 3, [0, 0, 1], [0.5, 1.25], 1.5, 0.25),
    ("few", 7, 4, [0, 1], [0.75, 3.0], 0.5, 0.0625),
    ("choices", 25, 5, [0, 0, 0, 1, 2, 2], [0.5, 1.25, 0.375], 2.25, 0.03125),
    ("many", 60, 6, [0, 1, 2, 3], [0.375, 2.0, 8.0, 0.875], 1.75, 0.0009765625),
]


def array(name, values):
    text = ", ".join("%.17g" % v for v in np.ravel(values))
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + len(word) > 115:
            lines.append(line)
            line = "   "
        line += " " + word
    return "static const double %s[] = {\n%s\n};" % (name, "\n".join(lines + [line]))


print("/* Made by tests/golden/gp_vectors.py with numpy %s and scikit-learn %s; do not edit. */" % (np.__version__, sklearn.__version__))
for name, n, m, scale_of, scale, signal, noise in CASES:
    x, z = inputs(n, len(scale_of), 5), inputs(m, len(scale_of), 32)
    y, variance = observations(n)
    kernel = signal * Matern(length_scale=np.array(scale)[scale_of], nu=2.5)
    inverse = np.linalg.inv(kernel(x) + np.diag(variance + noise))
    k = kernel(z, x)
    one = np.ones(n)
    precision = one @ inverse @ one
    mean = one @ inverse @ y / precision
    rest = 1 - k @ inverse @ one
    posterior = mean + k @ inverse @ (y - mean)
    covariance = kernel(z) - k @ inverse @ k.T + np.outer(rest, rest) / precision
    likelihood = -0.5 * ((y - mean) @ inverse @ (y - mean) - np.linalg.slogdet(inverse)[1] + np.log(precision) + (n - 1) * np.log(2 * np.pi))
    print(array("gp_%s_posterior" % name, posterior))
    print(array("gp_%s_covariance" % name, covariance))
    print(array("gp_%s_likelihood" % name, [likelihood]))
