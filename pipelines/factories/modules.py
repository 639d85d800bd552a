"""Naming functions of `ops` without importing them: the definitions must load in seconds, torch takes many."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def function(path: str) -> Callable[..., Any]:
    """The function that `package.module:name` names."""
    module, _, name = path.partition(":")
    named: Callable[..., Any] = getattr(import_module(module), name)
    return named
