from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.store import CheckpointStore, CorruptCheckpoint


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Checkpoints of steps 10, 20, 30."""
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (10, 20, 30):
        write(store, step)
    return store


def write(store: CheckpointStore, step: int) -> Path:
    path = store.begin(step)
    listing = checkpoints.write(path, {"ema/weights": lambda file: file.write_text(f"weights of {step}")})
    checkpoints.seal(path, {"step": step, "metric": float(step)}, listing)
    return path


def test_the_newest_sound_one_is_found(store: CheckpointStore) -> None:
    assert store.newest_sound() == store.path(30)
    assert checkpoints.read_state(store.path(30)) == {"step": 30, "metric": 30.0}


def test_reading_a_large_one_is_no_silence(store: CheckpointStore) -> None:
    looked_at: list[str] = []
    assert CheckpointStore(store.folder, looked_at.append).newest_sound() == store.path(30)
    assert looked_at == ["ema/weights", "state.json"]


def test_what_several_ranks_have_written_is_sealed_by_what_each_says(store: CheckpointStore) -> None:
    """Nobody reads what another has written; a file that nobody has listed, or that was cut, is seen all the same."""
    path = store.begin(40)
    ranks = [checkpoints.write(path, {f"rank{n}": lambda file, n=n: file.write_text(str(n))}) for n in range(3)]
    both = {**ranks[0], **ranks[1]}
    with pytest.raises(CorruptCheckpoint, match=r"look at rank2$"):
        checkpoints.seal(path, {"step": 40}, both)
    (path / "rank2").write_text("short of a byte")
    with pytest.raises(CorruptCheckpoint, match=r"look at rank2$"):
        checkpoints.seal(path, {"step": 40}, {**both, **ranks[2]}, patience=0)
    assert path not in store.complete()
    threading.Timer(0.5, (path / "rank2").write_text, "2").start()
    checkpoints.seal(path, {"step": 40}, {**both, **ranks[2]})  # of another node, whose disk shows it late
    checkpoints.verify(path)


def test_what_the_disk_does_not_take_is_named(store: CheckpointStore) -> None:
    """Through the libraries, which say it in words of their own."""
    full = Path("/dev/full")
    for name, write_it in {
        "plain": lambda file: full.write_text("x", encoding="utf-8"),
        "torch": lambda file: torch.save(torch.zeros(9), full),
        "safetensors": lambda file: save_file({"a": torch.zeros(9)}, file / "no folder"),
    }.items():
        with pytest.raises(OSError, match=f"step_000040/{name} could not be written: "):
            checkpoints.write(store.begin(40), {name: write_it})


def test_an_interrupted_one_of_a_step_that_may_never_come_again_is_removed(store: CheckpointStore) -> None:
    (store.path(25) / "deepspeed").mkdir(parents=True)
    (store.path(20) / "COMPLETE").rename(store.path(20) / "CORRUPT")
    assert store.prune(keep_last=9, best=None) == []
    assert not store.path(25).exists()
    assert store.path(20).exists(), "somebody may want to look at it"


def test_one_without_its_marker_does_not_exist(store: CheckpointStore) -> None:
    (store.path(30) / "COMPLETE").unlink()
    assert store.newest_sound() == store.path(20)
    assert [checkpoints.step_of(path) for path in store.complete()] == [10, 20]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda path: (path / "ema" / "weights").write_text("weights of 31"),
            "content of ema/weights has changed",
        ),
        (lambda path: (path / "ema" / "weights").write_text("short"), "has 5 bytes, not 13"),
        (lambda path: (path / "ema" / "weights").unlink(), "ema/weights is missing"),
        (lambda path: (path / "COMPLETE").write_text(""), "COMPLETE is unreadable"),
        (lambda path: (path / "COMPLETE").write_text("{}"), "COMPLETE is unreadable"),
        (lambda path: (path / "COMPLETE").write_text('{"files": {}}'), "does not list state.json"),
    ],
)
def test_a_corrupt_one_is_passed_over_loudly(
    store: CheckpointStore, capsys: pytest.CaptureFixture[str], damage, words: str
) -> None:
    damage(store.path(30))
    assert store.newest_sound() == store.path(20)
    said = capsys.readouterr().err
    assert "WARNING" in said
    assert words in said


def test_a_corrupt_one_is_not_looked_at_again(store: CheckpointStore) -> None:
    (store.path(30) / "state.json").write_text("not JSON any more")
    store.newest_sound()
    assert store.best(higher_is_better=True) == store.path(20)
    assert [checkpoints.step_of(path) for path in store.complete()] == [10, 20]


def test_an_old_one_whose_state_is_lost_is_put_aside_when_the_best_is_sought(store: CheckpointStore) -> None:
    (store.path(10) / "state.json").write_text("not JSON any more")
    assert store.best(higher_is_better=False) == store.path(20)


def test_the_best_is_released_only_if_it_is_whole(store: CheckpointStore) -> None:
    assert store.best_sound(higher_is_better=False) == store.path(10)
    (store.path(10) / "ema" / "weights").write_text("weights of 11")
    assert store.best_sound(higher_is_better=False) == store.path(20)


def test_none_is_left(store: CheckpointStore, tmp_path: Path) -> None:
    for path in store.complete():
        (path / "state.json").write_text("{}")
    assert store.newest_sound() is None
    assert CheckpointStore(tmp_path / "nothing").newest_sound() is None


def test_beginning_anew_removes_the_interrupted_attempt(store: CheckpointStore) -> None:
    (store.path(40) / "deepspeed").mkdir(parents=True)
    (store.path(40) / "deepspeed" / "half").write_text("x")
    path = write(store, 40)
    assert "deepspeed/half" not in json.loads((path / "COMPLETE").read_text())["files"]


def test_pruning_keeps_the_last_and_the_best(store: CheckpointStore) -> None:
    write(store, 40)
    removed = store.prune(keep_last=2, best=store.path(10))
    assert removed == [store.path(20)]
    assert store.complete() == [store.path(10), store.path(30), store.path(40)]


def test_the_content_hash_sees_one_part_only(store: CheckpointStore) -> None:
    first = checkpoints.content_hash(store.path(10), "ema")
    assert first != checkpoints.content_hash(store.path(20), "ema")
    path = store.begin(10)
    files = {"ema/weights": "weights of 10", "other": "x"}
    listing = checkpoints.write(
        path, {name: lambda file, text=text: file.write_text(text) for name, text in files.items()}
    )
    checkpoints.seal(path, {"step": 10, "metric": 3.0}, listing)
    assert checkpoints.content_hash(path, "ema") == first
