"""What nodes lack is found before ranks are started on them, and ranks are asked once whether they meet."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ops.config import Launch
from ops.training.launching import node_checks
from ops.training.launching.probe import Answer, commit, packages


def launch(**changes: object) -> Launch:
    whole = {"launcher": "pdsh", "accelerator": "cpu", "nodes": 2, "ranks_per_node": 4, **changes}
    return Launch.model_validate(whole)


def hostfile(tmp_path: Path, text: str) -> Launch:
    (tmp_path / "hosts").write_text(text, encoding="utf-8")
    return launch(launcher="slurm", hostfile="hosts")


def test_programs_that_start_ranks_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "ssh").write_text("#!/bin/sh\n")
    (tmp_path / "ssh").chmod(0o755)
    (missing,) = node_checks.programs(launch())
    assert missing.what.startswith("pdsh is not on PATH")
    assert list(node_checks.programs(launch(launcher="torchrun", nodes=1))) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("localhost slots=4\n", "names 1 host(s)"),
        (
            "localhost slots=4\n127.0.0.1 slots=2 # a smaller one\n",
            "127.0.0.1 has 2 slots, but launch.ranks_per_node is 4",
        ),
        ("localhost\n127.0.0.1 slots=4\n", "line 1: 'localhost' is not 'HOSTNAME slots=NUMBER'"),
        ("localhost slots=4\nno-such-host.invalid slots=4\n", "no answer from no-such-host.invalid"),
    ],
)
def test_a_hostfile_has_to_be_right(tmp_path: Path, text: str, words: str) -> None:
    (found,) = node_checks.hostfile(hostfile(tmp_path, text), tmp_path)
    assert words in found.what


def test_a_hostfile_has_to_be_there(tmp_path: Path) -> None:
    (unnamed,) = node_checks.hostfile(launch(), tmp_path)
    assert "launch.hostfile is not set" in unnamed.what
    assert "'HOSTNAME slots=4' for each of 2 node(s)" in unnamed.remedy
    (lost,) = node_checks.hostfile(launch(hostfile="nowhere"), tmp_path)
    assert f"{tmp_path / 'nowhere'}, which does not exist" in lost.what
    right = hostfile(tmp_path, "# two\nlocalhost slots=4\n127.0.0.1 slots=4\n")
    assert list(node_checks.hostfile(right, tmp_path)) == []


def test_the_port_has_to_be_free(tmp_path: Path) -> None:
    hosts = hostfile(tmp_path, "localhost slots=4\n127.0.0.1 slots=4\n")
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        asked = hosts.model_copy(update={"port": other.getsockname()[1]})
        (taken,) = node_checks.port(asked, tmp_path)
    assert "at which ranks meet, cannot be had" in taken.what
    assert list(node_checks.port(asked, tmp_path)) == []


def answer(rank: int, **changes: object) -> Answer:
    return Answer.model_validate(
        {"rank": rank, "ranks": 2, "host": f"n{rank}", "commit": "a", "packages": "p", "total": 2, **changes}
    )


def test_what_ranks_say_has_to_go_together() -> None:
    two = launch(ranks_per_node=1)
    assert list(node_checks.differences(two, [answer(0), answer(1)])) == []
    (other,) = node_checks.differences(two, [answer(0), answer(1, commit="b")])
    assert other.what == "they have different commits (n0: a, n1: b)"
    (older,) = node_checks.differences(two, [answer(0), answer(1, packages="q")])
    assert older.remedy == "pip install -r requirements.lock on all nodes"
    (lost,) = node_checks.differences(two, [answer(0)])
    assert lost.what == "1 of 2 ranks answered, and counted [2]"


TWO_RANKS = launch(launcher="torchrun", nodes=1, ranks_per_node=2)


@pytest.mark.dist
def test_ranks_meet(tmp_path: Path) -> None:
    assert list(node_checks.meeting(TWO_RANKS, tmp_path, tmp_path / "probe")) == []
    first, second = node_checks.answers(tmp_path / "probe")
    assert (first.rank, second.rank, first.total, first.host) == (0, 1, 2, socket.gethostname())
    assert (first.commit, first.packages) == (commit(), packages())


@pytest.mark.slow
def test_why_ranks_do_not_meet_is_what_the_first_of_them_printed(tmp_path: Path) -> None:
    elsewhere = TWO_RANKS.model_copy(update={"accelerator": "npu"})
    (obstacle,) = node_checks.meeting(elsewhere, tmp_path, tmp_path / "probe")
    assert "launch.accelerator is 'npu', but this machine offers" in obstacle.what
