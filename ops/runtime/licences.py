"""Under which licence something comes, and which licences a recipe leaves out."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

UNKNOWN = "unknown"
LONGEST_NAME = 100
"""Characters; packages that write more under `License` have put the whole text there."""


def pattern_against(licence: str | None, patterns: Sequence[str]) -> str | None:
    """The first pattern that a licence matches, or None. Case does not count, nor does `CC BY-NC` for `CC-BY-NC`."""
    name = _plain(licence or UNKNOWN)
    return next((pattern for pattern in patterns if fnmatchcase(name, _plain(pattern))), None)


def package_licence(distribution: str) -> str | None:
    """What an installed package says of itself: its SPDX expression, else its short name, else its classifiers."""
    about = importlib.metadata.metadata(distribution)
    for field in ("License-Expression", "License"):
        named = str(about[field]).strip() if field in about else ""
        if named and "\n" not in named and len(named) <= LONGEST_NAME:
            return named
    classifiers = about.get_all("Classifier") or []
    named = "; ".join(str(each).rpartition(" :: ")[2] for each in classifiers if str(each).startswith("License ::"))
    return named or None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip()).casefold()
