"""The parity cases: expected numbers of the released models and of their trainings, whose weights follow from their
names."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import released
from models.released.keys import spelled_out

FOLDER = Path(__file__).parent / "models" / "parity"


def derived(key: str, shape: list[int]) -> Tensor:
    """A weight that depends on its key and shape alone: normal with variance 1/fan-in, norms near 1, biases near 0."""
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) > 1:
        value = noise / np.sqrt(np.prod(shape[1:]))
    else:
        value = 0.1 * noise + (1.0 if key.endswith(("weight", "gamma")) else 0.0)
    return torch.tensor(np.asarray(value, dtype=np.float32)).reshape(shape)


class ParityCase:
    """One JSON file: a class, its configuration, its weights and inputs by rule, and expected outputs beside it."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.facts: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        with np.load(folder / f"{name}.npz") as outputs:
            self.expected = {key: torch.from_numpy(outputs[key]) for key in outputs}

    def model(self) -> nn.Module:
        """In evaluation mode."""
        facts = self.facts
        return self.built(facts["model"], facts["config"], facts["state_dict_shapes"], facts["constant"]).eval()

    @staticmethod
    def built(name: str, config: dict[str, Any], shapes: dict[str, list[int]], constant: list[str]) -> nn.Module:
        """Built and loaded through `models.released`; fixed filters and counters are the model's own."""
        module = released.build(name, config)
        own = released.dump(module)
        state = {
            key: own[spelled_out(key)] if any(part in key for part in constant) else derived(key, shape)
            for key, shape in shapes.items()
        }
        released.load(module, state)
        return module

    def drawn(self, name: str, shape: Sequence[int] | None = None) -> Tensor:
        """An input; `shape` is of one whose rule names none."""
        return self.drawn_by(self.facts[name], shape)

    @staticmethod
    def drawn_by(rule: dict[str, Any], shape: Sequence[int] | None = None) -> Tensor:
        random, size = np.random.RandomState(rule["seed"]), shape or rule["shape"]
        if rule["rule"] == "uniform":
            return torch.from_numpy(random.uniform(-1, 1, size).astype(np.float32))
        return torch.from_numpy(random.standard_normal(size).astype(np.float32))
