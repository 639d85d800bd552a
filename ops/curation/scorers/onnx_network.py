"""A network in ONNX form with one picture as its input, on a few threads of the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class OnnxNetwork:
    def __init__(self, model: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Its only output, for an input [1, C, H, W] as the network takes it."""
        output: np.ndarray
        (output,) = self._session.run(None, {self._input: x})
        return output

    def metadata(self, key: str) -> str:
        """What the file says of itself.

        Raises:
            KeyError: nothing under this key.
        """
        return str(self._session.get_modelmeta().custom_metadata_map[key])
