"""Which code is running: the git commit, and whether anything differs from it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_state(root: Path) -> dict[str, str]:
    """`git.commit` and `git.dirty`; both 'unknown' outside a repository, or without git."""
    try:
        commit = git(root, "rev-parse", "HEAD")
        changed = git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "unknown", "git.dirty": "unknown"}
    return {"git.commit": commit, "git.dirty": str(bool(changed)).lower()}


def git(root: Path, *arguments: str) -> str:
    """What git says in a folder.

    Raises:
        OSError, CalledProcessError: there is no git, or it cannot tell.
    """
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout.strip()
