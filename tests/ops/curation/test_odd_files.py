"""More than a hundred bad or odd files through the real steps: a row and a reason each, in bounded time and memory."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest

from ops.catalogue.reasons import MEANINGS
from ops.curation.decoding.frames import frames_at
from ops.curation.sources import listing
from ops.data.expectations import validate
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import step

SECONDS, MIB = 40, 300
"""For each file, and for each process at any time. Decoded, one of the files would take 1100 MiB."""


@dataclass(frozen=True)
class Seen:
    project: Project
    folder: Path
    expected: dict
    rows: dict[str, Row]
    peak: int
    """Bytes that the largest worker has held."""


class Watch(threading.Thread):
    """Looks at the memory of all workers, fifty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._over = 0, threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.02):
            for child in psutil.Process().children():
                try:
                    # a child that has not begun its own program yet still shows the memory of this process
                    if "spawn_main" in " ".join(child.cmdline()):
                        self.peak = max(self.peak, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue


@pytest.fixture(scope="module")
def odd_files(module_at: Callable[[Path], ModuleType]) -> ModuleType:
    return module_at(Path(__file__).with_name("odd_files.py"))


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, videos, odd_files, checkout: Path, shared_weights: Path, recipe
) -> Iterator[Seen]:
    root = tmp_path_factory.mktemp("odd")
    expected = odd_files.make(root / "films", videos)
    shutil.copytree(checkout / "configs", root / "configs")
    limits = {"workers": 2, "time_limit_seconds": SECONDS, "memory_limit_gib": 1.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), limits, videos="films")
        with Watch() as watch:
            step("raw_videos").load()(project)
        rows = rows_of(project, "raw_videos")
        assert len({row["path"] for row in rows}) == len(rows)
        yield Seen(project, root / "films", expected, {row["path"]: row for row in rows}, watch.peak)


def rows_of(project: Project, name: str) -> list[Row]:
    from ops.runtime import tables

    return tables.read(project.table(name))


def test_every_file_is_one_row(seen: Seen) -> None:
    assert set(seen.rows) == set(seen.expected)
    assert len(seen.expected) >= 40
    files = [name for _, _, names in os.walk(os.fsencode(seen.folder)) for name in names]
    folders = {"other/folder.mp4", "other/round"}
    assert len(files) == len(seen.expected) - len(folders)


def test_every_bad_file_has_a_reason_of_the_list(seen: Seen) -> None:
    wrong = {
        path: (seen.rows[path]["reason_code"], seen.rows[path]["reason"], sorted(expected.codes))
        for path, expected in seen.expected.items()
        if seen.rows[path]["reason_code"] not in (expected.codes or {None})
    }
    assert wrong == {}
    for row in seen.rows.values():
        assert (row["reason_code"] is None) == (row["reason"] is None) == (row["rejected_by"] is None)
        assert row["reason_code"] is None or row["reason_code"] in MEANINGS


def test_odd_but_good_files_are_kept_as_they_are(seen: Seen) -> None:
    kept = {path: expected for path, expected in seen.expected.items() if not expected.codes}
    found = {path: (seen.rows[path]["width"], seen.rows[path]["height"], seen.rows[path]["frames"]) for path in kept}
    assert found == {path: (*expected.size, expected.frames) for path, expected in kept.items()}
    assert all(seen.rows[path]["seconds"] > 0 for path in kept)
    uneven = {path for path in kept if seen.rows[path]["variable_frame_rate"]}
    assert uneven == {"time/uneven.mkv", "time/pause_of_ten_hours.mkv"}


def test_the_suite_is_content_with_all_of_them(seen: Seen) -> None:
    """With every name, date and content: what cannot be used is a rejected row, and so no fault of the table."""
    assert validate(seen.project, "raw_videos").failures == []


def test_memory_is_bounded_and_nothing_goes_on(seen: Seen) -> None:
    assert 0 < seen.peak < MIB * 2**20
    workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
    assert workers == []


FUNNEL_STEPS = ("raw_videos", "clips", "shots", "motion", "text_crop", "aesthetics", "technical_quality")
FUNNEL = {
    "pixels/ten_bits.mp4": None,
    "pixels/sixteen_bits.mkv": None,
    "pixels/alpha.mov": None,
    "pixels/transparent.gif": None,
    "pixels/grey.mkv": "low_aesthetics",
    "shape/1x1.mp4": "failed",
    "shape/17x33.mp4": "failed",
    "shape/15x400.mp4": "failed",
    "shape/turned_90.mp4": None,
    "time/1_frames.mp4": "too_short",
    "time/10_frames.mp4": "too_short",
    "time/one_in_ten_seconds.mp4": "too_short",
    "time/still.mp4": "still",
    "time/flicker.mp4": "shaking",
    "header/endless.mp4": None,
    "name/🎬 film 🎞️.mp4": None,
}


def test_what_is_kept_goes_through_the_funnel(seen: Seen, project: Project, helpers, recipe) -> None:
    """Sixteen of them: a clip that a scorer cannot take is a row with a reason, too."""
    manifest = seen.folder.parent / "some.txt"
    manifest.write_text("\n".join(f"films/{path}" for path in FUNNEL))
    project = recipe(project, {"workers": 1}, videos=str(manifest))
    helpers["run"](project, *FUNNEL_STEPS)
    rows = {row["path"].removeprefix("films/"): row for row in rows_of(project, "technical_quality")}
    assert {path: row["reason_code"] for path, row in rows.items()} == FUNNEL
    for name in FUNNEL_STEPS:
        assert validate(project, name).failures == []
    failed = {row["rejected_by"]: row["reason"] for row in rows.values() if row["reason_code"] == "failed"}
    assert list(failed) == ["technical_quality"]
    assert "is too small for BRISQUE" in failed["technical_quality"]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels", "tolerance"),
    [(".mkv", "ffv1", "gbrp16le", 1), (".mov", "png", "rgba64be", 1), (".mkv", "ffv1", "yuv444p10le", 3)],
)
def test_deep_pixels_come_out_as_eight_bits(
    tmp_path: Path, videos, odd_files, suffix, codec, pixels, tolerance
) -> None:
    pictures = videos.panning(1, 3)
    path = odd_files.encode(tmp_path / f"a{suffix}", pictures, codec, pixels)
    for index, picture in frames_at(path, range(3)):
        assert picture.dtype == np.uint8
        assert np.abs(picture.astype(int) - pictures[index]).max() <= tolerance


@pytest.mark.costly
def test_a_source_that_never_answers_is_given_up(
    project: Project, videos, recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody writes to, let past the check that keeps pipes out: reading it would wait for ever."""
    videos.slow_pan(project.root / "films" / "a.mp4")
    os.mkfifo(project.root / "films" / "hangs.mp4")
    videos.slow_pan(project.root / "films" / "z.mp4", seed=5)
    monkeypatch.setattr(listing, "_problem", lambda root, file: None)
    project = recipe(project, {"workers": 2, "time_limit_seconds": 3.0}, videos="films")
    step("raw_videos").load()(project)
    rows = {row["path"]: row for row in rows_of(project, "raw_videos")}
    assert {path: row["reason_code"] for path, row in rows.items()} == {
        "a.mp4": None,
        "hangs.mp4": "too_slow",
        "z.mp4": None,
    }
    assert rows["hangs.mp4"]["reason"] == "not done after 3 s (curation.time_limit_seconds); stopped"
