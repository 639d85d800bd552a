"""The `<vae>_evaluation` asset: how well the VAE gives back held-out videos and images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, JsonValue

from ops.data.columns import Sample
from ops.data.samples import training_samples
from ops.evaluation import protocols
from ops.evaluation.protocol import KeptProtocol, Protocol
from ops.metrics.base import Measure, Value, Video, VideoMetric
from ops.metrics.registry import of_reconstructions
from ops.metrics.rfvd import Rfvd, caution
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, Results, Work, current
from ops.runtime.files import digest, sha256
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.statistics.bootstrap import Interval
from ops.weights.results import Weights

if TYPE_CHECKING:
    from models.video_vae import VideoVAE

PICTURES = 8
LEGIBLE = 192
"""Pictures whose shorter side is less than this many pixels are shown enlarged."""

TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), list: pa.list_(pa.float32())}


class NothingToEvaluate(ValueError):
    """Held-out items are missing or none could be read."""


def items_schema(metrics: Iterable[VideoMetric]) -> pa.Schema:
    """One row an item, with the value and the terms of each metric; `without` says which have none and why, `reason`
    why none has."""
    columns = [
        column
        for metric in metrics
        for column in ((metric.name, pa.float64()), *((term, TYPES[kind]) for term, kind in metric.terms.items()))
    ]
    texts = [(name, pa.string()) for name in ("item_id", "kind", "path")]
    return pa.schema([*texts, ("frames", pa.int64()), *columns, ("without", pa.string()), ("reason", pa.string())])


class ReconstructionIdentity(Identity):
    protocol: dict[str, JsonValue]

    def setting(self, key: str) -> str | None:
        return protocols.setting(key)


class ReconstructionResults(Results):
    metrics: dict[str, dict[str, Interval]]
    """Kind (`all`, `video`, `image`) → metric → its score over the items that have what it needs."""
    unavailable: dict[str, str] = Field(default_factory=dict)
    """Metric → why it was not measured."""
    cautions: dict[str, str] = Field(default_factory=dict)
    """Metric → what must be said with its score over all."""
    items: int
    failed: tuple[str, ...]
    """Listed, never replaced."""
    capped_frames: int
    protocol: str
    """Its id."""
    protocol_terms: KeptProtocol


def evaluate(project: Project, dataset: str | None = None) -> Artifact[ReconstructionResults]:
    """Score the VAE's best checkpoint on each held-out item of a version of the training set (None: the current one).

    Files: items.parquet, reconstructions.png.
    """
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.asset, Weights)
    work, rows, protocol = work_of(project, vae, dataset or version(project, "training_set"))
    return work.finished() or _score_all(work, vae, rows, protocol)


def work_of(
    project: Project, vae: Artifact[Weights], dataset: str
) -> tuple[Work[ReconstructionResults], list[Row], Protocol]:
    """The work of scoring a VAE on a version of the training set, the items of that, and the protocol."""
    rows = held_out_clips(project, dataset)
    protocol = protocols.reconstruction(project, [row["item_id"] for row in rows])
    inputs = {vae.asset: vae.version, "training_set": dataset}
    identity = ReconstructionIdentity(protocol=protocol.as_json())
    return Work(project, f"{vae.asset}_evaluation", inputs, identity, ReconstructionResults), rows, protocol


def planned(project: Project) -> Work[ReconstructionResults]:
    """That of the current VAE and training set."""
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.asset, Weights)
    return work_of(project, vae, version(project, "training_set"))[0]


def held_out_clips(project: Project, dataset: str) -> list[Row]:
    """One row an item of the version's held-out split: its first frames at stride 1, at the protocol's square size.

    A row too short for the protocol has `frame_indices` None.
    """
    by_item: dict[str, list[Sample]] = {}
    for sample in training_samples(project, "held_out", version=dataset):
        by_item.setdefault(sample["item_id"], []).append(sample)
    return [_clip(project, windows) for _, windows in sorted(by_item.items())]


def _clip(project: Project, windows: list[Sample]) -> Row:
    evaluation = project.settings.evaluation
    first = min(windows, key=lambda row: row["frame_indices"][0])
    start = first["frame_indices"][0]
    wanted = evaluation.reconstruction_frames if first["kind"] == "video" else 1
    available = max(max(row["frame_indices"]) for row in windows) - start + 1
    return {
        **first,
        "frames": wanted,
        "height": evaluation.reconstruction_size,
        "width": evaluation.reconstruction_size,
        "frame_indices": list(range(start, start + wanted)) if available >= wanted else None,
        "available": available,
    }


def _score_all(
    work: Work[ReconstructionResults], vae: Artifact[Weights], rows: list[Row], protocol: Protocol
) -> Artifact[ReconstructionResults]:
    if not rows:
        raise NothingToEvaluate("the training set has no held-out item: raise dataset.held_out_share")
    work.folder.mkdir(parents=True, exist_ok=True)
    reconstruct = Reconstruction(work.project, vae)
    measures = {metric: metric.start(work.project) for metric in protocols.measurable(work.project)}
    items: list[Row] = []
    pictures: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for row in Progress.of(work.project, work.asset, len(rows), "items").over(rows):
        columns = {name: row[name] for name in ("item_id", "kind", "path", "frames")}
        if row["frame_indices"] is None:
            items.append({**columns, "reason": f"has {row['available']} frames, the protocol takes {row['frames']}"})
            continue
        original, copy = reconstruct(row)
        items.append({**columns, **scores(Video(copy, reference=original), measures)})
        if len(pictures) < PICTURES:
            middle = len(original) // 2
            pictures.append((original[middle], copy[middle]))
    return _finish(work, items, pictures, protocol)


def scores(video: Video, measures: Mapping[VideoMetric, Measure]) -> Row:
    """The item's columns: value and terms of each metric, and why one has none."""
    row: Row = {}
    without: list[str] = []
    for metric, measure in measures.items():
        found = metric.value(measure, video)
        row |= {metric.name: found.value, **found.terms}
        without += [found.reason] if found.reason else []
    if without:
        row["without" if len(without) < len(measures) else "reason"] = "; ".join(without)
    return row


