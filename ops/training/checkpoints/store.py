"""Checkpoints on disk. One exists when its `COMPLETE` does, and is sound when its files are those that COMPLETE lists.

checkpoints/step_000100/
    deepspeed/    the engine's shards: weights, optimizer
    model/ ema/   the released form (config.json and safetensors) of the weights and of their average
    rng/          one generator state a rank
    state.json    step, clipping, MLflow run, metric, …
    COMPLETE      {"files": {path: {"bytes": …, "sha256": …}}}, written last

Each rank writes files of its own, brings them to the disk and hashes them; the first one collects what all have
written and writes state.json and COMPLETE.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

from safetensors import SafetensorError

from ops.runtime.files import digest, sha256, sync_folder, write_json
from ops.training.checkpoints.shard_layout import ShardLayout
from ops.training.clipping.rule import ClippingState
from ops.training.data.left_out import Absence
from ops.weights.content import SEALED

Files: TypeAlias = dict[str, Callable[[Path], object]]
"""Files of a checkpoint, by their path in it, each with what writes it to where it is told."""

SHARDS = "deepspeed"
MARKER = SEALED
CORRUPT = "CORRUPT"
"""What a marker is renamed to when the files are found not to be those that it lists."""
SECONDS_OF_A_SHARED_DISK = 90.0
"""After which what one node has written is seen by another: NFS keeps what it knows of a folder for up to a minute."""


class CheckpointState(TypedDict):
    """`state.json`: how far a training was, and what it had found."""

    asset: str
    fingerprint: str
    step: int
    world_size: int
    layout: NotRequired[ShardLayout]
    """Of the engine's shards; missing in checkpoints from before there was more than one for a number of ranks."""
    metric: float
    """The one of `held_out` by which the best checkpoint is chosen."""
    held_out: dict[str, float]
    first: float | None
    """The metric before the first step."""
    clipping: ClippingState
    left_out: dict[str, Absence]
    mlflow_run_id: str | None
    last_logged_step: int
    seconds: float
    """That all attempts took so far."""
    dataset_version: str
    seed: int


class Listed(TypedDict):
    """A file of a complete checkpoint."""

    bytes: int
    sha256: str


class Abandoned(RuntimeError):
    """A checkpoint that is not written to its end, because nobody waits for it any more."""


class CorruptCheckpoint(RuntimeError):
    """A checkpoint whose files are not the ones that were written; the message says which and how."""


class CheckpointStore:
    """The checkpoints of one training, newest last.

    `looking` is told each file that is read whole, for a large one takes a while.
    """

    def __init__(self, folder: Path, looking: Callable[[str], None] = lambda _: None) -> None:
        self.folder, self._looking = folder, looking

    def path(self, step: int) -> Path:
        return self.folder / f"step_{step:06d}"

    def complete(self) -> list[Path]:
        """Folders that have their marker, in order of step. Their content is not looked at."""
        found = [path for path in self.folder.glob("step_*") if (path / MARKER).is_file()]
        return sorted(found, key=step_of)

    def begin(self, step: int) -> Path:
        """An empty folder for a new checkpoint; what an interrupted attempt left there is removed."""
        path = self.path(step)
        remove(path)
        path.mkdir(parents=True)
        return path

    def newest_sound(self) -> Path | None:
        """The newest checkpoint whose files are whole. Broken ones are put aside, loudly."""
        return next(iter(self._sound(reversed(self.complete()))), None)

    def best_sound(self, higher_is_better: bool) -> Path:
        """The one with the best `metric` among those whose files are whole, the earliest among equals.

        Raises:
            CorruptCheckpoint: when none is whole.
        """
        for path in self._sound(self._by_metric(higher_is_better)):
            return path
        raise CorruptCheckpoint(f"{self.folder} holds no sound checkpoint")

    def best(self, higher_is_better: bool) -> Path:
        """The same without reading the files."""
        return self._by_metric(higher_is_better)[0]

    def _by_metric(self, higher_is_better: bool) -> list[Path]:
        metrics = {path: read_state(path)["metric"] for path in self.complete() if self._intact(path, read_state)}
        return sorted(metrics, key=lambda path: -metrics[path] if higher_is_better else metrics[path])

    def _sound(self, paths: Iterable[Path]) -> Iterator[Path]:
        return (path for path in paths if self._intact(path, lambda path: verify(path, self._looking)))

    @staticmethod
    def _intact(path: Path, look: Callable[[Path], object]) -> bool:
        try:
            look(path)
        except CorruptCheckpoint as error:
            print(f"WARNING: {error}; falling back to another checkpoint", file=sys.stderr, flush=True)
            (path / MARKER).rename(path / CORRUPT)
            return False
        return True

    def prune(self, keep_last: int, best: Path | None) -> list[Path]:
        """Remove all but the last `keep_last` and the best one, and what was never complete. Returns what was complete.

        Not to be called while one is being written.
        """
        old = [path for path in self.complete()[:-keep_last] if path != best]
        for path in (*old, *self._unfinished()):
            remove(path)
        return old

    def _unfinished(self) -> Iterator[Path]:
        """What died while it was written; at a step to which a training of another schedule may never come again."""
        for path in self.folder.glob("step_*"):
            if not (path / MARKER).is_file() and not (path / CORRUPT).is_file():
                yield path


