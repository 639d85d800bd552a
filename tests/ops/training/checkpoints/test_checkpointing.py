"""A checkpoint is written while training goes on, holds the state of its moment, and is one when all of it is there."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ops.training.checkpoints import checkpointing, store
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser

CPU = torch.device("cpu")
HELD_OUT = {"held_out_loss": 1.0}


@pytest.fixture
def job(make_lab: Callable, tmp_path: Path) -> Any:
    return make_lab(tmp_path / "lab").job("denoiser_joint")


def begun(job: Any, ranks: Ranks) -> tuple[Any, list[str]]:
    """A session, and what it will say."""
    session, said = program.prepared(job, ranks, CPU, denoiser.compose), []
    session.state.first = 1.0
    session.recorder.say = said.append
    return session, said


def steps(session: Any, *numbers: int) -> list[dict[str, float]]:
    lines = []
    for number in numbers:
        lines.append(loop.one_step(session, number, session.read(number)))
        session.state.ema.update(session.state.model, number)
        session.state.step = number
    return lines


def complete(session: Any) -> list[int]:
    return [store.step_of(path) for path in checkpointing.store_of(session).complete()]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that takes nothing until it is told to."""
    ready, write_one = threading.Event(), store._write_one

    def late(*arguments: Any) -> Any:
        assert ready.wait(60)
        return write_one(*arguments)

    monkeypatch.setattr(store, "_write_one", late)
    yield ready
    ready.set()


def test_training_goes_on_meanwhile_and_changes_nothing_of_what_is_written(
    job: Any, alone: Ranks, disk: threading.Event
) -> None:
    session, _ = begun(job, alone)
    steps(session, 1, 2)
    average = session.state.ema.slices[0].clone()
    checkpointing.save(session, HELD_OUT)
    expected = steps(session, 3, 4)
    checkpointing.settle(session)
    assert complete(session) == []
    disk.set()
    checkpointing.save(session, HELD_OUT)  # waits for the one before
    assert complete(session) == [2]
    checkpointing.require_written(session)
    assert complete(session) == [2, 4]
    store.remove(checkpointing.store_of(session).path(4))
    resumed, _ = begun(job, alone)
    assert resumed.state.step == 2
    assert torch.equal(resumed.state.ema.slices[0], average)
    assert steps(resumed, 3, 4) == expected


def test_who_is_told_to_stop_keeps_what_is_nearly_written(
    job: Any, alone: Ranks, disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = begun(job, alone)
    one_step = loop.one_step

    def interrupted(session: Any, step: int, batch: Any) -> dict[str, float]:
        if step == 7:
            threading.Timer(0.5, disk.set).start()
            raise KeyboardInterrupt
        return one_step(session, step, batch)

    monkeypatch.setattr(loop, "one_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run_steps(session)
    assert complete(session) == [5]


def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def no_room(tensors: Any, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpointing, "save_file", no_room)
    return monkeypatch


def test_a_full_disk_costs_one_checkpoint_if_there_is_room_for_the_next(
    job: Any, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, said = begun(job, alone)
    steps(session, 1)
    checkpointing.save(session, HELD_OUT)
    steps(session, 2)
    with monkeypatch.context() as patch:
        full(patch)
        checkpointing.save(session, HELD_OUT)
        checkpointing.finished(session)
    (told,) = said
    assert told.startswith("WARNING: there is no checkpoint step_000002: rank 0: ")
    assert "rng/rank0.safetensors could not be written: [Errno 28] No space left on device" in told
    assert complete(session) == [1]
    assert not checkpointing.store_of(session).path(2).exists(), "it would take the room that is missing"
    steps(session, 3)
    checkpointing.save(session, HELD_OUT)
    assert complete(session) == [1, 3], "it is waited for, to know"
    checkpointing.require_written(session)


def test_a_disk_that_stays_full_ends_the_training_with_all_that_it_had(
    job: Any, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, said = begun(job, alone)
    steps(session, 1)
    checkpointing.save(session, HELD_OUT)
    checkpointing.require_written(session)
    full(monkeypatch)
    steps(session, 2)
    checkpointing.save(session, HELD_OUT)
    steps(session, 3)
    with pytest.raises(checkpointing.CheckpointNotWritten, match=r"No space left.*newest of them.*first make room"):
        checkpointing.save(session, HELD_OUT)
    assert len(said) == 2
    assert complete(session) == [1]
    assert begun(job, alone)[0].state.step == 1
