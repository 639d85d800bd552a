"""The parity cases: expected numbers of the released models, of their trainings, and of the networks that metrics look
through. Weights follow from their names."""

from __future__ import annotations

import fnmatch
import functools
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
METRICS = Path(__file__).parent / "models" / "metrics" / "parity"


def derived(key: str, shape: Sequence[int]) -> Tensor:
    """A weight that depends on its key and shape alone: normal with variance 1/fan-in, norms near 1, biases near 0."""
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) > 1:
        value = noise / np.sqrt(np.prod(shape[1:]))
    else:
        value = 0.1 * noise + (1.0 if key.endswith(("weight", "gamma")) else 0.0)
    return torch.tensor(np.asarray(value, dtype=np.float32)).reshape(shape)


def drawn(rule: str, seed: int, shape: Sequence[int]) -> Tensor:
    random = np.random.RandomState(seed)
    found = random.uniform(-1, 1, shape) if rule == "uniform" else random.standard_normal(shape)
    return torch.from_numpy(found.astype(np.float32))


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
        return drawn(rule["rule"], rule["seed"], shape or rule["shape"])


_kept = functools.lru_cache(maxsize=400)(derived)
"""Those of one network, of which several cases take the same."""


class MetricCase:
    """One JSON file of a network that metrics look through: weights by rule, an input by rule, and expected outputs
    beside it."""

    def __init__(self, name: str) -> None:
        self.facts: dict[str, Any] = json.loads((METRICS / f"{name}.json").read_text())
        self.expected: dict[str, Tensor] = {}
        if (METRICS / f"{name}.npz").is_file():
            with np.load(METRICS / f"{name}.npz") as outputs:
                self.expected = {key: torch.from_numpy(np.asarray(outputs[key])) for key in outputs}

    def state_dict(self, shapes: dict[str, list[int]] | None = None) -> dict[str, Tensor]:
        """As the published file has it, without the constants of the architecture."""
        facts = self.facts
        shapes = shapes or facts.get("state_dict_shapes") or facts["state_dict_shapes_file"].split()[0]
        shapes = read_shapes(shapes) if isinstance(shapes, str) else shapes
        rules = facts.get("rules") or facts.get("fill_rules") or []
        return {
            key: self._filled(key, shape, rules)
            for key, shape in shapes.items()
            if not any(part in key for part in facts.get("constant", ()))
        }

    @staticmethod
    def _filled(key: str, shape: list[int], rules: list[dict[str, Any]]) -> Tensor:
        value = _kept(key, tuple(shape))
        for rule in rules:
            if fnmatch.fnmatchcase(key, rule["keys"]):
                return value * rule.get("scale", 1.0) + rule.get("offset", 0.0)
        return value.clone()

    def agree(self, found: Tensor, name: str, tolerance: float, scaled: bool = True) -> None:
        """`scaled` errors are divided by the largest expected value, where that exceeds 1."""
        expected = self.expected[name]
        assert found.shape == expected.shape, name
        error = float((found.double() - expected.double()).abs().max())
        scale = max(1.0, float(expected.double().abs().max())) if scaled else 1.0
        assert error <= tolerance * scale, f"{name}: {error / scale:.2e} > {tolerance}"


def read_shapes(file: str) -> dict[str, list[int]]:
    found = json.loads((METRICS / file).read_text())
    return found.get("state_dict_shapes", found)
