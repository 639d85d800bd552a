"""The parity cases: expected numbers of the released models, whose weights follow from their names."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import released

FOLDER = Path(__file__).parent / "parity"


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

    def __init__(self, name: str) -> None:
        self.facts: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
        with np.load(FOLDER / f"{name}.npz") as outputs:
            self.expected = {key: torch.from_numpy(outputs[key]) for key in outputs}

    def model(self) -> nn.Module:
        """Built and loaded through `models.released`; fixed filters and counters are the model's own."""
        facts = self.facts
        module = released.build(facts["model"], facts["config"]).eval()
        own = released.dump(module)
        state = {
            key: own[key] if any(part in key for part in facts["constant"]) else derived(key, shape)
            for key, shape in facts["state_dict_shapes"].items()
        }
        released.load(module, state)
        return module

    def drawn(self, name: str) -> Tensor:
        rule = self.facts[name]
        random = np.random.RandomState(rule["seed"])
        if rule["rule"] == "uniform":
            return torch.from_numpy(random.uniform(-1, 1, rule["shape"]).astype(np.float32))
        return torch.from_numpy(random.standard_normal(rule["shape"]).astype(np.float32))


@pytest.fixture(scope="session")
def parity_case() -> type[ParityCase]:
    return ParityCase


@pytest.fixture(scope="session")
def full_size() -> dict[str, Any]:
    return json.loads((FOLDER / "full_size_state_dicts.json").read_text())


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
