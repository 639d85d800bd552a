import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from ops.config import Dataset
from ops.data.buckets import Bucket, Unusable, kept_share, nearest_size, require_size, usable_frames

V1_3 = Dataset(max_area=65536)
PUBLISHED = json.loads((Path(__file__).parent / "parity" / "token_buckets.json").read_text(encoding="utf-8"))


def of_our_stride(cases: list) -> list:
    """A token is 16 pixels wide here, as in the paper; the scripts of v1.3 have 32."""
    return [case for case in cases if case["stride"] == 16]


@pytest.mark.parametrize("table", of_our_stride(PUBLISHED["tables"]), ids=lambda table: table["max_area"])
def test_sizes_are_the_published_ones(table: dict):
    for ratio, size in table["sizes"].items():
        if size is None:
            with pytest.raises(ValidationError, match=f"max_area {table['max_area']} is too small for ratio {ratio}"):
                Dataset(max_area=table["max_area"], ratios=(ratio,))
        else:
            assert Dataset(max_area=table["max_area"], ratios=(ratio,)).sizes() == {ratio: tuple(size)}


@pytest.mark.parametrize("case", of_our_stride(PUBLISHED["reference_code_mapping"]), ids=lambda case: case["max_area"])
def test_sources_go_to_the_published_buckets(case: dict):
    sizes = Dataset(max_area=case["max_area"]).sizes()
    large = [each for each in case["sources"] if each["source"][0] * each["source"][1] >= case["max_area"]]
    assert large
    for each in large:
        assert nearest_size(*each["source"], sizes, min_kept_share=0) == tuple(each["sample"]), each
    assert [sizes[each["nearest"]] for each in case["sources"]] == [
        nearest_size(*each["source"], sizes, min_kept_share=0) for each in case["sources"]
    ]


OF_OUR_VAES = [case for case in PUBLISHED["frame_lengths"] if case["temporal_stride"] == 4]


@pytest.mark.parametrize("case", OF_OUR_VAES, ids=lambda case: case["sequence_parallel"])
def test_lengths_are_the_published_ones(case: dict):
    dataset = Dataset(num_frames=513, max_area=65536, latent_frames_multiple=case["sequence_parallel"])
    for available, length in case["frames"].items():
        if length == -1:
            with pytest.raises(Unusable):
                usable_frames(int(available), dataset)
        else:
            assert usable_frames(int(available), dataset) == length


def test_a_multiple_that_no_length_has_is_refused():
    with pytest.raises(ValidationError, match="latent_frames_multiple 25 leaves no length: num_frames 93 has 24"):
        Dataset(max_area=65536, latent_frames_multiple=25)


def test_what_would_be_enlarged_is_unusable():
    require_size(144, 256, (144, 256))
    for smaller in ((143, 400), (400, 255)):
        with pytest.raises(Unusable, match=r"smaller than its bucket's 144x256: set dataset.enlarge"):
            require_size(*smaller, (144, 256))


def test_the_paper_example_of_sizes():
    """m = 65536 gives 256×256 and, for 9:16, 144×256."""
    sizes = V1_3.sizes()
    assert sizes["1:1"] == (256, 256)
    assert sizes["9:16"] == (144, 256)
    assert sizes["16:9"] == (256, 144)
    assert sizes["3:4"] == (192, 256)
    assert min(h * w for h, w in sizes.values()) == 36864


@pytest.mark.parametrize(
    ("height", "width", "ratio"),
    [
        (720, 1280, "9:16"),
        (1280, 720, "16:9"),
        (480, 640, "3:4"),
        (272, 640, "9:16"),
        (500, 512, "1:1"),
        (867, 1000, "1:1"),  # as factors, √(3/4) = 0.8660 is halfway between 3/4 and 1
        (866, 1000, "3:4"),
    ],
)
def test_the_nearest_ratio_is_nearest_by_factor(height: int, width: int, ratio: str):
    assert nearest_size(height, width, V1_3.sizes()) == V1_3.sizes()[ratio]


def test_what_would_lose_most_of_its_picture_is_dropped():
    sizes = V1_3.sizes()
    assert kept_share(180, 640, sizes["9:16"]) == 0.5
    assert nearest_size(180, 640, sizes) == nearest_size(640, 180, sizes)[::-1] == (144, 256)
    with pytest.raises(Unusable, match=r"too wide .* less than dataset.min_kept_share \(0.5\)"):
        nearest_size(179, 640, sizes)
    with pytest.raises(Unusable, match="too tall"):
        nearest_size(640, 179, sizes)
    assert nearest_size(100, 1920, sizes, min_kept_share=0) == (144, 256)
    with pytest.raises(Unusable, match="too wide"):
        nearest_size(480, 640, {"1:1": (256, 256)}, min_kept_share=0.8)


@pytest.mark.parametrize(("available", "used"), [(29, 29), (32, 29), (33, 33), (92, 89), (93, 93), (500, 93)])
def test_lengths_are_1_plus_4n(available: int, used: int):
    assert usable_frames(available, V1_3) == used


def test_too_few_frames_say_which_setting_asks_for_more():
    with pytest.raises(Unusable, match=r"too short for dataset.min_frames \(29 at 16 a second\)"):
        usable_frames(28, V1_3)


def test_a_bucket_is_written_and_read():
    assert str(Bucket(17, 48, 64)) == "17x48x64"
    assert Bucket.parse("17x48x64") == Bucket(17, 48, 64)
    with pytest.raises(ValueError, match="is not a bucket"):
        Bucket.parse("17x48")
