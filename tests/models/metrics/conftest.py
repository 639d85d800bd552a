"""The parity cases of networks that metrics look through."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor

Drawn = Callable[[int, tuple[int, ...]], Tensor]
"""Seed and shape → numbers."""


@pytest.fixture(scope="session")
def cases(module_at: Callable[[Path], ModuleType], checkout: Path) -> ModuleType:
    return module_at(checkout / "tests" / "parity_cases.py")


@pytest.fixture(scope="session")
def uniform(cases: ModuleType) -> Drawn:
    return functools.partial(cases.drawn, "uniform")


@pytest.fixture(scope="session")
def normal(cases: ModuleType) -> Drawn:
    return functools.partial(cases.drawn, "normal")


@pytest.fixture(scope="session")
def metric_case(cases: ModuleType) -> type:
    return cases.MetricCase


@pytest.fixture(scope="session")
def shapes_of(cases: ModuleType) -> Callable[[str], dict[str, list[int]]]:
    """Names and shapes of a published file."""
    return cases.read_shapes
