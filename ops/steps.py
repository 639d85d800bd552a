"""The steps that make the dataset: what each is made from, the settings that it reads, and what it writes.

Dagster's assets and the stages of `dvc.yaml` are both drawn from this table, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from ops.catalogue import CLIP_STEPS as CLIP_DECLARATIONS
from ops.catalogue import PICTURE_STEPS, CurationStep
from ops.runtime.project import Project

SETTINGS_FILE = "data/settings.yaml"
"""The resolved settings. DVC watches values here, because `params.yaml` holds only what differs from its preset."""


@dataclass(frozen=True)
class Step:
    """A function `(project) -> None` that reads the outputs of `inputs` and writes `output`.

    `function` is an import path, `settings` are keys of the resolved settings such as `curation.rules.motion`, and
    `output` is a path under the project's folder. The function of a step of curation is called with its `declaration`,
    too.
    """

    name: str
    function: str
    inputs: tuple[str, ...]
    settings: tuple[str, ...]
    output: str
    description: str = ""
    """On the page of the asset."""
    declaration: CurationStep | None = None

    @property
    def command(self) -> str:
        return f"python -m ops {self.name}"

    def load(self) -> Callable[[Project], None]:
        """Import the function, which may take seconds."""
        module, _, name = self.function.partition(":")
        function: Callable[..., None] = getattr(import_module(module), name)
        return function if self.declaration is None else partial(function, step=self.declaration)


_CAPTION_SETTINGS = (
    *("captioner", "model", "prompt", "image_prompt", "text_prompt", "keep_given"),
    *("frames", "side", "max_tokens", "local.dtype"),
)
"""Not where the endpoint is, nor how patiently it is asked."""


def _curation(declared: CurationStep) -> Step:
    settings = tuple(key if key.startswith("sources.") else f"curation.{key}" for key in declared.settings)
    inputs = () if declared.made_from is None else (declared.made_from,)
    table = declared.table
    return Step(declared.name, declared.body, inputs, settings, table.path, declared.description, declared)


def _shown() -> tuple[str, ...]:
    """The sections of the recipe whose scores the dataset report shows: those that measure numbers."""
    shown = [
        key
        for step in CLIP_DECLARATIONS
        if any(column.scored_by and column.type in (float, list[float]) for column in step.columns)
        for key in step.settings
        if key in {measure.section for each in CLIP_DECLARATIONS for measure in each.measures}
    ]
    return tuple(dict.fromkeys(shown))


_STEPS = (
    *(_curation(declared) for declared in (*CLIP_DECLARATIONS, *PICTURE_STEPS)),
    Step(
        "captions",
        "ops.data.captions:captions",
        ("raw_videos", "curated_clips", "curated_images"),
        (*(f"captions.{key}" for key in _CAPTION_SETTINGS), "seed"),
        "data/captions.parquet",
        "A caption for every curated clip and image, with who or what wrote it.",
    ),
    Step(
        "training_set",
        "ops.data.training_set:training_set",
        ("curated_clips", "curated_images", "captions"),
        (
            "dataset",
            "cuts",
            "seed",
            *(f"text_encoder.{key}" for key in ("weights", "clean_captions", "min_readable_share")),
        ),
        "data/training_set",
        "Samples in buckets of equal token count, split by source into train and held out.",
    ),
    Step(
        "dataset_report",
        "ops.reports.dataset_report:dataset_report",
        ("raw_videos", "clips", "curated_clips", "raw_images", "curated_images", "captions", "training_set"),
        (*(f"curation.{key}" for key in (*_shown(), "rules", "images")), "dataset"),
        "data/dataset_report",
        "The curation funnel, score histograms with their thresholds, and a grid of samples.",
    ),
)
STEPS = {step.name: step for step in _STEPS}
"""Every dataset step by name, each after what it is made from."""
CLIP_STEPS = tuple(step.name for step in CLIP_DECLARATIONS)
"""Those of videos, from `raw_videos` to `curated_clips`."""

METRICS = ("data/dataset_report/metrics.json",)
"""What `dvc metrics show` and `dvc exp show` compare."""
PLOTS = tuple(f"data/dataset_report/{name}.png" for name in ("funnel", "histograms", "samples", "rejected"))
"""What `dvc plots show` and `dvc plots diff` put side by side."""

SETTINGS = Step("settings", "ops.data.resolved_settings:settings", (), (), SETTINGS_FILE)
"""Comes before all steps: it lays the resolved settings where DVC can watch them."""


def pipeline() -> dict[str, object]:
    """What `dvc.yaml` must hold."""
    stages: dict[str, object] = {
        "settings": {
            "cmd": SETTINGS.command,
            "deps": ["params.yaml", "configs"],
            "outs": [SETTINGS.output],
        }
    }
    for step in STEPS.values():
        stage: dict[str, object] = {"cmd": step.command}
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
