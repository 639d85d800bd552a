"""The state of a moment, kept while training goes on to change it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import Tensor


def copied(state: Any) -> Any:
    """The same in the processor's memory, sharing nothing with what it was copied from."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if type(state) in (dict, OrderedDict):
        return type(state)((key, copied(value)) for key, value in state.items())
    if type(state) in (list, tuple):
        return type(state)(copied(value) for value in state)
    return copy.deepcopy(state)
