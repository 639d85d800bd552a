from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ops.catalogue.reasons import Reason
from ops.config import ShotBoundaries, Shots, resolve
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.decoding.frame_changes import frame_changes
from ops.curation.rules.jump_cuts import Boundaries, Cut, boundary_cuts, find_cuts, length_reason, locate, pieces
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.walk import SliceSeries, cut_probabilities, mean_motion, pieces_of
from ops.curation.steps.clips import slices

RULE = Shots()

GOLDENS = [
    ([0.02] * 20 + [0.50], [20]),
    ([0.02] * 20 + [0.30], [20]),
    ([0.02] * 10 + [0.30], []),
    ([0.02] * 6 + [0.50] * 2, []),
    ([0.1] * 30, []),
    ([], []),
    ([0.9], []),
]


@pytest.mark.parametrize(("distances", "cuts"), GOLDENS)
def test_goldens_of_the_specification(distances: list[float], cuts: list[int]) -> None:
    assert find_cuts(distances, RULE) == cuts


def test_the_goldens_z_is_in_population_deviations() -> None:
    series = np.array([0.02] * 20 + [0.50])
    assert series.mean() == pytest.approx(0.0428571, abs=1e-7)
    assert (series[-1] - series.mean()) / series.std() == pytest.approx(4.47214, abs=1e-5)


@given(st.integers(1, 4), st.integers(1, 60), st.floats(0.36, 1))
def test_equal_jumps_are_found_when_there_are_more_than_five_others_each(jumps: int, total: int, size: float) -> None:
    """z = √((n − k) / k): above 2 when n > 5k, below when n < 5k, and where they are equal rounding decides."""
    assume(total > jumps and total != 5 * jumps)
    distances = [0.02] * (total - jumps) + [size] * jumps
    assert bool(find_cuts(distances, RULE)) == (total > 5 * jumps)


def test_a_hard_cut_is_found_to_the_frame_and_takes_none() -> None:
    assert locate(6, [1.0, 1.5, 50.0], [1.0, 1.5, 48.0], RULE) == Cut(9, 9)
    assert locate(6, [50.0, 25.0, 3.0], [49.0, 25.0, 3.0], RULE) == Cut(7, 7)
    assert locate(6, [4.0], [4.0], RULE) == Cut(7, 7)


def test_a_gradual_change_takes_its_gap_and_a_frame_each_side() -> None:
    assert locate(6, [12.0, 13.0, 12.0], [12.0, 13.0, 12.0], RULE) == Cut(6, 10)
    assert locate(6, [1.0, 25.0, 26.0], [1.0, 25.0, 26.0], RULE) == Cut(6, 10)
    assert locate(6, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], RULE) == Cut(7, 7)


def test_what_comes_back_at_once_is_no_cut() -> None:
    assert locate(6, [1.0, 90.0, 90.0], [1.0, 3.0, 3.0], RULE) is None
    assert locate(6, [1.0, 90.0, 1.0], [1.0, 44.9, 1.0], RULE) is None
    assert locate(6, [1.0, 90.0, 1.0], [1.0, 45.0, 1.0], RULE) == Cut(8, 8)


def boundaries(frames: int, ends: dict[int, float], inside: dict[int, float]) -> Boundaries:
    """Series of so many frames that are 0 but in these."""
    return {
        "boundary": [ends.get(frame, 0.0) for frame in range(frames)],
        "transition": [inside.get(frame, 0.0) for frame in range(frames)],
    }


def test_a_network_cuts_after_the_frame_that_ends_a_shot() -> None:
    rule = ShotBoundaries(probability=0.5)
    assert boundary_cuts(100, boundaries(20, {7: 0.9, 12: 0.5}, {7: 0.9}), rule) == [Cut(108, 108)]
    assert boundary_cuts(100, boundaries(20, {7: 0.9, 12: 0.5}, {}), ShotBoundaries(probability=0.4)) == [
        *(Cut(108, 108), Cut(113, 113))
    ]
    assert boundary_cuts(0, boundaries(20, {0: 0.9, 19: 0.9}, {}), rule) == [Cut(1, 1), Cut(20, 20)]
    assert boundary_cuts(0, boundaries(0, {}, {}), rule) == []


