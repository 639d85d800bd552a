"""Which code is running: the package's version and, in a checkout, its commit."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]


def code_version() -> dict[str, Any]:
    """`version` of the package, `commit` of the checkout it runs from (None outside one), and whether files that
    git tracks were `changed` since."""
    commit = _git("rev-parse", "HEAD")
    changed = bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None
    return {"version": _package_version(), "commit": commit, "changed": changed}


def _package_version() -> str | None:
    try:
        return metadata.version("soraflow")
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=HERE, capture_output=True, text=True, timeout=30, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):  # no git here: the commit is unknown, not an error
        return None
    return done.stdout.strip() if done.returncode == 0 else None
