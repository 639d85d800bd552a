"""What git tells of the way from one training's commit to another's, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.release.comparison.differences import CodeChange, code_change
from ops.runtime.project import Project


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    """Two of a repository; the second changes one file and adds another."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", *identity, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    found = []
    for number, texts in enumerate(({"loss.py": "a\nb\n"}, {"loss.py": "a\nc\nd\n", "new <b>.py": "x\n"})):
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        git("add", "-A")
        git("commit", "-qm", f"Change number {number}")
        found.append(git("rev-parse", "HEAD"))
    return found


def at(commit: str | None):
    return SimpleNamespace(commit=commit)


def test_commits_between_and_lines_of_files(tmp_path: Path, commits: list[str]) -> None:
    found = code_change(Project(tmp_path), at(commits[0]), at(commits[1]))
    assert found.files == (("loss.py", "2", "1"), ("new <b>.py", "1", "0"))
    assert [each.partition(" ")[2] for each in found.commits] == ["Change number 1"]
    assert code_change(Project(tmp_path), at(commits[0]), at(commits[0])) == CodeChange(commits[0], commits[0])


@pytest.mark.parametrize(
    ("commit", "note"),
    [
        ("f" * 40, "not both in this repository"),
        (None, "not known"),
        ("--output=x", "not known"),
        ("unknown", "not known"),
    ],
)
def test_what_is_no_commit_here_is_said(tmp_path: Path, commits: list[str], commit: str | None, note: str) -> None:
    assert note in str(code_change(Project(tmp_path), at(commits[0]), at(commit)).note)
    assert not (tmp_path / "x").exists()