def test_of_a_gradual_cut_no_frame_of_the_transition_stays() -> None:
    blended = dict.fromkeys(range(5, 11), 0.8)
    assert boundary_cuts(100, boundaries(20, {8: 0.9}, blended), ShotBoundaries()) == [Cut(105, 111)]
    assert boundary_cuts(100, boundaries(20, {8: 0.3}, blended), ShotBoundaries()) == []  # no shot ends there


def test_what_either_finds_is_a_cut_and_the_network_says_where(checkout: Path) -> None:
    """Sampled every third frame; the distance tells of a cut between 27 and 30, the network of one after 28 and of a
    dissolve that no distance shows."""
    rules = resolve(checkout, "tiny", {"curation": {"shot_boundaries": {"enabled": True}}}).curation
    clip = Clip("x", 0, 60, None, 24.0, 128, 96)
    changes = [50.0 if frame == 27 else 1.0 for frame in range(57)]
    series: SliceSeries = {
        "distances": [0.9 if gap == 9 else 0.05 for gap in range(19)],
        **{"changes": changes, "returns": changes},
    }
    assert [(piece.start, piece.end) for piece in pieces_of(clip, series, rules)] == [(0, 28), (28, 60)]
    found = boundaries(60, {28: 0.9, 45: 0.8}, dict.fromkeys(range(43, 49), 0.7))
    spans = [(piece.start, piece.end) for piece in pieces_of(clip, {**series, "boundaries": found}, rules)]
    assert spans == [(0, 29), (29, 43), (49, 60)]
    missed = boundaries(60, {45: 0.8}, {})
    spans = [(piece.start, piece.end) for piece in pieces_of(clip, {**series, "boundaries": missed}, rules)]
    assert spans == [(0, 28), (28, 46), (46, 60)]


def test_a_gradual_change_that_the_network_has_not_seen_is_movement(checkout: Path) -> None:
    rules = resolve(checkout, "tiny", {"curation": {"shot_boundaries": {"enabled": True}}}).curation
    clip = Clip("x", 0, 60, None, 24.0, 128, 96)
    pan = [20.0 if frame in (27, 28, 29) else 1.0 for frame in range(57)]
    series: SliceSeries = {
        "distances": [0.9 if gap == 9 else 0.05 for gap in range(19)],
        **{"changes": pan, "returns": pan},
    }
    assert [(piece.start, piece.end) for piece in pieces_of(clip, series, rules)] == [(0, 27), (31, 60)]
    seen = {**series, "boundaries": boundaries(60, {}, {})}
    assert [(piece.start, piece.end) for piece in pieces_of(clip, seen, rules)] == [(0, 60)]


def test_between_two_sampled_frames_the_most_probable_end_counts() -> None:
    clip = Clip("x", 30, 90, None, 24.0, 128, 96)
    found = boundaries(60, {3: 0.25, 5: 0.5, 6: 0.75}, {})
    assert cut_probabilities(clip, [33, 36, 39], found) == [0.5, 0.75]
    assert cut_probabilities(clip, [33], found) == []


def test_pieces_lie_between_the_cuts() -> None:
    assert pieces(0, 18, []) == [(0, 18)]
    assert pieces(0, 18, [Cut(7, 7)]) == [(0, 7), (7, 18)]
    assert pieces(0, 18, [Cut(6, 10)]) == [(0, 6), (10, 18)]
    assert pieces(0, 18, [Cut(0, 4), Cut(6, 10)]) == [(4, 6), (10, 18)]
    assert pieces(0, 18, [Cut(3, 7), Cut(6, 10)]) == [(0, 3), (10, 18)]


def test_changes_of_frames_and_what_comes_back() -> None:
    """Grey levels 10, 10, 200, 12, 12, 90, 91: a flash of one picture, then a cut."""
    levels = np.array([10, 10, 200, 12, 12, 90, 91], np.uint8)
    pictures = np.broadcast_to(levels[:, None, None, None], (7, 4, 4, 3))
    changes, returns = frame_changes(pictures, reach=3)
    assert changes == [0, 190, 188, 0, 78, 1]
    assert returns == [0, 2, 2, 0, 78, 1]
    assert frame_changes(pictures, reach=1) == (changes, changes)
    assert frame_changes(pictures[:2], reach=3) == ([0], [0])


