"""Times the fits of implicit, numpy and scipy that `go run ./benchmarks fit` stands beside.

Reads one measurement a line, and answers each with a line of seconds:

    als FACTORS     one epoch of implicit's ALS, users and items, the mean of three
    multiply N      numpy's product of two float32 matrices, N x N
    inv32, inv64    EASE with numpy.linalg.inv: seconds of the inverse, and of the whole fit
    potri           EASE with LAPACK's spotrf and spotri, as inv32
"""

import gzip
import sys
import time

import numpy as np
import scipy.sparse
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares
from scipy.linalg import lapack


def read(path):
    """Users x items from lines of a user and its items."""
    users, items = [], []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            user, *rest = map(int, line.split())
            users += [user] * len(rest)
            items += rest
    return scipy.sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)))


def popular(x, n):
    """The n most popular items, of equal ones those with the lower number."""
    count = np.asarray(x.sum(axis=0)).ravel()
    return x[:, np.sort(np.argsort(-count, kind="stable")[:n])]


def als(x, factors):
    epochs = []
    # It has threads of its own, and warns of those of a BLAS beside them.
    with threadpoolctl.threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors, iterations=4, use_cg=True, num_threads=0, dtype=np.float32, random_state=1
        )
        model.cg_steps = 3
        model.fit_callback = lambda _, seconds, *rest: epochs.append(seconds)
        model.fit(x, show_progress=False)
    return [sum(epochs[1:]) / len(epochs[1:])]


def multiply(n):
    x = np.random.default_rng(1).standard_normal((n, n), np.float32)
    begin = time.perf_counter()
    x @ x
    return [time.perf_counter() - begin]


def invert(a, how):
    if how != "potri":
        return np.linalg.inv(a)
    # a is symmetric, so a.T is the same matrix in LAPACK's order and nothing is copied.
    factor, failed = lapack.spotrf(a.T, lower=1, overwrite_a=1)
    assert not failed
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert not failed
    return inverse


def ease(x, how, ridge=300):
    begin = time.perf_counter()
    gram = (x.T @ x).toarray()
    if how == "inv64":
        gram = gram.astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    started = time.perf_counter()
    inverse = invert(gram, how)
    inverted = time.perf_counter() - started
    if how == "potri":
        inverse = np.tril(inverse, -1).T + np.tril(inverse)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return [inverted, time.perf_counter() - begin]


def main():
    x = read(sys.argv[1])
    few = popular(x, int(sys.argv[2]))
    print("ready", flush=True)
    for line in sys.stdin:
        what, *rest = line.split()
        if what == "als":
            seconds = als(x, int(rest[0]))
        elif what == "multiply":
            seconds = multiply(int(rest[0]))
        else:
            seconds = ease(few, what)
        print(*seconds, flush=True)


if __name__ == "__main__":
    main()
