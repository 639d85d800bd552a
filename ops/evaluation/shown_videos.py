"""Sampled videos as MLflow's page plays them: MP4 files among the artifacts of a run, large enough to be seen."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ops.evaluation.contact_sheet import MOST_PROMPTS
from ops.evaluation.samples import SamplesResults
from ops.runtime import tables
from ops.runtime.artifacts import Artifact
from ops.runtime.mp4 import read_mp4, write_mp4

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SHORTEST_SIDE = 240
"""The page shows a video at its own size; smaller ones are enlarged by a whole factor."""
FOLDER = "samples"


def log_videos(client: MlflowClient, run_id: str, samples: Artifact[SamplesResults]) -> None:
    """Log the first videos of every scored checkpoint, one for each prompt, and the contact sheet of them all.

    Doing it again puts the same files in the same places.
    """
    rows = tables.read(samples.folder / "manifest.parquet")
    first = {(row["step"], row["prompt_index"]): row for row in reversed(rows) if row["prompt_index"] < MOST_PROMPTS}
    fps = samples.results.protocol_terms.terms["fps"]
    with tempfile.TemporaryDirectory() as scratch:
        for row in first.values():
            file = _legible(samples.folder / row["file"], Path(scratch) / Path(row["file"]).name, fps)
            client.log_artifact(run_id, str(file), f"{FOLDER}/{Path(row['file']).parent.name}")
    client.log_artifact(run_id, str(samples.folder / "contact_sheet.png"), FOLDER)


def _legible(source: Path, enlarged: Path, fps: float) -> Path:
    frames = read_mp4(source)
    factor = -(-SHORTEST_SIDE // min(frames.shape[1:3]))
    if factor <= 1:
        return source
    write_mp4(enlarged, frames.repeat(factor, axis=1).repeat(factor, axis=2), fps)
    return enlarged
