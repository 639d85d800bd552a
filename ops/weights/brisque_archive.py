"""The BRISQUE model out of the package brisque: a support vector machine in libsvm's text, ranges in a pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ops.runtime.files import replacing
from ops.weights.archives import member
from ops.weights.array_pickle import load_arrays
from ops.weights.registry import Archive

FEATURES = 36


def convert(archive: Path, source: Archive, target: Path) -> None:
    """Write support_vectors [N, 36], coefficients [N], gamma, offset, minimum [36] and maximum [36] to `target`."""
    from safetensors.numpy import save

    ranges = load_arrays(member(archive, source, "brisque/models/normalize.pickle"))
    tensors = parse_machine(member(archive, source, "brisque/models/svm.txt").decode())
    tensors |= {"minimum": np.array(ranges["min_"]), "maximum": np.array(ranges["max_"])}
    with replacing(target) as temporary:
        temporary.write_bytes(save(tensors))


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
