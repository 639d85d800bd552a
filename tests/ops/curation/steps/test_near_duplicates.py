"""Clips that show the same are found among real films, each encoded in another way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from ops.config import NearDuplicates, Sampling
from ops.curation.clip import Clip, sampled_frames
from ops.curation.scorers.phash import PerceptualHash
from ops.curation.steps.near_duplicates import originals
from ops.curation.tables import NEAR_DUPLICATES
from ops.runtime import parallel
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import CLIP_STEPS, step

COPIES = {"smaller.mp4", "coarse.avi", "other.webm"}


def encode(path: Path, frames: list[np.ndarray], codec: str, share: float = 1.0, **options: str) -> None:
    """At a share of the size, with the encoder's options."""
    size = tuple(round(side * share / 2) * 2 for side in (frames[0].shape[1], frames[0].shape[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=24, options=options)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for frame in frames:
            picture = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def deduplicated(
    tmp_path_factory: pytest.TempPathFactory, videos, recipe, shared_weights: Path, checkout: Path
) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("deduplicated")
    shutil.copytree(checkout / "configs", root / "configs")
    pan = videos.panning(40, 40, width=256, height=192)
    encode(root / "films" / "best.mp4", pan, "libx264", crf="16", preset="ultrafast")
    encode(root / "films" / "smaller.mp4", pan, "libx264", 0.5, crf="34", preset="ultrafast")
    encode(root / "films" / "coarse.avi", pan, "mpeg4", 0.75, b="150000")
    encode(root / "films" / "other.webm", pan, "libvpx-vp9", 0.6, crf="48", b="0", deadline="realtime")
    mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in pan]
    encode(root / "films" / "mirrored.mp4", mirrored, "libx264", crf="16", preset="ultrafast")
    for seed in (41, 42):
        frames = videos.panning(seed, 40, width=256, height=192)
        encode(root / "films" / f"another{seed}.mp4", frames, "libx264", crf="16", preset="ultrafast")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), videos="films")
        for name in CLIP_STEPS:
            step(name).load()(project)
        yield project


def test_other_encodings_are_found_and_others_are_not(deduplicated: Project, helpers) -> None:
    rows = {row["path"]: row for row in helpers["rows_of"](deduplicated, "curated_clips")}
    out = {name for name, row in rows.items() if row["rejected_by"] == "near_duplicates"}
    assert out == COPIES
    best = rows["best.mp4"]
    for name in COPIES:
        assert rows[name]["duplicate_of"] == best["clip_id"]
        assert rows[name]["reason_code"] == "near_duplicate"
        told = f"shows the same as clip {best['clip_id']} of best.mp4, which has 256x192 pixels"
        assert rows[name]["reason"] == told
    for name in ("best.mp4", "mirrored.mp4", "another41.mp4", "another42.mp4"):
        assert (rows[name]["rejected_by"], rows[name]["duplicate_of"]) == (None, None)
        assert [len(text) for text in rows[name]["perceptual_hash"]] == [16] * 4


def test_hashes_cost_no_decoding_of_their_own(deduplicated: Project, helpers, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were made in the pass of `shots`; another distance only decides anew."""
    monkeypatch.setattr(parallel, "map", lambda *args: pytest.fail("something was decoded") if args[1] else ())
    before = helpers["rows_of"](deduplicated, "near_duplicates")
    project = helpers["recipe"](deduplicated, {"near_duplicates": {"max_distance": 0}}, videos="films")
    helpers["run"](project, "near_duplicates")
    strict = helpers["rows_of"](project, "near_duplicates")
    assert sum(row["rejected_by"] is None for row in strict) > sum(row["rejected_by"] is None for row in before)
    project = helpers["recipe"](deduplicated, videos="films")
    helpers["run"](project, "near_duplicates")
    assert helpers["rows_of"](project, "near_duplicates") == before


def test_switched_off_nothing_is_hashed_or_rejected(deduplicated: Project, tmp_path: Path, helpers) -> None:
    project = Project(shutil.copytree(deduplicated.root, tmp_path / "copy"))
    project = helpers["recipe"](project, {"near_duplicates": {"enabled": False}}, videos="films")
    helpers["run"](project, "near_duplicates", "curated_clips")
    rows = helpers["rows_of"](project, "curated_clips")
    assert all(row["rejected_by"] is None for row in rows)
    assert all(row["perceptual_hash"] is None for row in rows)


def row(clip_id: str, bits: int, size: tuple[int, int] = (640, 360), frames: int = 100, **columns: Any) -> Row:
    base = {"sha256": "0", "start_frame": 0, "end_frame": frames, "crop": None, "fps": 25.0}
    return {
        **base,
        "clip_id": clip_id,
        "width": size[0],
        "height": size[1],
        "perceptual_hash": [f"{bits:016x}"] * 4,
        **columns,
    }


def repeated(rows: list[Row], **rule: Any) -> list[str]:
    table = pa.Table.from_pylist(rows, NEAR_DUPLICATES)
    return [rows[original]["clip_id"] for original in originals(table, NearDuplicates(**rule))]


def test_pixels_then_length_then_id_decide() -> None:
    rows = [
        row("b", 0b1, frames=101),
        row("a", 0b0),
        row("c", 0b11, (1280, 720), crop=[0, 600, 0, 300]),
        row("d", 0b111, (640, 362), frames=40),
        row("e", 1 << 40 | 0xFFFF),
        row("f", 1 << 40 | 0xFFFF, fps=24.0),
        row("h", 0xFFFF << 20),
        row("g", 0xFFFF << 20),
    ]
    assert repeated(rows) == ["d", "d", "d", "d", "f", "f", "g", "g"]
    assert repeated(rows[::-1]) == ["g", "g", "f", "f", "d", "d", "d", "d"]
    assert repeated(rows[:3]) == ["b", "b", "b"]
    assert repeated(rows[:3], max_distance=0) == ["b", "a", "c"]
    assert repeated([]) == []


@pytest.mark.parametrize("frames", [3, 10, 100, 400])
def test_as_many_frames_are_hashed_of_every_clip(frames: int) -> None:
    clip, sampling = Clip("x", 30, 30 + frames, None, 24.0, 64, 48), Sampling()
    wanted = PerceptualHash(4).wants(clip, sampling)
    assert len(wanted) == 4
    assert wanted == sorted(wanted)
    assert set(wanted) <= set(sampled_frames(clip, sampling.frames_per_second))
