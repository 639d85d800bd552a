"""Training step: the DeepSpeed program over a bare PyTorch loop of the same model, batches and loss.

`python -m benchmarks.training_step` measures WF-VAE and the denoiser of preset `demo` (`--steps N`, 40 by default).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks.fresh_project import CHECKOUT, fresh_project
from benchmarks.report import Report
from ops.data import dvc
from ops.data.latent_making import make_latents
from ops.data.text_embeddings import make_text
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training import assets
from ops.training.launching import launch
from ops.training.launching.launch import Command
from ops.training.trainings import trainings

PROGRAM, FILE = "benchmarks.alternating_training", "alternating.json"
STEPS_DEFAULT = 40
CLIPS = 60
WARM_UP = 5
"""Steps that are left out, though never more than half: the first ones allocate memory."""


@dataclass(frozen=True)
class Figures:
    """Seconds of each step of the program, of each whole turn of its loop, and of each bare step."""

    step: list[float]
    turn: list[float]
    bare: list[float]

    def median(self, name: str) -> float:
        return statistics.median(self._settled(getattr(self, name)))

    @property
    def ratio(self) -> float:
        """The median over steps of turn / bare step on the same batch: batches of images and of videos differ."""
        return statistics.median(
            turn / bare for turn, bare in self._settled(list(zip(self.turn, self.bare, strict=True)))
        )

    def _settled(self, values: list[Any]) -> list[Any]:
        return values[min(WARM_UP, len(values) // 2) :]


def measure(train: Callable[[Callable[[Command], None]], Any]) -> Figures:
    """Train with the program that alternates. `train` takes a launch function, as `assets.train` does."""
    folders: list[Path] = []

    def alternating(command: Command) -> None:
        folders.append(command.logs.parent)
        argv = [PROGRAM if word.startswith("ops.training.") else word for word in command.argv]
        launch.run(replace(command, argv=argv).with_environment({"PYTHONPATH": str(CHECKOUT)}))

    train(alternating)
    return Figures(**json.loads((folders[0] / FILE).read_text(encoding="utf-8")))


def recipe(steps: int) -> dict[str, Any]:
    """One rank of the preset `demo`, on clips of the made world alone: each training has the batch of one of its ranks
    and `steps` steps, and is validated only in the end."""
    demo = yaml.safe_load((CHECKOUT / "configs" / "demo.yaml").read_text(encoding="utf-8"))
    ranks = demo["launch"]["ranks_per_node"]

    def short(schedule: dict[str, Any]) -> dict[str, Any]:
        batch = schedule["batch_size"] // ranks
        return {**schedule, "steps": steps, "checkpoint_every": steps, "validate_every": steps, "batch_size": batch}

    stage = demo["stages"][-1]
    return {
        "preset": "demo",
        "sources": {"videos": [f"made:shapes?clips={CLIPS}"], "images": []},
        "vae": {"schedule": short(demo["vae"]["schedule"])},
        "stages": [{**stage, "schedule": short(stage["schedule"])}],
        "launch": {"ranks_per_node": 1},
    }


def measure_both(steps: int) -> dict[str, Figures]:
    with fresh_project(recipe(steps)) as project:
        _make_training_set(project)
        vae_asset, stage, *_ = trainings(project.settings)
        vae = measure(lambda start: assets.train(project, vae_asset, start))
        make_latents(project)
        make_text(project)
        return {"WF-VAE": vae, "denoiser": measure(lambda start: assets.train(project, stage, start))}


def _make_training_set(project: Project) -> None:
    for name in STEPS:
        if name != "dataset_report":
            dvc.materialise(project, name)


def report(found: dict[str, Figures]) -> Report:
    rows = [
        (name, *(f"{figures.median(each):.3f}" for each in ("bare", "step", "turn")), f"{figures.ratio:.2f}")
        for name, figures in found.items()
    ]
    ratios = " and ".join(f"{figures.ratio:.2f} ({name})" for name, figures in found.items())
    steps = min(len(figures.bare) for figures in found.values()) - WARM_UP
    return Report(
        "Training step",
        f"A turn of the DeepSpeed program's loop takes {ratios} times a step of a bare PyTorch loop.",
        ("model", "bare step, s", "program: step, s", "program: whole turn, s", "ratio"),
        rows,
        (
            f"Medians of {steps} steps; program and bare loop alternate on the same batches in one process, and a "
            "ratio is taken for each batch. Preset `demo`, of whose two ranks this is one with its share of the batch; "
            "clips of the made world, float32, no adversarial loss.",
            "A step holds ZeRO, clipping by running statistics and the figures for the log. A turn adds the average of "
            "the weights, waiting for the next batch, and records in the log, the loss curve and MLflow.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS_DEFAULT)
    console = Console()
    with console.status("training"):
        found = measure_both(parser.parse_args().steps)
    result = report(found)
    result.show(console)
    result.write()


if __name__ == "__main__":
    main()
