"""What a network has to be told of where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ops.runtime.device import Accelerator


class Surroundings(Protocol):
    """A project as weights and metrics know it: they ask nothing of its recipe, for the recipe asks them which of them
    there are."""

    @property
    def weights(self) -> Path:
        """The folder of checked weights."""

    @property
    def var(self) -> Path:
        """Where what was worked out once is kept."""

    @property
    def accelerator(self) -> Accelerator:
        """That networks run on."""
