import shutil
from collections.abc import Callable
from typing import Any

import pytest

from ops.curation import tables as schemas
from ops.data.captions import SCHEMA, captions
from ops.data.expectations import validate
from ops.data.samples import training_samples
from ops.data.split import EmptySplit
from ops.data.training_set import EmptyTrainingSet, training_set
from ops.runtime import tables
from ops.runtime.project import Project

RABBIT, MIXED = "\u5154\u5b50", "\u5154\u5b50\u5728\u8349\u5730\u4e0a a cat"
SetParams = Callable[[str], Project]


def buckets(project: Project) -> list[dict[str, Any]]:
    """The table of buckets, which its blocking check lets through whatever was dropped."""
    assert validate(project, "buckets").failures == []
    return tables.read(project.data / "training_set" / "buckets.parquet")


@pytest.fixture
def captioned(curated: Project) -> Project:
    captions(curated)
    return curated


def test_kept_items_become_samples_in_buckets(captioned: Project):
    training_set(captioned)
    samples = training_samples(captioned)
    videos = training_samples(captioned, kinds=("video",))
    images = training_samples(captioned, kinds=("image",))
    assert len(videos) + len(images) == len(samples)
    assert {sample["bucket"] for sample in videos} == {"13x64x64"}  # 32 frames at 16/s are 16 at 8/s; cropped square
    assert {sample["bucket"] for sample in images} == {"1x48x64"}
    assert len({sample["sample_id"] for sample in samples}) == len(samples)
    first = videos[0]
    assert first["frame_indices"] == list(range(0, 26, 2))
    assert first["crop"] == [8, 56, 0, 48]
    assert first["caption"] == "A film with number 0"
    assert images[0]["frame_indices"] == [0]


@pytest.mark.parametrize(
    ("encoder", "dropped"),
    [
        (
            "{weights: t5-v1_1-xxl, clean_captions: true}",
            ["\u5154\u5b50", "\u5154\u5b50\u5728\u8349\u5730\u4e0a a cat"],
        ),
        ("{weights: t5-v1_1-xxl, clean_captions: true, min_readable_share: 0.1}", ["\u5154\u5b50"]),
        ("{weights: t5-v1_1-xxl, clean_captions: false}", []),
        ("{weights: mt5-xxl, clean_captions: true}", []),
    ],
)
def test_captions_that_the_encoder_cannot_read_are_left_out_and_counted(
    captioned: Project, set_params: SetParams, encoder: str, dropped: list[str]
):
    rows = tables.read(captioned.table("captions"))
    films = [row for row in rows if row["kind"] == "video"]
    others = [row for row in rows if row["kind"] != "video"]
    films[0]["caption"], films[1]["caption"] = RABBIT, MIXED
    extra = [{**films[0], "item_id": "more", "caption": "\u5154 a cat sits"}]
    tables.write(captioned.table("captions"), [*films, *others, *extra], SCHEMA)
    clips = tables.read(captioned.table("curated_clips"))
    kept = next(row for row in clips if row["clip_id"] == films[2]["item_id"])
    more = {**kept, "clip_id": "more", "sha256": "f" * 64, "source_id": "f" * 16}
    tables.write(captioned.table("curated_clips"), [*clips, more], schemas.NEAR_DUPLICATES)
    project = set_params(f"text_encoder: {encoder}\ndataset: {{max_dropped_share: 0.9}}")
    training_set(project)
    unread = [row for row in buckets(project) if row["reason"]]
    ids = [row["item_id"] for row in films if row["caption"] in dropped]
    assert [item for row in unread for item in row["dropped"]] == sorted(ids)
    assert all("reads less of the caption than text_encoder.min_readable_share" in row["reason"] for row in unread)
    assert not {row["item_id"] for row in training_samples(project)} & set(ids)


def test_no_source_is_in_both_splits_and_each_kind_is_in_both(captioned: Project):
    training_set(captioned)
    for kind in ("video", "image"):
        train = {sample["sha256"] for sample in training_samples(captioned, "train", (kind,))}
        out = {sample["sha256"] for sample in training_samples(captioned, "held_out", (kind,))}
        assert train
        assert out
        assert train.isdisjoint(out)


