"""What adapters teach, and what they cost of what was known: a fifth colour for a model of the made world's four.

`python -m benchmarks.finetuning --base PROJECT` takes a finished project of preset `demo` or `shapes`, whose VAE and
denoiser are named in `vae.released` and `denoiser.released` of a new one; the recipe there is the real graph over clips
of orange things alone. It takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.orchestration import run
from benchmarks.report import Report
from ops.evaluation.contact_sheet import write_contact_sheet
from ops.evaluation.samples import safe_name
from ops.evaluation.truth import measures, video_row
from ops.generation.model import VideoModel
from ops.generation.parts import Parts, parts_of, parts_of_base
from ops.generation.render import render
from ops.made_world.scenes import FURTHER, Combination, held_out_combinations, shown_combinations
from ops.metrics.base import Video
from ops.runtime.artifacts import Artifact, current
from ops.runtime.mp4 import read_mp4
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.sampling.request import Request
from ops.training.results import Trained
from ops.weights.results import Weights

NEW = next(iter(FURTHER))
SHOWN = ("colour", "shape", "direction", "all")


@dataclass(frozen=True)
class Group:
    """Sentences that are asked for, under a name for people."""

    name: str
    sentences: Sequence[Combination]


GROUPS = (
    Group("four colours, held out", held_out_combinations()),
    Group(f"{NEW}, as in the clips", shown_combinations((NEW,))),
    Group(f"{NEW}, held out", held_out_combinations((NEW,))),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="a finished project of preset demo or shapes")
    parser.add_argument("--clips", type=int, default=54)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=4, help="videos of each sentence")
    parser.add_argument("--keep", type=Path, help="a folder for the videos and their contact sheets")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    with fresh_project(recipe(Project(options.base), options.clips, options.steps, options.rank, options.rate)) as made:
        report = measure(made, options.seeds, options.keep)
    report.show(Console())
    if options.write:
        report.write()


def recipe(base: Project, clips: int, steps: int, rank: int, rate: float) -> dict[str, Any]:
    """Of a project that teaches adapters the new colour, from the models of another one."""
    vae, denoiser = current(base, base.settings.vae.asset, Weights), _last_stage(base)
    schedule = {
        **{"steps": steps, "batch_size": 16, "checkpoint_every": steps, "validate_every": steps, "ema_decay": 0.95},
        "optimizer": {"learning_rate": rate, "betas": [0.9, 0.99], "weight_decay": 0.0, "decay": "cosine"},
    }
    return {
        "preset": "shapes",
        "sources": {"videos": f"made:shapes?clips={clips}&colours={NEW}"},
        "vae": {"released": str((vae.folder / vae.results.released).resolve())},
        "denoiser": {"released": str((denoiser.folder / denoiser.results.released).resolve())},
        "stages": [{"name": "mine", "kinds": ["video"], "lora": {"rank": rank, "alpha": rank}, "schedule": schedule}],
    }


def _last_stage(base: Project) -> Artifact[Trained]:
    return current(base, f"denoiser_{base.settings.stages[-1].name}", Trained)


def measure(project: Project, seeds: int, keep: Path | None = None) -> Report:
    """Train the adapters, and read the same videos without them and with them."""
    seconds = run(project, "+lora_mine")
    adapters = current(project, "lora_mine", Trained)
    folder = keep or project.var / "finetuning"
    found: dict[str, list[Row]] = {}
    for name, parts in (("before", parts_of_base(project)), ("after", parts_of(project, adapters))):
        found[name] = _videos(project, parts, folder / name, seeds)
    return report(found, adapters, _bytes(project, parts_of(project, adapters)), seconds)


def _videos(project: Project, parts: Parts, folder: Path, seeds: int) -> list[Row]:
    """A row for each sentence and seed: what the detector reads, and of which group it is."""
    shutil.rmtree(folder, ignore_errors=True)
    model, taken, rows = VideoModel(project, parts), measures(project), list[Row]()
    for group in GROUPS:
        manifest: list[Row] = []
        place = group.name.replace(", ", "-").replace(" ", "-")
        for number, each in enumerate(group.sentences):
            for seed in range(seeds):
                request = Request.of(project.settings.evaluation, each.caption, seed).checked()[0]
                file = f"{place}/{safe_name(number, each.caption)}-{seed}.mp4"
                render(model, request, folder / file)
                video = Video(read_mp4(folder / file), each.caption)
                rows.append({**video_row("samples", parts.step, file, video, taken), "group": group.name})
                manifest.append({"step": parts.step, "prompt_index": number, "prompt": each.caption, "file": file})
        write_contact_sheet(folder / f"{place}.png", folder, manifest)
    return rows


def _bytes(project: Project, parts: Parts) -> tuple[int, int]:
    """Of the adapters' file, and of their base's."""
    folders = (Path(parts.adapters[0].folder), Path(parts.denoiser))
    adapters, base = (
        sum(file.stat().st_size for file in (project.root / each).glob("*.safetensors")) for each in folders
    )
    return adapters, base


def report(found: dict[str, list[Row]], adapters: Artifact[Trained], sizes: tuple[int, int], seconds: float) -> Report:
    rows = [
        (f"{group.name}, {name} ({len(of)} videos)", *(_percent(of, word) for word in SHOWN))
        for group in GROUPS
        for name, all_of in found.items()
        for of in ([row for row in all_of if row["group"] == group.name],)
    ]
    kept, learned = _share(found, GROUPS[0]), _share(found, GROUPS[2])
    results = adapters.results
    return Report(
        "A new colour by adapters",
        f"After {results.steps} steps on clips of {NEW} things alone {learned['after']:.0%} of new sentences come out "
        f"{NEW} (before: {learned['before']:.0%}), and {kept['after']:.0%} of those of the old colours keep theirs "
        f"(before: {kept['before']:.0%}).",
        ("sentences", *SHOWN),
        rows,
        (
            "The share of videos that keep the words of their sentence, by the detector of the made world; each "
            "sentence with the same seeds before and after.",
            f"Adapters of {sizes[0] / 2**20:.2g} MiB beside weights of {sizes[1] / 2**20:.3g} MiB. Training took "
            f"{results.seconds:.0f} s, the whole `soraflow run` {seconds:.0f} s.",
        ),
    )


def _percent(rows: list[Row], word: str) -> str:
    return f"{sum(row[word] for row in rows) / len(rows):.0%}"


def _share(found: dict[str, list[Row]], group: Group, word: str = "colour") -> dict[str, float]:
    of = {name: [row[word] for row in rows if row["group"] == group.name] for name, rows in found.items()}
    return {name: sum(kept) / len(kept) for name, kept in of.items()}


if __name__ == "__main__":
    main()
