"""Reading other people's pickles of arrays without running anything that they ask for."""

from __future__ import annotations

import io
import pickle

import numpy as np

Arrays = dict[str, dict[str, dict[str, np.ndarray]]]
"""Parameters as Flax has them: module → layer → `kernel` or `bias`."""


class ArrayUnpickler(pickle.Unpickler):
    """Reads dicts, lists, strings, numbers and NumPy arrays; anything else in the stream is an error."""

    def find_class(self, module: str, name: str) -> object:
        from numpy._core.multiarray import _reconstruct

        admitted = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        }
        if (module, name) not in admitted:
            raise pickle.UnpicklingError(f"a pickle of weights asks for {module}.{name}; only NumPy arrays are read")
        return admitted[module, name]


def load_arrays(content: bytes) -> Arrays:
    found: Arrays = ArrayUnpickler(io.BytesIO(content)).load()
    return found
