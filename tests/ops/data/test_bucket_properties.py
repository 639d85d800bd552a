"""What holds of buckets for every picture and every recipe."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.geometry import PIXELS_PER_TOKEN
from ops.config import Dataset, ratio_of
from ops.data.buckets import Bucket, Unusable, kept_share, nearest_size, usable_frames

SIDES = st.integers(1, 20_000)
TERMS = st.integers(1, 12)
RATIOS = st.lists(st.builds("{}:{}".format, TERMS, TERMS), min_size=1, max_size=6, unique_by=ratio_of)
LENGTHS = st.integers(0, 60).map(lambda n: 1 + 4 * n)


def dataset_of(ratios: list[str], max_area: int) -> Dataset:
    smallest = max(ratio_of(ratio).numerator * ratio_of(ratio).denominator for ratio in ratios) * PIXELS_PER_TOKEN**2
    return Dataset(max_area=max(max_area, smallest), ratios=tuple(ratios))


@given(RATIOS, st.integers(256, 2**21))
def test_a_size_has_its_ratio_and_is_the_largest_that_fits(ratios: list[str], max_area: int) -> None:
    dataset = dataset_of(ratios, max_area)
    for ratio, (height, width) in dataset.sizes().items():
        assert Fraction(height, width) == ratio_of(ratio)
        assert height % PIXELS_PER_TOKEN == width % PIXELS_PER_TOKEN == 0
        assert height * width <= dataset.max_area
        step = ratio_of(ratio)
        larger = (height + PIXELS_PER_TOKEN * step.numerator) * (width + PIXELS_PER_TOKEN * step.denominator)
        assert larger > dataset.max_area


@given(SIDES, SIDES, RATIOS, st.floats(0, 1))
def test_a_picture_goes_where_most_of_it_is_kept_or_nowhere(height: int, width: int, ratios: list[str], least: float):
    sizes = dataset_of(ratios, 2**16).sizes()
    best = max(kept_share(height, width, size) for size in sizes.values())
    if best < least:
        with pytest.raises(
            Unusable, match=f"too {'tall' if _is_taller(height, width, sizes) else 'wide'} for the buckets"
        ):
            nearest_size(height, width, sizes, least)
    else:
        assert kept_share(height, width, nearest_size(height, width, sizes, least)) == pytest.approx(best)


def _is_taller(height: int, width: int, sizes: dict[str, tuple[int, int]]) -> bool:
    """Than the bucket that would keep most of it."""
    h, w = max(sizes.values(), key=lambda size: kept_share(height, width, size))
    return height * w > width * h


@given(SIDES, SIDES, RATIOS)
def test_a_picture_on_its_side_goes_into_the_bucket_on_its_side(height: int, width: int, ratios: list[str]) -> None:
    sizes = dataset_of(ratios, 2**16).sizes()
    shares = sorted(kept_share(height, width, size) for size in sizes.values())
    assume(len(shares) < 2 or shares[-1] - shares[-2] > 1e-9)  # of two that are equally near, either will do
    turned = {ratio: (w, h) for ratio, (h, w) in sizes.items()}
    turned = {":".join(reversed(ratio.split(":"))): size for ratio, size in turned.items()}
    assert nearest_size(width, height, turned, 0) == nearest_size(height, width, sizes, 0)[::-1]


@given(SIDES, SIDES, SIDES, SIDES)
def test_the_kept_share_is_what_a_crop_leaves(height: int, width: int, bucket_height: int, bucket_width: int) -> None:
    """Of the largest window of the picture that has the bucket's shape."""
    ratio = Fraction(bucket_height, bucket_width)
    window = (height * (height / ratio), ratio * width * width)  # as tall as the picture, as wide as the picture
    expected = float(min(window) / (height * width))
    assert kept_share(height, width, (bucket_height, bucket_width)) == pytest.approx(expected)


@given(st.integers(1, 1000), LENGTHS, LENGTHS)
def test_as_many_frames_as_there_are_in_the_vaes_steps(available: int, one: int, other: int) -> None:
    least, most = sorted((one, other))
    dataset = Dataset(max_area=65536, num_frames=most, min_frames=least)
    if available < least:
        with pytest.raises(Unusable, match=f"min_frames \\({least} "):
            usable_frames(available, dataset)
    else:
        frames = usable_frames(available, dataset)
        assert frames % 4 == 1
        assert least <= frames <= min(available, most)
        assert frames + 4 > min(available, most)


@given(st.builds(Bucket, SIDES, SIDES, SIDES), st.builds(Bucket, SIDES, SIDES, SIDES))
def test_a_bucket_is_its_name(one: Bucket, other: Bucket) -> None:
    assert Bucket.parse(str(one)) == one
    assert (str(one) == str(other)) == (one == other)