@given(st.lists(st.integers(0, 255), min_size=2, max_size=20), st.integers(1, 8))
def test_returns_by_their_definition(levels: list[int], reach: int) -> None:
    pictures = np.array(levels, np.uint8)[:, None, None, None]
    changes, returns = frame_changes(pictures, reach)
    assert changes == [abs(after - before) for before, after in pairwise(levels)]
    for jump, change in enumerate(changes):
        later = [abs(level - levels[jump]) for level in levels[jump + 2 : jump + 1 + reach]]
        earlier = [abs(level - levels[jump + 1]) for level in levels[max(0, jump + 1 - reach) : jump]]
        assert returns[jump] == min([change, *later, *earlier])


def test_lengths() -> None:
    assert length_reason(32, 25, RULE) is None
    assert length_reason(512, 25, RULE) is None
    assert length_reason(31, 25, RULE) == Rejection(Reason.TOO_SHORT, "31 frames between cuts, fewer than 32")
    assert length_reason(513, 32, RULE) == Rejection(Reason.TOO_LONG, "513 frames without a cut, more than 512")


def test_lengths_count_at_a_normal_rate() -> None:
    """Sixteen seconds are never too long, and half a second never long enough, however fast the source is."""
    assert length_reason(960, 60, RULE) is None
    assert length_reason(1920, 120, RULE) is None
    assert length_reason(60, 60, RULE) is None
    short, long = (length_reason(frames, 60, RULE) for frames in (59, 962))
    assert short == Rejection(Reason.TOO_SHORT, "31 frames at 32 a second between cuts, fewer than 32")
    assert long == Rejection(Reason.TOO_LONG, "513 frames at 32 a second without a cut, more than 512")


@given(st.floats(16, 240))
def test_a_whole_slice_of_sixteen_seconds_is_never_too_long(fps: float) -> None:
    ((start, end), *_) = slices(round(40 * fps), fps, 16)
    assert length_reason(end - start, fps, RULE) is None


@given(st.integers(1, 5000), st.floats(1, 120), st.floats(0.1, 20))
def test_slices_cover_every_frame_once(frames: int, fps: float, seconds: float) -> None:
    spans = slices(frames, fps, seconds)
    assert [index for span in spans for index in range(*span)] == list(range(frames))
    assert all(end - start <= max(1, seconds * fps + 1e-6) for start, end in spans)


@given(st.floats(2, 120), st.integers(0, 400), st.integers(1, 400), st.integers(0, 100))
def test_a_piece_sees_the_frames_that_its_slice_saw(fps: float, start: int, length: int, offset: int) -> None:
    whole = Clip("x", start, start + length, None, fps, 64, 64)
    piece = whole.part(start + min(offset, length - 1), whole.end)
    inside = [index for index in sampled_frames(whole, 8) if index >= piece.start]
    assert sampled_frames(piece, 8) == inside
    assert len(set(inside)) == len(inside)


def test_sampling_never_skips_below_the_rate() -> None:
    assert sampled_frames(Clip("x", 0, 10, None, 5.0, 64, 64), 8) == list(range(10))
    assert sampled_frames(Clip("x", 0, 25, None, 25.0, 64, 64), 8) == [0, 3, 6, 9, 12, 16, 19, 22]


def test_spread_takes_the_middles_of_equal_parts() -> None:
    assert spread(list(range(100)), 5) == [10, 30, 50, 70, 90]
    assert spread([1, 2], 5) == [1, 2]


def test_motion_of_a_piece_leaves_the_cut_out() -> None:
    whole = Clip("x", 0, 18, None, 24, 64, 64)
    sampled, distances = [0, 3, 6, 9, 12, 15], [0.1, 0.1, 0.9, 0.3, 0.5]
    assert mean_motion(whole.part(0, 7), sampled, distances) == pytest.approx(0.1)
    assert mean_motion(whole.part(9, 18), sampled, distances) == pytest.approx(0.4)
    assert mean_motion(whole.part(10, 14), sampled, distances) is None


def test_identity_of_a_clip_is_its_content_span_and_crop() -> None:
    clip = Clip("x", 0, 18, None, 24, 64, 64)
    assert clip.id == Clip("x", 0, 18, None, 30, 128, 64).id
    assert len({clip.id, clip.part(0, 17).id, clip.cropped((0, 64, 0, 60)).id}) == 3
    assert len(clip.id) == 16
