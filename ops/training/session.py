"""A training in progress on this rank: engine, average, clipping, checkpoints, and on the first rank the records."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from models import released
from ops.runtime.files import write_json
from ops.training import checkpoints
from ops.training import engine as deepspeed_engine
from ops.training.checkpoints import CheckpointStore
from ops.training.collective import from_first
from ops.training.ema import Ema
from ops.training.gradient_clipping import GradientClipping
from ops.training.incidents import write_incident, write_left_out
from ops.training.job import Job
from ops.training.left_out import LeftOut, UnusableSamples
from ops.training.method import Method, Watch
from ops.training.metrics_file import MetricsFile
from ops.training.ranks import Ranks
from ops.training.reporting import Reporter
from ops.training.results import Checkpoint, LeftOutSample, Trained

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

    from ops.training.mlflow_run import MlflowRun


@dataclass
class Records:
    """What only the first rank keeps."""

    run: MlflowRun
    metrics: MetricsFile
    reporter: Reporter


@dataclass(frozen=True)
class Batch:
    """This rank's micro-batches of a step, and the ids of the samples of all ranks.

    `unusable` are samples of this rank that could not be read, with the reason; the batch is then not whole.
    """

    sample_ids: tuple[str, ...]
    parts: list[Any]
    unusable: dict[str, str]


@dataclass
class Session:
    job: Job
    ranks: Ranks
    device: torch.device
    method: Method
    engine: DeepSpeedEngine
    ema: Ema
    clipping: GradientClipping
    left_out: LeftOut
    records: Records | None = None
    step: int = 0
    first: float | None = None
    """The held-out metric before the first step."""
    seconds_before: float = 0.0
    """Spent by the attempts that this one resumes."""
    started: float = field(default_factory=time.time)

    @property
    def store(self) -> CheckpointStore:
        return CheckpointStore(self.job.folder / "checkpoints", self._looking_at)

    @property
    def micro_batch(self) -> int:
        return self.engine.train_micro_batch_size_per_gpu()

    @property
    def first_position(self) -> int:
        """Where this rank's part of the global batch begins."""
        return self.ranks.rank * (self.job.schedule.batch_size // self.ranks.world_size)

    @property
    def positions(self) -> range:
        """This rank's places in the global batch."""
        return range(self.first_position, self.first_position + self.job.schedule.batch_size // self.ranks.world_size)

    def sample_ids(self, step: int) -> tuple[str, ...]:
        """The global batch of a step, without what is left out by now."""
        return self.method.order.batch(step, self.left_out.samples.keys())

    def read(self, step: int) -> Batch:
        ids = self.sample_ids(step)
        batch = Batch(ids, [], {})
        for start in self.positions[:: self.micro_batch]:
            try:
                batch.parts.append(self.method.read(ids[start : start + self.micro_batch]))
            except UnusableSamples as found:
                batch.unusable.update(found.reasons)
        return batch

    def leave_out(self, step: int, reasons: Mapping[str, str]) -> None:
        """Go on without these samples: note it, and say so. Every rank calls this alike.

        Raises:
            LossNotFinite: when that is too many.
        """
        before, told = len(self.left_out.samples), {**reasons}
        try:
            self.left_out.add(step, told)
        finally:
            if self.records:
                self._note_left_out(step, list(told), before)

    def _note_left_out(self, step: int, names: list[str], before: int) -> None:
        assert self.records
        at_this_step = {
            name: {**entry, "source": self.method.source(name)}
            for name, entry in self.left_out.samples.items()
            if entry["step"] == step
        }
        path = write_left_out(self.job.folder, step, at_this_step)
        for number, name in enumerate(sorted(names), start=before + 1):
            entry = at_this_step[name]
            self.say(
                f"step {step}: left out sample {name} of {entry['source']}: {entry['reason']} "
                f"({number} of at most {self.left_out.allowed}); see {path}"
            )
        self.records.run.log_file(path, "incidents")

    def watch(self, step: int) -> Watch:
        """For a validation after this step."""
        return Watch(
            frozenset(self.left_out.samples),
            lambda done, of: self.report_progress(step, f"validating: {done} of {of} batches"),
        )

    def record(self, step: int, figures: Mapping[str, float]) -> None:
        if self.records:
            self.records.metrics.write(step, figures)
            self.records.run.log(step, figures)

    def say(self, line: str) -> None:
        if self.records:
            self.records.reporter.say(line)

    def report_progress(self, step: int, note: str) -> None:
        if self.records:
            self.records.reporter.step(step, note)

    def _looking_at(self, file: str) -> None:
        self.report_progress(self.step, f"checking {file}")

    def note_incident(self, step: int, reason: str, figures: Mapping[str, float]) -> Path | None:
        if not self.records:
            return None
        path = write_incident(self.job.folder, step, reason, figures, self.sample_ids(step))
        self.records.reporter.say(f"step {step}: {reason}; see {path}")
        return path

    def draw_picture(self, step: int) -> None:
        if not self.records or step <= self.records.run.last_logged_step:
            return
        path = self.job.folder / "pictures" / f"step_{step:06d}.png"
        if self.method.picture(self.ema.module, path, lambda: self.report_progress(step, "drawing pictures")):
            self.records.run.log_picture(path, step)

    def save_checkpoint(self, held_out: Mapping[str, float]) -> None:
        """Every rank writes its shards, the first one the rest and the marker. MLflow hears of it afterwards.

        Each part is a sign of life, for a large model on a slow disk takes a while.
        """
        if self.records:
            self.records.run.flush()
            self.store.begin(self.step)
        dist.barrier()
        path = self.store.path(self.step)
        self.report_progress(self.step, "saving: the engine's shards")
        deepspeed_engine.save(self.engine, path / "deepspeed")
        save_rng(path, self.ranks.rank, self.device)
        if self.records:
            self.report_progress(self.step, "saving: weights")
            released.save_pretrained(self.engine.module, path / "model")
            self.report_progress(self.step, "saving: their average")
            released.save_pretrained(self.ema.module, path / "ema")
            self.method.save(path)
        dist.barrier()
        if self.records:
            checkpoints.seal(path, self._state(held_out), self._looking_at)
            self._register(path)
            self._prune()
        dist.barrier()

    def _state(self, held_out: Mapping[str, float]) -> dict[str, Any]:
        assert self.records
        return {
            "asset": self.job.asset,
            "fingerprint": self.job.fingerprint,
            "step": self.step,
            "world_size": self.ranks.world_size,
            "metric": held_out[self.method.metric],
            "held_out": dict(held_out),
            "first": self.first,
            "clipping": self.clipping.state(),
            "left_out": self.left_out.samples,
            "mlflow_run_id": self.records.run.run_id,
            "last_logged_step": max(self.step, self.records.run.last_logged_step),
            "seconds": self.seconds_before + time.time() - self.started,
            "dataset_version": self.job.dataset_version,
            "seed": self.job.settings.seed,
        }

    def _register(self, path: Path) -> None:
        assert self.records
        state, content = checkpoints.read_state(path), checkpoints.content_hash(path, "ema")
        self.records.run.log_checkpoint(path, state["step"], content, state["held_out"])

    def _prune(self) -> None:
        assert self.records
        best = self.store.best(self.method.higher_is_better)
        hashes = {path: checkpoints.content_hash(path, "ema") for path in self.store.complete()}
        for path in self.store.prune(self.job.schedule.keep_last, best):
            self.records.run.forget_checkpoint(hashes[path])

    def restore(self, path: Path, shards: Path) -> None:
        """Continue from a checkpoint. `shards` are its engine's, or those converted for this number of ranks."""
        state = checkpoints.read_state(path)
        if state["fingerprint"] != self.job.fingerprint:
            raise RuntimeError(
                f"{path} belongs to a training with fingerprint {state['fingerprint']}, not {self.job.fingerprint} "
                f"(its dataset version is {state['dataset_version']}, this one's {self.job.dataset_version}); "
                f"remove {self.job.folder} to train anew"
            )
        deepspeed_engine.load(self.engine, shards)
        self.ema.load(released.from_pretrained(path / "ema"))
        self.clipping.restore(state["clipping"])
        self.left_out.samples = state["left_out"]
        self.method.restore(path)
        restore_rng(path, self.ranks.rank, self.device)
        self.step, self.first, self.seconds_before = state["step"], state["first"], state["seconds"]

    def finish(self) -> Trained:
        """Register what an interrupted attempt left out, release the best, and write `results.json`."""
        assert self.records
        best = self.store.best_sound(self.method.higher_is_better)
        for path in self.store.complete():
            self._register(path)
        self.records.run.settle(lambda note: self.report_progress(self.step, note))
        state = checkpoints.read_state(best)
        model = self.records.run.log_released(best / "ema", state["step"], state["held_out"])
        results = self._results(best, model)
        write_json(self.job.folder / "results.json", results.as_json())
        self.records.reporter.message({"asset": self.job.asset, **results.as_json()})
        return results

    def _results(self, best: Path, model: str | None) -> Trained:
        assert self.records
        assert self.first is not None
        run = self.records.run
        kept = [(path, checkpoints.read_state(path)) for path in self.store.complete()]
        held_out = checkpoints.read_state(best)["held_out"]
        return Trained(
            released=(best / "ema").relative_to(self.job.folder).as_posix(),
            metric=self.method.metric,
            higher_is_better=self.method.higher_is_better,
            first=self.first,
            last=kept[-1][1]["metric"],
            best=checkpoints.read_state(best)["metric"],
            gain=held_out.get("gain"),
            gain_error=held_out.get("gain_error"),
            best_step=checkpoints.step_of(best),
            steps=self.step,
            left_out={name: LeftOutSample(**each) for name, each in self.left_out.samples.items()},
            seconds=round(self.seconds_before + time.time() - self.started, 2),
            mlflow_run_id=run.run_id,
            logged_model=model,
            dataset_version=self.job.dataset_version,
            init_from=self.job.init_from,
            checkpoints=tuple(
                Checkpoint(
                    step=state["step"],
                    folder=path.relative_to(self.job.folder).as_posix(),
                    metric=state["metric"],
                    logged_model=run.model_of(checkpoints.content_hash(path, "ema")),
                )
                for path, state in kept
            ),
        )


def save_rng(folder: Path, rank: int, device: torch.device) -> None:
    """Nothing in our own steps draws from these generators; a library that does must go on where it was."""
    from safetensors.torch import save_file

    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states["device"] = getattr(torch, device.type).get_rng_state()
    (folder / "rng").mkdir(exist_ok=True)
    save_file(states, folder / "rng" / f"rank{rank}.safetensors")


def restore_rng(folder: Path, rank: int, device: torch.device) -> None:
    from safetensors.torch import load_file

    path = folder / "rng" / f"rank{rank}.safetensors"
    if not path.is_file():
        print(f"{folder} has no generator state of rank {rank}: there were fewer ranks", file=sys.stderr)
        return
    states = load_file(path)
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and "device" in states:
        getattr(torch, device.type).set_rng_state(states["device"])


def agreed_start(
    store: CheckpointStore, ranks: Ranks, converted: Path, underway: Callable[[str], None]
) -> tuple[Path, Path, bool] | None:
    """The checkpoint that all ranks resume from, where its shards lie, and whether they are in universal form.

    The first rank looks, and converts the shards when they were written by another number of ranks; `underway` is told.
    """
    start: tuple[Path, Path, bool] | None = None
    if ranks.first and (newest := store.newest_sound()):
        before = checkpoints.read_state(newest)["world_size"]
        start = (newest, newest / "deepspeed", False)
        if before != ranks.world_size:
            print(f"converting {newest} from {before} to {ranks.world_size} ranks", flush=True)
            underway("converting a checkpoint")
            deepspeed_engine.convert(newest / "deepspeed", converted)
            start = (newest, converted, True)
    return from_first(start)
