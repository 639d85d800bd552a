"""Models as trainings and evaluations leave them, without a step trained: checkpoints with sampled videos whose scores
are said beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ops.evaluation import samples, truth
from ops.evaluation.protocol import Protocol, Score
from ops.evaluation.samples import SamplesResults
from ops.evaluation.truth import MeasureScore, TruthResults
from ops.generation.parts import Parts
from ops.metrics.truth import MEASURES
from ops.release.registry import PARTS, SCORES, Version
from ops.runtime import tables
from ops.runtime.artifacts import Identity, Work
from ops.runtime.files import sha256, write_json
from ops.runtime.mp4 import write_mp4
from ops.runtime.project import Project
from ops.statistics.bootstrap import mean_interval
from ops.training.results import Checkpoint, Trained

STAGE = "denoiser_video"
Kept = Mapping[tuple[str, int], bool]
"""(prompt, seed) → whether the video keeps its prompt."""


class Made(Identity):
    number: int


class MadeModels:
    """Models of one project, each of one checkpoint; `fps` is a term of their samples' protocol."""

    def __init__(self, project: Project, with_videos: bool = False) -> None:
        self.project, self._with_videos = project, with_videos

    def make(self, number: int, kept: Kept, fps: int = 8, learning_rate: float = 1e-3, dataset: str = "d1") -> Version:
        """A model with its training, samples and truth; returns the version that a release would make of it."""
        step, trained = 10 * number, self._train(number, learning_rate, dataset)
        protocol = Protocol("t2v-custom/v1", {"fps": fps, "steps": 2})
        self._sample(number, step, trained, kept, protocol)
        values = [float(each) for each in kept.values()]
        score = Score("truth_all", sum(values) / len(values), Protocol("made-world/v1", protocol.terms), True)
        parts = Parts(
            denoiser=f"var/artifacts/{STAGE}/{number}/checkpoints/step_{step:06d}/ema",
            denoiser_asset=STAGE,
            denoiser_version=trained,
            step=step,
            vae="vae",
            vae_asset="wfvae",
            vae_version="v",
            latents_version="l",
            shift=(0.0,),
            scale=(1.0,),
            text_encoder="minilm-l6",
            text_encoder_version="t",
            max_tokens=8,
        )
        tags = {PARTS: parts.as_json(), SCORES: json.dumps([score.as_json()])}
        return Version("soraflow", number, (), tags, f"m-{number}", None, 0)

    def _train(self, number: int, learning_rate: float, dataset: str) -> str:
        work = Work(self.project, STAGE, {"latents": "l"}, Made(number=number), Trained)
        settings: dict[str, Any] = self.project.settings.model_dump(mode="json")
        for stage in settings["stages"]:
            if stage["name"] == "video":
                stage["schedule"]["optimizer"]["learning_rate"] = learning_rate
        write_json(work.folder / "job.json", {"settings": settings})
        lines = [{"step": step, "loss": 1 / (step + number), "held_out_loss": 2 / (step + 1)} for step in range(30)]
        (work.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        step = 10 * number
        kept = Checkpoint(step=step, folder=f"checkpoints/step_{step:06d}", metric=0.5 / number, logged_model=None)
        results = Trained(
            released=f"{kept.folder}/ema",
            metric="held_out_loss",
            higher_is_better=False,
            first=1.0,
            last=kept.metric,
            best=kept.metric,
            best_step=step,
            steps=step,
            left_out={},
            seconds=1.0,
            mlflow_run_id=f"run{number}",
            logged_model=None,
            dataset_version=dataset,
            init_from=None,
            checkpoints=(kept,),
        )
        return work.finish(f"trained {number}", results).version

    def _sample(self, number: int, step: int, trained: str, kept: Kept, protocol: Protocol) -> None:
        work = Work(self.project, samples.ASSET, {STAGE: trained}, Made(number=number), SamplesResults)
        prompts = list(dict.fromkeys(prompt for prompt, _ in kept))
        manifest, videos = [], []
        for (prompt, seed), right in kept.items():
            file = f"step_{step:06d}/{prompts.index(prompt):02d}-{seed}.mp4"
            content = f"{number} {prompt} {seed}"
            if self._with_videos:
                shade = np.full((3, 32, 32, 3), [60 * number, 200 if right else 20, 8 * len(manifest) + 8], np.uint8)
                write_mp4(work.folder / file, shade, 8)
                content = sha256(work.folder / file)
            row = {"step": step, "prompt_index": prompts.index(prompt), "prompt": prompt, "seed": seed, "file": file}
            manifest.append({**row, "sha256": content, "frames": 3})
            told = dict.fromkeys(MEASURES, right)
            videos.append({"of": "samples", "step": step, "file": file, "prompt": prompt, "seen": None, **told})
        tables.write(work.folder / "manifest.parquet", manifest, samples.MANIFEST)
        found = SamplesResults(
            steps=(step,),
            best_step=step,
            videos=len(manifest),
            protocol=protocol.id,
            protocol_terms=protocol,
            notes=(),
        )
        self._judge(work.finish(f"samples {number}", found).version, number, step, videos, protocol)

    def _judge(self, of: str, number: int, step: int, videos: list[dict[str, Any]], made: Protocol) -> None:
        work = Work(self.project, truth.ASSET, {"samples": of}, Made(number=number), TruthResults)
        tables.write(work.folder / "videos.parquet", videos, truth.VIDEOS)
        interval = mean_interval([float(row["all"]) for row in videos])
        figures = {"share": interval.mean, "low": interval.low, "high": interval.high, "videos": interval.count}
        scores = tuple(MeasureScore(step=step, measure=each, chance=None, **figures) for each in MEASURES)
        protocol = Protocol("made-world/v1", made.terms)
        found = TruthResults(
            scores=scores,
            best=scores,
            shuffled={},
            reconstruction={},
            videos=len(videos),
            protocol=protocol.id,
            protocol_terms=protocol,
        )
        work.finish(f"truth {number}", found)


def kept_by(share: float, prompts: int = 12, seeds: int = 2, start: int = 0) -> dict[tuple[str, int], bool]:
    """Videos of which the first so many prompts, from `start` on, are kept, with all of their seeds."""
    right = round(share * prompts)
    return {
        (f"prompt {prompt}", seed): (prompt - start) % prompts < right
        for prompt in range(prompts)
        for seed in range(seeds)
    }
