"""The steps that make the dataset: what each is made from, the settings that it reads, and what it writes.

Dagster's assets and the stages of `dvc.yaml` are both drawn from this table, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ops.runtime.project import Project

SETTINGS_FILE = "data/settings.yaml"
"""The resolved settings. DVC watches values here, because `params.yaml` holds only what differs from its preset."""


@dataclass(frozen=True)
class Step:
    """A function `(project) -> None` that reads the outputs of `inputs` and writes `output`.

    `function` is an import path, `settings` are keys of the resolved settings such as `curation.rules.motion`, and
    `output` is a path under the project's folder.
    """

    name: str
    function: str
    inputs: tuple[str, ...]
    settings: tuple[str, ...]
    output: str

    @property
    def command(self) -> str:
        return f"python -m ops {self.name}"

    def load(self) -> Callable[[Project], None]:
        """Import the function, which may take seconds."""
        module, _, function = self.function.partition(":")
        return getattr(import_module(module), function)


_SHOWN = ("shots", "shot_boundaries", "text_crop", "aesthetics", "technical_quality", "safety", "rules", "images")
_CAPTION_SETTINGS = (
    *("captioner", "model", "prompt", "image_prompt", "text_prompt", "keep_given"),
    *("frames", "side", "max_tokens", "local.dtype"),
)
"""Not where the endpoint is, nor how patiently it is asked."""


def _curation(name: str, inputs: tuple[str, ...], settings: tuple[str, ...]) -> Step:
    settings = tuple(key if key.startswith("sources.") else f"curation.{key}" for key in settings)
    return Step(name, f"ops.curation.steps.{name}:{name}", inputs, settings, f"data/{name}.parquet")


_STEPS = (
    _curation("raw_videos", (), ("sources.videos", "sources.captions", "exclude_licences", "exclude_videos")),
    _curation("clips", ("raw_videos",), ("clips",)),
    _curation("shots", ("clips",), ("shots", "shot_boundaries", "sampling", "hardware_decoding")),
    _curation("motion", ("shots",), ("rules.motion", "shots", "sampling")),
    _curation("text_crop", ("motion",), ("text_crop", "rules.central_text", "sampling")),
    _curation("aesthetics", ("text_crop",), ("aesthetics", "rules.aesthetic", "sampling")),
    _curation("technical_quality", ("aesthetics",), ("technical_quality", "rules.technical", "sampling")),
    _curation("safety", ("technical_quality",), ("safety", "rules.safety", "sampling")),
    _curation("motion_recheck", ("safety",), ("rules.motion_cropped", "shots", "sampling")),
    _curation("near_duplicates", ("motion_recheck",), ("near_duplicates", "sampling")),
    _curation("curated_clips", ("near_duplicates",), ()),
    _curation("raw_images", (), ("sources.images", "sources.captions", "exclude_licences")),
    _curation(
        "curated_images",
        ("raw_images",),
        (
            *("images", "aesthetics", "technical_quality", "rules.aesthetic", "rules.technical"),
            *("safety", "rules.safety", "near_duplicates", "sampling"),
        ),
    ),
    Step(
        "captions",
        "ops.data.captions:captions",
        ("raw_videos", "curated_clips", "curated_images"),
        (*(f"captions.{key}" for key in _CAPTION_SETTINGS), "seed"),
        "data/captions.parquet",
    ),
    Step(
        "training_set",
        "ops.data.training_set:training_set",
        ("curated_clips", "curated_images", "captions"),
        ("dataset", "seed", *(f"text_encoder.{key}" for key in ("weights", "clean_captions", "min_readable_share"))),
        "data/training_set",
    ),
    Step(
        "dataset_report",
        "ops.reports.dataset_report:dataset_report",
        ("raw_videos", "clips", "curated_clips", "raw_images", "curated_images", "captions", "training_set"),
        (*(f"curation.{key}" for key in _SHOWN), "dataset"),
        "data/dataset_report",
    ),
)
STEPS = {step.name: step for step in _STEPS}
"""Every dataset step by name, each after what it is made from."""
CLIP_STEPS = tuple(STEPS)[: tuple(STEPS).index("curated_clips") + 1]
"""Those of videos, from `raw_videos` to `curated_clips`."""

METRICS = ("data/dataset_report/metrics.json",)
"""What `dvc metrics show` and `dvc exp show` compare."""
PLOTS = tuple(f"data/dataset_report/{name}.png" for name in ("funnel", "histograms", "samples", "rejected"))
"""What `dvc plots show` and `dvc plots diff` put side by side."""

SETTINGS = Step("settings", "ops.data.resolved_settings:settings", (), (), SETTINGS_FILE)
"""Comes before all steps: it lays the resolved settings where DVC can watch them."""


def pipeline() -> dict[str, Any]:
    """What `dvc.yaml` must hold."""
    stages: dict[str, Any] = {
        "settings": {
            "cmd": SETTINGS.command,
            "deps": ["params.yaml", "configs"],
            "outs": [SETTINGS.output],
        }
    }
    for step in STEPS.values():
        stage: dict[str, Any] = {"cmd": step.command}
        if step.inputs:
            stage["deps"] = [STEPS[name].output for name in step.inputs]
        if step.settings:
            stage["params"] = [{SETTINGS_FILE: list(step.settings)}]
        stages[step.name] = {**stage, "outs": [step.output]}
    return {"stages": stages, "metrics": list(METRICS), "plots": list(PLOTS)}


class UnknownStep(ValueError):
    """A name that no dataset step has; the message lists those that exist."""


def step(name: str) -> Step:
    if name == SETTINGS.name:
        return SETTINGS
    if name not in STEPS:
        raise UnknownStep(f"unknown step '{name}'; the steps are: {', '.join([SETTINGS.name, *STEPS])}")
    return STEPS[name]