def _finish(
    work: Work[ReconstructionResults],
    items: list[Row],
    pictures: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    protocol: Protocol,
) -> Artifact[ReconstructionResults]:
    measured = [row for row in items if "reason" not in row]
    if not measured:
        raise NothingToEvaluate(f"no held-out item could be scored; the first: {items[0]['reason']}")
    metrics, missing = protocols.measurable(work.project), unavailable(work.project)
    tables.write(work.folder / "items.parquet", items, items_schema(metrics))
    _write_grid(work.folder / "reconstructions.png", pictures)
    kinds = {"all": measured} | {
        kind: part for kind in ("video", "image") if (part := [row for row in measured if row["kind"] == kind])
    }
    found = {
        kind: {metric.name: metric.over(values) for metric in metrics if (values := _values(metric, part))}
        for kind, part in kinds.items()
    }
    plain = {kind: {name: asdict(each) for name, each in of.items()} for kind, of in found.items()}
    return work.finish(
        version=digest([plain, protocol.id, sha256(work.folder / "items.parquet")]),
        results=ReconstructionResults(
            metrics=found,
            unavailable=missing,
            cautions=cautions(found["all"]),
            items=len(measured),
            failed=tuple(row["item_id"] for row in items if "reason" in row),
            capped_frames=sum(row.get("capped_frames", 0) for row in measured),
            protocol=protocol.id,
            protocol_terms=protocol,
        ),
    )


def unavailable(project: Project) -> dict[str, str]:
    """Metric of reconstructions → what is missing for it."""
    lacks = {metric.name: metric.missing(project) for metric in of_reconstructions()}
    return {name: f"not available: needs {', '.join(missing)}" for name, missing in lacks.items() if missing}


def cautions(found: Mapping[str, Interval]) -> dict[str, str]:
    """What must be said of a set's distance, by the number of its videos."""
    said = {name: caution(found[name].count) for name in (Rfvd.name,) if name in found}
    return {name: text for name, text in said.items() if text}


def _values(metric: VideoMetric, rows: Iterable[Row]) -> list[Value]:
    """Of the items that have what the metric needs."""
    found = (Value(row.get(metric.name), {term: row[term] for term in metric.terms if term in row}) for row in rows)
    return [each for each in found if each.value is not None or each.terms]


class Reconstruction:
    """Held-out pixels through a VAE and back."""

    def __init__(self, project: Project, vae: Artifact[Weights]) -> None:
        from ops.data.latent_encoder import load_vae

        self._project, self._model = project, load_vae(project, vae)

    def __call__(self, row: Row) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(original, reconstruction), both [T, H, W, 3] in 8 bits."""
        from ops.data.pixels import read_sample

        original = read_sample(self._project, cast(Sample, row))
        return original, given_back(self._model, original)


def given_back(model: VideoVAE, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames [T, H, W, 3] in 8 bits as a VAE gives them back from the mode of their posterior."""
    import torch

    from models.pixels import to_pixels, to_video

    video = to_video(torch.from_numpy(frames).to(next(model.parameters()).device))[None]
    with torch.inference_mode():
        back = model.decode(model.encode(video).mode())
    return to_pixels(back[0]).cpu().numpy()


def _write_grid(path: Path, pictures: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> None:
    """Originals above, reconstructions below."""
    from ops.runtime.frame_grid import Tile, legible, save

    save(([Tile(legible(picture, LEGIBLE)) for picture in row] for row in zip(*pictures, strict=True)), path)
