from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ops.curation.audit.preview import COLUMNS, preview, series, sheet, tiles
from ops.curation.audit.strip import GAP, GOLD, LINE, RED, SEEN, strip, with_crop
from ops.curation.decoding.frames import UndecodableVideo, frames_at
from ops.curation.rules.jump_cuts import locate
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row


@pytest.fixture
def rows(audited: Project) -> dict[tuple[str, int], Row]:
    return {(row["path"], row["start_frame"]): row for row in tables.read(audited.table("curated_clips"))}


def test_frames_lie_evenly_in_the_clip(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    shown = preview(rows["cut.mp4", 31], audited.settings.curation.shots, 4)
    assert shown.frames == (34, 41, 49, 56)
    assert len(preview(rows["pan0.mp4", 0], audited.settings.curation.shots).frames) == 16  # 8 a second
    assert preview(rows["ten.mp4", 0], audited.settings.curation.shots).frames == (0, 1, 3, 4, 5, 6, 8, 9)
    assert len(preview({**rows["pan0.mp4", 0], "end_frame": 4800}, audited.settings.curation.shots).frames) == 48


def test_the_frame_beyond_a_cut_is_shown_too(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    rule = audited.settings.curation.shots
    first, second = preview(rows["cut.mp4", 0], rule), preview(rows["cut.mp4", 31], rule)
    assert (first.before, first.after) == (None, 30)
    assert (second.before, second.after) == (27, None)
    assert second.indices[0] == 27
    assert preview(rows["pan0.mp4", 0], rule).indices == list(preview(rows["pan0.mp4", 0], rule).frames)


@pytest.mark.parametrize("jump", [0, 1, 2])
def test_a_hard_cut_is_shown_wherever_in_its_gap_it_lies(
    audited: Project, rows: dict[tuple[str, int], Row], jump: int
) -> None:
    rule = audited.settings.curation.shots
    changes = [40.0 if at == jump else 1.0 for at in range(3)]
    cut = locate(27, changes, changes, rule)
    assert cut == (28 + jump, 28 + jump)
    first = preview({**rows["cut.mp4", 0], "end_frame": cut.end}, rule)
    second = preview({**rows["cut.mp4", 31], "start_frame": cut.begin}, rule)
    assert (first.before, first.after) == (None, cut.begin)
    assert (second.before, second.after) == (cut.end - 1, None)


def test_tiles_are_the_very_frames(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    row = rows["pan3.mp4", 0]
    shown = preview(row, audited.settings.curation.shots, 3)
    found = tiles(audited, row, shown)
    wanted = dict(frames_at(audited.root / "films" / "pan3.mp4", shown.indices))
    assert list(found) == list(shown.frames)
    assert all((found[index] == wanted[index]).all() for index in wanted)


def test_large_videos_are_shown_smaller(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    shown = preview({**rows["pan0.mp4", 0], "width": 1920, "height": 1080}, audited.settings.curation.shots)
    assert (shown.width, shown.height) == (384, 216)


def test_the_sheet_lays_tiles_in_lines(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    row = rows["cut.mp4", 31]
    shown = preview(row, audited.settings.curation.shots)
    assert len(shown.indices) == 11
    with Image.open(io.BytesIO(sheet(audited, row, shown))) as image:
        assert (image.format, image.size) == ("JPEG", (COLUMNS * 128, 2 * 96))
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for number, picture in enumerate(tiles(audited, row, shown).values()):
        top, left = number // COLUMNS * 96, number % COLUMNS * 128
        difference = np.abs(pixels[top : top + 96, left : left + 128] - picture).mean()
        assert difference < 12, f"tile {number}"


def test_the_series_names_the_cuts(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    curation = audited.settings.curation
    found = series(rows["cut.mp4", 0], curation)
    assert found is not None
    assert found["cuts"] == [9]
    assert len(found["frames"]) == len(found["distances"]) + 1
    assert series(rows["pan0.mp4", 0], curation) is None
    probabilities = [0.9 if gap == 3 else 0.1 for gap in range(len(found["distances"]))]
    seen = series({**rows["cut.mp4", 0], "cut_probabilities": probabilities}, curation)
    assert seen is not None
    assert seen["cuts"] == [3, 9]


def test_a_cut_that_a_network_found_is_seen_from_both_sides(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    """It may lie where no distance stands out."""
    row, rule = rows["cut.mp4", 31], audited.settings.curation.shots
    even = {"cut_distances": [0.1] * len(row["cut_distances"]), "cut_probabilities": [0.0] * len(row["cut_distances"])}
    first, second = {**row, **even, "start_frame": 0, "end_frame": 20}, {**row, **even, "start_frame": 24}
    assert (preview(first, rule, 4).before, preview(first, rule, 4).after) == (None, 20)
    assert preview(second, rule, 4).before == 23
    assert preview({**first, "cut_probabilities": None}, rule, 4).after is None


def test_the_crop_is_drawn(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    picture = np.full((120, 160, 3), 200, np.uint8)
    drawn = with_crop(picture, [0, 320, 0, 212], 320, 240)
    assert tuple(drawn[119, 80]) == (76, 76, 76)
    assert tuple(drawn[105, 80]) == GOLD
    assert (drawn[2:104, 2:158] == 200).all()
    assert with_crop(picture, None, 320, 240) is picture


def test_the_strip_marks_cuts(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    rule = audited.settings.curation.shots
    drawn = strip(audited, rows["cut.mp4", 31], rule, 3)
    assert drawn.shape == (96, 4 * 128 + 3 * GAP, 3)
    assert tuple(drawn[0, 128 + GAP // 2]) == RED
    assert tuple(drawn[0, 2 * 128 + GAP + GAP // 2]) == (255, 255, 255)
    assert not (strip(audited, rows["pan0.mp4", 0], rule, 3).reshape(-1, 3) == RED).all(axis=1).any()


def test_lines_grow_with_a_strip_that_will_be_shown_smaller(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    drawn = strip(audited, {**rows["cut.mp4", 31], "crop": [0, 128, 0, 80]}, audited.settings.curation.shots, 12)
    times = round(13 * 128 / SEEN)
    assert times == 3
    assert drawn.shape == (96, 13 * 128 + 12 * times * GAP, 3)
    assert (drawn[0] == RED).all(axis=1).sum() == times * 3
    golden = (drawn[:, 128 + times * GAP + 64] == GOLD).all(axis=1)
    assert golden.sum() == 2 * times * LINE


def test_the_crop_is_not_that_of_the_frame_beyond_a_cut(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    cropped = {**rows["cut.mp4", 31], "crop": [0, 128, 0, 80]}
    drawn = strip(audited, cropped, audited.settings.curation.shots, 3)
    golden = (drawn == GOLD).all(axis=2).any(axis=0)
    assert not golden[:128].any()
    assert golden[128 + GAP : 2 * 128 + GAP].all()


def test_what_cannot_be_decoded_says_so(audited: Project, rows: dict[tuple[str, int], Row]) -> None:
    rule = audited.settings.curation.shots
    with pytest.raises(FileNotFoundError):
        sheet(audited, rows["lost.mp4", 0], preview(rows["lost.mp4", 0], rule))
    long = {**rows["pan0.mp4", 0], "end_frame": 500}
    with pytest.raises(UndecodableVideo, match="ends before frame"):
        sheet(audited, long, preview(long, rule))