def test_copies_of_a_file_stay_together(captioned: Project):
    rows = tables.read(captioned.table("curated_clips"))
    shutil.copy(captioned.root / "films" / "film0.mkv", captioned.root / "films" / "copy.mkv")
    copy = {**rows[0], "clip_id": "copy", "source_id": "copy", "path": "copy.mkv"}
    tables.write(captioned.table("curated_clips"), [*rows, copy], schemas.NEAR_DUPLICATES)
    written = tables.read(captioned.table("captions"))
    tables.write(captioned.table("captions"), [*written, {**written[0], "item_id": "copy"}], SCHEMA)
    training_set(captioned)
    splits = {row["split"] for row in training_samples(captioned) if row["sha256"] == rows[0]["sha256"]}
    assert len(splits) == 1


def test_the_buckets_are_counted_and_what_was_dropped_is_named(captioned: Project, set_params: SetParams):
    rows = tables.read(captioned.table("curated_clips"))
    rows[0]["end_frame"] = 10
    tables.write(captioned.table("curated_clips"), rows, schemas.NEAR_DUPLICATES)
    training_set(captioned)
    counted = buckets(captioned)
    assert sum(row["samples"] for row in counted) == len(training_samples(captioned))
    assert {row["enlarged"] for row in counted if row["kind"] == "video" and row["bucket"]} == {1}  # 48 → 64
    shares = {(row["kind"], row["kept_share"], row["least_kept_share"]) for row in counted if row["bucket"]}
    assert shares == {("video", 1.0, 1.0), ("image", 0.9375, 0.9375)}  # 1:1 stays, 4:5 becomes 3:4
    (dropped,) = [row for row in counted if row["bucket"] is None]
    assert dropped["dropped"] == [rows[0]["clip_id"]]
    assert dropped["reason"].startswith("too short for dataset.min_frames (9")


def test_an_item_whose_caption_was_rejected_is_dropped(captioned: Project):
    written = tables.read(captioned.table("captions"))
    written[0].update(caption=None, rejected_by="captions", reason="none came with it")
    tables.write(captioned.table("captions"), written, SCHEMA)
    training_set(captioned)
    assert [row["dropped"] for row in buckets(captioned) if row["reason"] == "there is no caption"] == [
        [written[0]["item_id"]]
    ]


def test_dropping_too_much_is_an_error_with_numbers(captioned: Project, set_params: SetParams):
    project = set_params("dataset: {min_frames: 17, max_dropped_share: 0.4}")
    with pytest.raises(EmptyTrainingSet, match=r"3 of 6 curated items.*max_dropped_share \(0.4\).*3 because too short"):
        training_set(project)
    assert not (project.data / "training_set").exists()
    training_set(set_params("dataset: {min_frames: 17, max_dropped_share: 0.5}"))


def test_nothing_curated_is_an_error(captioned: Project):
    for table, schema in (
        ("curated_clips", schemas.NEAR_DUPLICATES),
        ("curated_images", schemas.CURATED_IMAGES),
    ):
        tables.write(captioned.table(table), [], schema)
    with pytest.raises(EmptyTrainingSet, match="no curated clip and no curated image is left"):
        training_set(captioned)


def test_a_single_source_cannot_be_split(captioned: Project):
    rows = tables.read(captioned.table("curated_clips"))
    tables.write(captioned.table("curated_clips"), rows[:2], schemas.NEAR_DUPLICATES)
    with pytest.raises(EmptySplit, match="only 1 video source has usable samples"):
        training_set(captioned)


def test_videos_alone_are_enough(captioned: Project):
    tables.write(captioned.table("curated_images"), [], schemas.CURATED_IMAGES)
    training_set(captioned)
    assert {sample["kind"] for sample in training_samples(captioned)} == {"video"}


def test_the_same_input_gives_the_same_bytes(captioned: Project):
    files = [captioned.data / "training_set" / name for name in ("samples.parquet", "buckets.parquet")]
    training_set(captioned)
    before = [file.read_bytes() for file in files]
    training_set(captioned)
    assert [file.read_bytes() for file in files] == before
