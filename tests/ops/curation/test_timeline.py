"""Films whose frames carry their own number: what is sampled at a moment is what a player shows then."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ops.config import Dataset
from ops.curation.clip import Clip, sampled_frames
from ops.curation.decoding.frames import decoded, frames_at
from ops.curation.rules.jump_cuts import counted_frames
from ops.curation.sources.probe import probe
from ops.curation.steps.clips import slices
from ops.curation.timeline import Timeline, cut_times, rising, varies
from ops.data.frame_windows import windows
from ops.data.pixels import spread_frames
from ops.runtime.project import Project

BITS, CELL = 12, 8
TICKS = 90_000
PHONE = [number / 60 for number in range(60)] + [1 + number / 10 for number in range(20)]
"""A second at 60 frames a second and, when it gets dark, two at 10."""
DATASET = Dataset(num_frames=9, min_frames=9, fps=8, max_area=4096, ratios=("1:1",), windows_per_clip=4)


def burnt(number: int) -> np.ndarray:
    """uint8 [16, 96, 3]: the number in black and white cells."""
    bits = [255 * (number >> bit & 1) for bit in range(BITS)]
    return np.array(bits, np.uint8).repeat(CELL)[None, :, None].repeat(16, axis=0).repeat(3, axis=2)


def read(picture: np.ndarray) -> int:
    cells = picture[8, CELL // 2 :: CELL, 0] > 128
    return int(sum(1 << bit for bit, cell in enumerate(cells) if cell))


def film(path: Path, times: Sequence[float], **options: str) -> Path:
    """Frame i, on which i is written, is shown from `times[i]` on."""
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "crf": "10", **options}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = BITS * CELL, 16, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(burnt(number), format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def even(rate: Fraction | int, count: int, start: float = 0.0) -> list[float]:
    return [start + float(number / Fraction(rate)) for number in range(count)]


def shown_at(times: Sequence[float], moment: float) -> int:
    """The number on the screen at a moment, a hundredth of a gap early at most."""
    gap = min(after - before for before, after in pairwise(times))
    return max(number for number, time in enumerate(times) if time <= moment + gap / 100)


def clip_of(row: dict[str, Any], start: int = 0, end: int | None = None) -> Clip:
    end = row["frames"] if end is None else end
    place = (row["sha256"], start, end, None, row["fps"], row["width"], row["height"])
    return Clip(*place, cut_times(row["frame_times"], start, end))


RATES = {
    **{"24": 24, "25": 25, "ntsc": Fraction(30000, 1001), "ntsc double": Fraction(60000, 1001)},
    **{"film": Fraction(24000, 1001), "120": 120, "240": 240, "10": 10},
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("rate", RATES)
def test_windows_hold_the_frames_of_their_moments(tmp_path: Path, rate: str, suffix: str) -> None:
    times = even(RATES[rate], round(RATES[rate] * 1.5))
    path = film(tmp_path / f"a{suffix}", times)
    row = probe(path)
    assert (row["frames"], row["variable_frame_rate"], row["frame_times"]) == (len(times), False, None)
    assert row["fps"] == pytest.approx(float(RATES[rate]), rel=2e-3)
    first, *_ = windows("x", 0, row["frames"], row["fps"], DATASET, 0)
    pictures = dict(frames_at(path, first))
    begin = times[read(pictures[first[0]])]
    found = [times[read(pictures[index])] for index in first]
    for number, time in enumerate(found):
        late = begin + number / 8 - time
        assert -2e-3 <= late <= 1 / float(RATES[rate]) + 2e-3


ODD = {
    "b frames": (".mp4", 0.0, {"x264-params": "bframes=3:keyint=20:b-pyramid=normal"}),
    "open gop": (".mp4", 0.0, {"x264-params": "open-gop=1:bframes=3:keyint=12:scenecut=0"}),
    "late in mp4": (".mp4", 7.5, {}),
    "late in mkv": (".mkv", 500.0, {}),
    "late in mov with b frames": (".mov", 3.0, {"x264-params": "bframes=2"}),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("times", [even(25, 50), PHONE], ids=["even", "uneven"])
def test_every_frame_is_found_wherever_a_film_begins(tmp_path: Path, kind: str, times: list[float]) -> None:
    suffix, start, options = ODD[kind]
    path = film(tmp_path / f"a{suffix}", [start + time for time in times], **options)
    row = probe(path)
    assert (row["reason"], row["frames"]) == (None, len(times))
    assert times[-1] < row["seconds"] <= times[-1] + 0.11
    assert [read(picture) for _, picture in frames_at(path, range(len(times)))] == list(range(len(times)))
    seen = [read(picture) for _, picture in frames_at(path, sampled_frames(clip_of(row), 8.0))]
    if row["variable_frame_rate"]:
        assert seen == list(dict.fromkeys(shown_at(times, moment / 8) for moment in range(round(row["seconds"] * 8))))
    else:
        assert seen == [round(number * 25 / 8) for number in range(len(seen))]


def test_frames_before_an_edit_list_begins_are_not_shown(tmp_path: Path) -> None:
    """The first ten frames are in the file, because others need them, and before its beginning."""
    times = [time - 0.4 for time in even(25, 60)]
    path = film(tmp_path / "a.mp4", times)
    shown = [read(frame.to_ndarray(format="rgb24")) for frame in decoded(path)]
    row = probe(path)
    assert shown == list(range(10, 60))
    assert (row["reason"], row["frames"], row["seconds"]) == (None, 50, pytest.approx(2))


def test_a_variable_rate_is_sampled_by_time(tmp_path: Path) -> None:
    path = film(tmp_path / "phone.mp4", PHONE)
    row = probe(path)
    assert (row["variable_frame_rate"], row["frame_times"][-1]) == (True, row["seconds"])
    assert row["frame_times"][:-1] == pytest.approx(PHONE, abs=2e-3)
    for window in windows("x", 0, row["frames"], row["fps"], DATASET, 0, row["frame_times"]):
        numbers = [read(picture) for picture in map(dict(frames_at(path, window)).__getitem__, window)]
        begin = PHONE[numbers[0]]
        late = [begin + number / 8 - PHONE[each] for number, each in enumerate(numbers)]
        # a frame may have been on the screen for as long as one of the slow ones lasts
        assert min(late) > -0.13
        assert max(late) < 0.1 + 0.13


def test_slices_are_as_long_as_they_may_be() -> None:
    times = [*PHONE, 3.0]
    found = slices(80, 80 / 3, 1.5, times)
    assert found == [(0, 65), (65, 80)]
    assert [times[end] - times[start] for start, end in found] == pytest.approx([1.5, 1.5])
    assert slices(80, 80 / 3, 0.05, times)[:2] == [(0, 3), (3, 6)]
    assert slices(80, 80 / 3, 0.05, times)[-1] == (79, 80)  # each of the slow frames lasts longer
    assert slices(100, 25.0, 1.5) == [(0, 37), (37, 74), (74, 100)]
    pause = [0.0, 0.1, 0.2, 3600.0, 3600.1]
    assert slices(4, 4 / 3600, 16.0, pause) == [(0, 2), (2, 3), (3, 4)]


def test_a_piece_sees_the_same_frames_as_its_slice() -> None:
    times = (*PHONE, 3.0)
    whole = Clip("x", 0, 80, None, 80 / 3, 96, 16, times)
    everything = sampled_frames(whole, 8.0)
    assert np.diff([times[index] for index in everything]).max() < 0.21
    for start, end in ((0, 40), (40, 70), (61, 80)):
        piece = whole.part(start, end)
        assert sampled_frames(piece, 8.0) == [index for index in everything if start <= index < end]
        assert piece.timeline.seconds == pytest.approx(times[end] - times[start])
        assert piece.columns()["frame_times"] == list(times[start : end + 1])


def test_a_span_is_divided_by_time(tmp_path: Path, project: Project) -> None:
    (project.root / "films").mkdir()
    film(project.root / "films" / "a.mp4", PHONE)
    times = (*PHONE, 3.0)
    row = {"root": "films", "path": "a.mp4", "start_frame": 0, "end_frame": 80, "crop": None, "fps": 80 / 3}
    pictures = spread_frames(project, {**row, "frame_times": list(times)}, 3)
    assert [PHONE[read(picture)] for picture in pictures] == pytest.approx([0.5, 1.5, 2.5], abs=0.02)
    assert [read(picture) for picture in spread_frames(project, row, 4)] == [10, 30, 50, 70]


def test_frames_beyond_a_rate_count_less(recipe, project: Project) -> None:
    rule = project.settings.curation.shots
    assert rule.max_fps == 32
    assert counted_frames(80, 80 / 3, rule, [*PHONE, 3.0]) == 32 + 20
    assert counted_frames(60, 60.0, rule) == 32
    assert counted_frames(60, 24.0, rule) == 60


def test_missing_and_falling_stamps_are_put_between_their_neighbours() -> None:
    assert rising([5.0, None, 5.2, 5.1, 5.4]) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert rising([None, 1.0, 2.0, None]) == pytest.approx([0, 1, 2, 3])
    assert rising([None, 1.0]) == rising([]) == []


def test_a_rate_that_wanders_off_is_no_constant_one() -> None:
    steady = even(25, 200)
    assert not varies(steady, 1e-3)
    assert not varies([round(time, 3) for time in even(Fraction(30000, 1001), 200)], 1e-3)
    gaps = np.repeat([1 / 24, 1 / 26], 100)  # each within a tenth of the other
    assert varies([0.0, *np.cumsum(gaps)], 1e-3)
    assert varies([*steady[:100], *(time + 0.02 for time in steady[100:])], 1e-3)
    assert not varies([0.0], 1e-3)


def test_what_is_shown_stays_inside() -> None:
    uneven = Timeline(10, 13, 1.0, (5.0, 5.5, 6.5, 7.0))
    assert uneven.shown([4.0, 5.0, 5.4999, 5.5, 6.9, 9.0]) == [10, 10, 10, 11, 12, 12]
    assert Timeline(10, 13, 2.0).shown([0.0, 5.0, 5.6, 9.0]) == [10, 10, 11, 12]
    assert uneven.evenly(1) == [11]
    assert uneven.evenly(40) == [10, 11, 12]
