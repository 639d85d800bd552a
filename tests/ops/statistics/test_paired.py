"""The paired comparison on cases whose answer is known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ops.statistics.paired import FEWEST, Pair, PairedDifference, paired_difference


def pairs_of(gains: np.ndarray, first: float = 0.5) -> list[Pair]:
    """float [prompts, seeds] → a pair each."""
    return [Pair(f"prompt {row}", first, first + gain) for row, seeds in enumerate(gains) for gain in seeds]


def binary(random: np.random.Generator, prompts: int, seeds: int, first: float, second: float) -> list[Pair]:
    """Videos that keep their prompt or not, as often as a model's share says; prompts differ in how hard they are."""
    hard = random.uniform(-0.15, 0.15, prompts)
    return [
        Pair(f"prompt {row}", float(random.random() < first + shift), float(random.random() < second + shift))
        for row, shift in enumerate(hard)
        for _ in range(seeds)
    ]


def test_a_model_is_no_worse_than_itself_and_no_better() -> None:
    found = paired_difference(pairs_of(np.zeros((12, 2))))
    assert found == PairedDifference(0.0, 0.0, 0.0, 12, 24, 0.0, "no worse")
    assert found.verdict == "no worse"


def test_two_alike_are_told_apart_in_few_cases_only() -> None:
    """Equal models: a word that says better or worse is wrong, and may come in about one of twenty cases."""
    random = np.random.default_rng(0)
    words = [paired_difference(binary(random, 24, 2, 0.6, 0.6)).word for _ in range(300)]
    assert sum(word in ("better", "worse") for word in words) / len(words) < 0.08
    assert words.count("cannot tell") > 250


@pytest.mark.parametrize(("shift", "word"), [(0.1, "better"), (-0.1, "worse")])
def test_a_known_shift_is_found(shift: float, word: str) -> None:
    random = np.random.default_rng(1)
    found = [paired_difference(pairs_of(random.normal(shift, 0.1, (24, 2)))) for _ in range(50)]
    assert sum(each.word == word for each in found) > 47
    assert np.mean([each.mean for each in found]) == pytest.approx(shift, abs=0.01)


def test_a_loss_within_the_margin_is_no_worse_and_one_beyond_it_is() -> None:
    gains = np.random.default_rng(2).normal(-0.02, 0.03, (30, 1))
    assert paired_difference(pairs_of(gains), margin=0.05).word == "no worse"
    assert paired_difference(pairs_of(gains), margin=0.0).word == "worse"
    assert paired_difference(pairs_of(gains), margin=0.02).word == "cannot tell"


def test_where_lower_is_better_the_sign_turns() -> None:
    gains = np.random.default_rng(3).normal(-0.1, 0.05, (12, 1))
    assert paired_difference(pairs_of(gains), higher_is_better=False).word == "better"


@pytest.mark.parametrize("prompts", [8, 12, 40])
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(prompts: int) -> None:
    """Of skewed differences: a model that keeps few more prompts than the other. The share is of 400 worlds."""
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        found = paired_difference(pairs_of(random.gamma(2.0, 0.1, (prompts, 1)) - 0.2))
        inside += found.low <= 0 <= found.high
    assert 0.90 < inside / 400 < 0.98


def test_seeds_of_one_prompt_are_no_further_prompts() -> None:
    """Each prompt has one difference, however often it is seen: nine more seeds must not narrow the interval."""
    gains = np.random.default_rng(5).normal(0.05, 0.2, (10, 1))
    once, often = paired_difference(pairs_of(gains)), paired_difference(pairs_of(np.repeat(gains, 10, axis=1)))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert (often.prompts, often.videos) == (10, 100)


def test_the_number_of_videos_is_enough_four_times_in_five() -> None:
    """What it asks for, when the first look was typical, tells them apart in about 80 % of new looks."""
    spread, shift = 0.3, 0.1
    typical = np.random.default_rng(6).normal(0, 1, (12, 1))
    typical = shift + spread * (typical - typical.mean()) / typical.std(ddof=1)
    found = paired_difference(pairs_of(typical))
    assert found.word == "cannot tell"
    assert found.more_videos == pytest.approx(((1.96 + 0.84) * spread / shift) ** 2 - 12, rel=0.1)
    assert re.fullmatch(r"cannot tell, needs about \d+ more videos", found.verdict)
    random, prompts = np.random.default_rng(7), 12 + found.more_videos
    again = [paired_difference(pairs_of(random.normal(shift, spread, (prompts, 1)))).word for _ in range(150)]
    assert 0.7 < again.count("better") / len(again) < 0.92


def test_few_prompts_tell_nothing_however_they_agree() -> None:
    found = paired_difference(pairs_of(np.ones((FEWEST - 1, 2))))
    assert (found.word, found.more_videos) == ("cannot tell", 2)
    assert paired_difference(pairs_of(np.ones((FEWEST, 2)))).word == "better"
    assert paired_difference([Pair("one", 0.0, 1.0)]).word == "cannot tell"


def test_a_difference_that_is_exactly_none_needs_more_videos_than_there_are() -> None:
    found = paired_difference(pairs_of(np.array([[0.1], [-0.1]] * 6)))
    assert found.more_videos is None
    assert "too alike" in found.verdict


def test_equal_pairs_give_equal_intervals_and_none_is_an_error() -> None:
    gains = np.random.default_rng(8).normal(0, 0.2, (9, 1))
    assert paired_difference(pairs_of(gains)) == paired_difference(pairs_of(gains))
    with pytest.raises(ValueError, match="without a video of the same prompt"):
        paired_difference([])
