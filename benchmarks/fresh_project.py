"""A project in a temporary folder with nothing made yet, so that a benchmark measures work and not memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ops.runtime.project import Project

CHECKOUT = Path(__file__).resolve().parents[1]
SHIPPED = ("configs", "dvc.yaml", "dagster.yaml", "mlflow", ".dvcignore", ".gitignore")

MICRO_SCHEDULE = {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2}
MICRO: dict[str, Any] = {
    "dataset": {"windows_per_clip": 1, "num_frames": 9},
    "vae": {
        "model": {"base_channels": 8, "encoder_flow_channels": 8, "decoder_flow_channels": 8},
        "losses": {"discriminator_start": 2, "discriminator_width": 4},
        "schedule": MICRO_SCHEDULE,
    },
    "denoiser": {"model": {"layers": 5, "heads": 2, "head_width": 12}},
    "evaluation": {"steps": 2, "num_frames": 9, "reconstruction_frames": 9, "checkpoints": 2, "prompts": ["a bicycle"]},
}
"""Everything of the preset `tiny`, with a few steps of each training."""


@contextmanager
def fresh_project(overrides: Mapping[str, Any]) -> Iterator[Project]:
    """A project of preset `tiny`, or of the one that `overrides` names, with them; removed in the end. Weights come
    from this checkout."""
    os.environ.setdefault("SORAFLOW_WEIGHTS", str(CHECKOUT / "var" / "weights"))
    os.environ["DS_ACCELERATOR"] = "cpu"
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-") as folder:
        root = Path(folder) / "project"
        lay(root, overrides)
        os.environ["SORAFLOW_PROJECT"] = str(root)
        yield Project(root)


def lay(root: Path, overrides: Mapping[str, Any]) -> None:
    root.mkdir()
    for name in SHIPPED:
        source = CHECKOUT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    (root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **overrides}), encoding="utf-8")


def micro() -> dict[str, Any]:
    """MICRO, and the stages of `tiny` with a few steps each."""
    stages = yaml.safe_load((CHECKOUT / "configs" / "tiny.yaml").read_text(encoding="utf-8"))["stages"]
    return {**MICRO, "stages": [{**stage, "schedule": {**stage["schedule"], **MICRO_SCHEDULE}} for stage in stages]}
