from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.training.checkpoints import store as checkpoints
from ops.training.checkpoints.store import CheckpointStore


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Checkpoints of steps 10, 20, 30."""
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (10, 20, 30):
        write(store, step)
    return store


def write(store: CheckpointStore, step: int) -> Path:
    path = store.begin(step)
    (path / "ema").mkdir()
    (path / "ema" / "weights").write_text(f"weights of {step}")
    checkpoints.seal(path, {"step": step, "metric": float(step)})
    return path


def test_the_newest_sound_one_is_found(store: CheckpointStore) -> None:
    assert store.newest_sound() == store.path(30)
    assert checkpoints.read_state(store.path(30)) == {"step": 30, "metric": 30.0}


def test_writing_and_reading_a_large_one_is_no_silence(store: CheckpointStore) -> None:
    looked_at: list[str] = []
    path = store.begin(40)
    (path / "weights").touch()
    checkpoints.seal(path, {"step": 40}, looked_at.append)
    assert looked_at == ["state.json", "weights"]
    looked_at.clear()
    assert CheckpointStore(store.folder, looked_at.append).newest_sound() == path
    assert looked_at == ["state.json", "weights"]


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
    (path / "ema").mkdir()
    (path / "ema" / "weights").write_text("weights of 10")
    (path / "other").write_text("x")
    checkpoints.seal(path, {"step": 10, "metric": 3.0})
    assert checkpoints.content_hash(path, "ema") == first
