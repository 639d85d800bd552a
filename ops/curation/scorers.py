"""The scorer of each step: what it is (for the table and the key of its scores) and how to start it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ops import weights
from ops.config import Curation
from ops.curation import frame_changes
from ops.runtime.project import Project

Scorer = Callable[[Sequence[np.ndarray]], Any]
STEPS = ("shots", "text_crop", "aesthetics", "technical_quality", "motion_recheck")
"""The steps that look at pixels, in order. `motion` reads the distances of `shots`."""

_WEIGHTS = {
    "lpips-alex": ("lpips-alex",),
    "lpips-vgg": ("lpips-vgg",),
    "rapidocr": ("rapidocr-det",),
    "easyocr": ("easyocr",),
    "laion-v2": ("clip-vit-l14", "laion-v2"),
    "colourfulness": (),
    "brisque": ("brisque",),
    "niqe": ("niqe",),
    "dover": ("dover",),
}
_VERSIONS: dict[str, int] = {}
"""Of our code around a scorer, 1 if not named; raised when it gives other numbers for the same pictures."""


def identity(step: str, curation: Curation) -> dict[str, Any]:
    """What a score of this step depends on besides the pictures. Thresholds are not part of it."""
    settings: dict[str, Any] = {"sampling": curation.sampling.model_dump(mode="json")}
    name: str
    if step in ("shots", "motion_recheck"):
        name = curation.shots.scorer
        settings["short_side"] = curation.shots.short_side
        if step == "shots":
            settings["frame_changes"] = {"version": frame_changes.VERSION, "side": frame_changes.SIDE}
    elif step == "text_crop":
        name = curation.text_crop.scorer
        settings["frames_per_second"] = curation.text_crop.frames_per_second
    else:
        rule = getattr(curation, step)
        name, settings["frames"] = rule.scorer, rule.frames
    return {"scorer": name, "version": _version(name), "settings": settings}


def image_identity(step: str, curation: Curation) -> dict[str, Any]:
    """The same for a picture that is no frame of a video."""
    whole = identity(step, curation)
    return {**whole, "settings": {"short_side": curation.sampling.short_side}}


def as_column(identity: dict[str, Any]) -> str:
    return json.dumps(identity, sort_keys=True)


def demand_weights(project: Project, curation: Curation, steps: Sequence[str]) -> None:
    """Check, before any work, that every scorer of these steps can run here.

    Raises:
        MissingWeights: some cannot; the message names all of them.
    """
    problems = []
    for step in steps:
        name = identity(step, curation)["scorer"]
        if name == "dover":
            problems.append(_without_dover(project))
        for entry in _WEIGHTS[name]:
            try:
                weights.ensure(project, entry)
            except weights.MissingWeights as error:
                problems.append(f"curation.{_section(step)}.scorer is '{name}', but {error}")
    if problems:
        raise weights.MissingWeights("\n".join(dict.fromkeys(problems)))


def build(project: Project, curation: Curation, step: str) -> Scorer:
    """The scorer of a step, loaded once a process."""
    return _build(project, identity(step, curation)["scorer"], curation.shots.short_side)


@cache
def _build(project: Project, name: str, short_side: int) -> Scorer:
    if name in ("lpips-alex", "lpips-vgg"):
        from ops.curation.lpips_series import LpipsSeries

        return LpipsSeries(project, "alex" if name == "lpips-alex" else "vgg", short_side)
    if name == "rapidocr":
        from ops.curation.text_detection import RapidOcrDetector

        return RapidOcrDetector(weights.ensure(project, "rapidocr-det") / "PP-OCRv6_det_small.onnx")
    if name == "easyocr":
        from ops.curation.easyocr_detection import EasyOcrDetector

        return EasyOcrDetector(weights.ensure(project, "easyocr"))
    if name == "colourfulness":
        from ops.curation.colourfulness import mean_colourfulness

        return mean_colourfulness
    if name == "laion-v2":
        from ops.curation.laion import LaionAesthetics

        return LaionAesthetics(weights.ensure(project, "clip-vit-l14"), weights.ensure(project, "laion-v2"))
    if name == "brisque":
        from ops.curation.brisque import Brisque

        return Brisque(weights.ensure(project, "brisque") / "brisque.safetensors")
    if name == "niqe":
        from ops.curation.niqe import Niqe

        return Niqe(weights.ensure(project, "niqe") / "niqe_image_params.mat")
    raise weights.MissingWeights(_without_dover(project))


def _version(name: str) -> dict[str, Any]:
    """Our code's version and the hashes of the published weights."""
    known = {entry.name: entry for entry in weights.entries()}
    files = {file.path: file.sha256 for each in _WEIGHTS[name] for file in known[each].files}
    return {"code": _VERSIONS.get(name, 1), "weights": files}


def _section(step: str) -> str:
    return "shots" if step == "motion_recheck" else step


def _without_dover(project: Project) -> str:
    return (
        "curation.technical_quality.scorer is 'dover', which cannot run here: it needs DOVER.pth (S-Lab licence, "
        f"non-commercial use only; releases of github.com/VQAssessment/DOVER) in {project.weights / 'dover'} and its "
        "network, which soraflow does not carry. Set scorer: brisque with a threshold of its own, such as 43, to go on "
        "without it"
    )
