import json
from pathlib import Path
from typing import Any

import pytest
import torch

PARITY = Path(__file__).parent / "parity"


@pytest.fixture(scope="session")
def full_size() -> dict[str, Any]:
    return json.loads((PARITY / "full_size_state_dicts.json").read_text())


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
