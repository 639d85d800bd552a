"""What differs between models in how they were made: settings and code, as each training had them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ops.config.named import by_name
from ops.release.comparison.subject import Subject
from ops.runtime.project import Project
from ops.runtime.source_code import git

ABSENT = "none"
COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class CodeChange:
    """From one commit to another: the subjects of the commits between, the newest first, and each file that differs
    with the lines added and removed; or a note where git cannot tell."""

    before: str | None
    after: str | None
    commits: tuple[str, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    note: str | None = None


def setting_differences(subjects: Sequence[Subject]) -> dict[str, list[str]]:
    """Setting → its value in each model's recipe, for those that are not the same in all."""
    trees = [by_name({**each.settings, **_protocol(each)}) for each in subjects]
    keys = dict.fromkeys(key for tree in trees for key in tree)
    found = {key: [tree.get(key, ABSENT) for tree in trees] for key in keys}
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def _protocol(subject: Subject) -> dict[str, object]:
    """What the samples were made with stands where the recipe has it."""
    return {"evaluation": subject.samples.made.terms} if subject.samples else {}


def code_change(project: Project, before: Subject, after: Subject) -> CodeChange:
    """What git tells of the way between the commits that two trainings ran from."""
    first, second = before.commit, after.commit
    if first is None or second is None or not (COMMIT.fullmatch(first) and COMMIT.fullmatch(second)):
        return CodeChange(first, second, note="the commit of a training is not known")
    if first == second:
        return CodeChange(first, second)
    try:
        commits = git(project.root, "log", "--format=%h %s", f"{first}..{second}").splitlines()
        changed = git(project.root, "diff", "--numstat", first, second).splitlines()
    except (OSError, subprocess.CalledProcessError):
        return CodeChange(first, second, note="the commits are not both in this repository: fetch them to see the way")
    files = [line.split("\t", 2) for line in changed]
    return CodeChange(first, second, tuple(commits), tuple((name, added, gone) for added, gone, name in files))
