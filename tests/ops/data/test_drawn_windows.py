"""Windows that an epoch draws anew: from the clips behind a version, and only of samples that were cut so."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from ops.config import Cut
from ops.curation.tables import NEAR_DUPLICATES
from ops.data.dataset_version import MADE_FROM, LostVersion, folder_of
from ops.data.drawn_windows import DrawnWindows, ForeignWindow
from ops.data.frame_windows import windows
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project

CUT = Cut(num_frames=9, min_frames=9, fps=8, max_area=65536, windows_per_clip=2)
SEED, VERSION = 5, "c4.dir"
UNEVEN = [number / 16 + 0.01 * (number % 2) for number in range(65)]
CLIPS: dict[str, tuple[int, int, float, list[float] | None]] = {
    "b": (10, 74, 16.0, UNEVEN),
    "a": (0, 30, 8.0, None),
    "c": (5, 60, 25.0, None),
    "d": (0, 64, 16.0, [number / 16 + 0.02 * (number % 3 == 0) for number in range(65)]),
}


def cut(name: str, epoch: int = 0) -> list[list[int]]:
    start, end, fps, times = CLIPS[name]
    return windows(name, start, end, fps, CUT, SEED, None if times is None else tuple(times), epoch)


def sample(name: str, indices: list[int]) -> Any:
    return {"sample_id": f"{name}{indices[0]}", "item_id": name, "kind": "video", "frame_indices": indices}


@pytest.fixture
def drawn(project: Project, monkeypatch: pytest.MonkeyPatch) -> DrawnWindows:
    """Of a version whose clips are read in several parts."""
    monkeypatch.setattr(tables, "GROUP", 3)
    folder = folder_of(project, VERSION)
    tables.write(folder / "samples.parquet", [], SAMPLES)
    write_json(folder / MADE_FROM, {"training_set": VERSION, "curated_clips": "c1"})
    (project.root / "dvc.lock").write_text(
        "schema: '2.0'\nstages: {curated_clips: {cmd: a, outs: [{path: data/curated_clips.parquet, md5: c1}]}}\n"
    )
    rows: list[Any] = [
        {"clip_id": name, "start_frame": start, "end_frame": end, "fps": fps, "frame_times": times}
        for name, (start, end, fps, times) in CLIPS.items()
    ]
    gone = {**rows[0], "clip_id": "e", "rejected_by": "motion"}
    tables.write(project.table("curated_clips"), [gone, *rows], NEAR_DUPLICATES)
    return DrawnWindows(project, VERSION, CUT, SEED)


def test_they_are_those_of_the_clip_in_any_epoch(drawn: DrawnWindows) -> None:
    """At a constant rate as at a variable one, in another process as in this one, in any order."""
    for which in (drawn, pickle.loads(pickle.dumps(drawn))):
        for epoch in (3, 0, 1, 3):
            for name in CLIPS:
                for place, indices in enumerate(cut(name)):
                    assert which.of(sample(name, indices), epoch)["frame_indices"] == cut(name, epoch)[place]
    assert cut("b", 1) != cut("b")


def test_what_was_cut_otherwise_is_refused(drawn: DrawnWindows) -> None:
    image = {"sample_id": "i", "item_id": "i", "kind": "image", "frame_indices": [0]}
    assert drawn.of(image, 4) is image
    other = sample("a", [1000, *cut("a")[0][1:]])
    assert drawn.of(other, 0) is other, "the table's own window is asked of nobody"
    with pytest.raises(ForeignWindow, match=r"a1000 of training set c4\.dir was not cut .*redraw_windows=false"):
        drawn.of(other, 1)
    with pytest.raises(LostVersion, match="curated_clips lacks the clip e"):
        drawn.of(sample("e", [0]), 1)


def test_a_version_whose_clips_are_not_known_is_refused(project: Project, drawn: DrawnWindows) -> None:
    write_json(folder_of(project, VERSION) / MADE_FROM, {"training_set": VERSION})
    with pytest.raises(LostVersion, match="not known any more which clips"):
        DrawnWindows(project, VERSION, CUT, SEED)
