import pytest

from ops.config import Dataset
from ops.data.buckets import Bucket, Unusable, kept_share, nearest_size, usable_frames

V1_3 = Dataset(max_area=65536)


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
