"""One line of what `soraflow doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    state: Literal["ok", "note", "wrong"]
    about: str
    what: str
    remedy: str = ""
