"""The BRISQUE model out of the package brisque: a support vector machine in libsvm's text, ranges in a pickle."""

from __future__ import annotations

import numpy as np

from ops.weights.array_pickle import load_arrays

FEATURES = 36


def convert(machine: bytes, ranges: bytes) -> dict[str, np.ndarray]:
    """support_vectors [N, 36], coefficients [N], gamma, offset, minimum [36] and maximum [36]."""
    limits = load_arrays(ranges)
    return parse_machine(machine.decode()) | {
        "minimum": np.array(limits["min_"]),
        "maximum": np.array(limits["max_"]),
    }


def parse_machine(text: str) -> dict[str, np.ndarray]:
    """An epsilon-SVR with a radial basis as libsvm writes it."""
    head, _, body = text.partition("\nSV\n")
    settings = dict(line.split(maxsplit=1) for line in head.splitlines())
    if (settings["svm_type"], settings["kernel_type"]) != ("epsilon_svr", "rbf"):
        raise ValueError(f"expected an epsilon_svr with kernel rbf, found {settings}")
    coefficients, vectors = [], []
    for line in body.splitlines():
        coefficient, *pairs = line.split()
        vector = np.zeros(FEATURES)
        for pair in pairs:
            index, value = pair.split(":")
            vector[int(index) - 1] = float(value)
        coefficients.append(float(coefficient))
        vectors.append(vector)
    return {
        "support_vectors": np.array(vectors),
        "coefficients": np.array(coefficients),
        "gamma": np.array([float(settings["gamma"])]),
        "offset": np.array([-float(settings["rho"])]),
    }