def step_of(path: Path) -> int:
    return int(path.name.removeprefix("step_"))


def write(path: Path, files: Files, going_on: Callable[[str], bool] = lambda _: True) -> dict[str, Listed]:
    """Write files of a checkpoint and bring them to the disk; returns what the marker is to say of them.

    `files` is emptied on the way, for each holds a copy of what it writes. `going_on` is told each before it is
    written, and may say that it is not worth it any more.

    Raises:
        OSError: the disk took less than all; with the name of the file.
        Abandoned: `going_on` said no.
    """
    listing: dict[str, Listed] = {}
    while files:
        name = next(iter(files))
        if not going_on(name):
            raise Abandoned(f"{path / name} is not written: the training has ended")
        listing[name] = _write_one(path / name, files.pop(name))
    for folder in {file.parent for file in map(path.joinpath, listing)}:
        sync_folder(folder)
    return listing


def _write_one(file: Path, write: Callable[[Path], object]) -> Listed:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        permissions = stat.S_IMODE(file.stat().st_mode)  # those of any new file, by umask
        write(file)
        file.chmod(permissions)  # safetensors makes files private
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        return {"bytes": file.stat().st_size, "sha256": sha256(file)}
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap what the system says
        raise OSError(f"{file} could not be written: {error}") from error


def seal(
    path: Path, state: CheckpointState, listing: Mapping[str, Listed], patience: float = SECONDS_OF_A_SHARED_DISK
) -> None:
    """Write `state.json` and declare the checkpoint complete, of the files that all ranks have written; those of other
    nodes are waited for.

    Raises:
        CorruptCheckpoint: files are there that nobody has listed, or after `patience` seconds not yet those that were.
    """
    written = {name: file["bytes"] for name, file in listing.items()}
    deadline = time.monotonic() + patience
    while (found := _sizes(path)) != written and found.keys() <= written.keys() and time.monotonic() < deadline:
        time.sleep(1.0)
    if odd := sorted(name for name in found.keys() | written.keys() if found.get(name) != written.get(name)):
        raise CorruptCheckpoint(f"{path} does not hold what was written into it; look at {', '.join(odd)}")
    everything = {**listing, **write(path, {"state.json": lambda file: write_json(file, state)})}
    sync_folder(path)
    write_json(path / MARKER, {"files": everything})
    sync_folder(path.parent)


def _sizes(path: Path) -> dict[str, int]:
    return {file.relative_to(path).as_posix(): file.stat().st_size for file in path.rglob("*") if file.is_file()}


def listed(path: Path) -> dict[str, Listed]:
    """The files of a complete checkpoint with their sizes and hashes."""
    try:
        files: dict[str, Listed] = json.loads((path / MARKER).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptCheckpoint(f"{path / MARKER} is unreadable ({error})") from error
    if not isinstance(files, dict) or "state.json" not in files:
        raise CorruptCheckpoint(f"{path / MARKER} does not list state.json")
    return files


def verify(path: Path, looking: Callable[[str], None] = lambda _: None) -> None:
    """Compare every file with the marker's list; `looking` as in `CheckpointStore`.

    Raises:
        CorruptCheckpoint: naming the first file that differs.
    """
    for name, expected in listed(path).items():
        file = path / name
        if not file.is_file():
            raise CorruptCheckpoint(f"checkpoint {path} is corrupt: {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            size = file.stat().st_size
            raise CorruptCheckpoint(f"checkpoint {path} is corrupt: {name} has {size} bytes, not {expected['bytes']}")
        looking(name)
        if sha256(file) != expected["sha256"]:
            raise CorruptCheckpoint(f"checkpoint {path} is corrupt: the content of {name} has changed")


def content_hash(path: Path, part: str) -> str:
    """A hash of the files under one folder of a complete checkpoint, such as `ema`."""
    return digest({name: file["sha256"] for name, file in listed(path).items() if name.startswith(f"{part}/")})


def read_state(path: Path) -> CheckpointState:
    try:
        state: CheckpointState = json.loads((path / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptCheckpoint(f"checkpoint {path} is corrupt: state.json is unreadable ({error})") from error
    return state


def layout_of(path: Path, now: ShardLayout) -> ShardLayout:
    """How its shards lie. An old checkpoint that does not say is as the engine's `now`, on the ranks of then."""
    state = read_state(path)
    of_then: ShardLayout = {**now, "world_size": state["world_size"], "apart": False}
    return state.get("layout", of_then)


def remove(path: Path) -> None:
    """Remove a checkpoint, its marker first, so that it is never complete with half its files."""
    (path / MARKER).unlink(missing_ok=True)
    if path.exists():
        shutil.rmtree(path)
