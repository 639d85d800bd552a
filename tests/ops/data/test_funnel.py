from itertools import pairwise

from ops.curation import tables as schemas
from ops.data.captions import SCHEMA, captions
from ops.data.training_set import training_set
from ops.reports.funnel import funnel
from ops.runtime import tables
from ops.runtime.project import Project


def test_every_step_counts_what_it_leaves_and_takes(curated: Project):
    rows = {(row["kind"], row["step"]): row for row in funnel(curated)}
    assert list(rows) == [
        *(("video", step) for step in ("raw_videos", "clips", "shots", "motion", "text_crop", "aesthetics")),
        *(("video", step) for step in ("technical_quality", "motion_recheck", "near_duplicates")),
        *(("image", step) for step in ("raw_images", "min_side", "aesthetics", "technical_quality", "curated_images")),
    ]
    assert rows["video", "raw_videos"]["kept"] == 3
    assert rows["video", "raw_videos"]["reasons"] == {"the file is empty": 1}
    assert [rows["video", step]["kept"] for step in ("clips", "shots", "motion", "aesthetics")] == [6, 6, 5, 4]
    last = rows["video", "motion_recheck"]
    assert (last["kept"], last["share"], last["seconds"]) == (3, 0.5, 6.0)
    assert rows["image", "curated_images"]["reasons"] == {"too dull": 1}
    assert rows["image", "curated_images"]["share"] == 0.75


def test_rules_of_collections_stand_where_they_are_asked(curated: Project):
    rows = tables.read(curated.table("curated_images"))
    for row, rule in zip(rows, ("recognised_text", "watermark"), strict=False):
        row.update(rejected_by=rule, reason="so")
    tables.write(curated.table("curated_images"), rows, schemas.CURATED_IMAGES)
    images = [row for row in funnel(curated) if row["kind"] == "image"]
    steps = ("raw_images", "min_side", "watermark", "aesthetics", "technical_quality", "recognised_text")
    assert [row["step"] for row in images] == [*steps, "curated_images"]
    for before, after in pairwise(images):
        assert after["kept"] + after["rejected"] == before["kept"]


def test_nothing_is_lost_between_the_steps(curated: Project):
    rows = [row for row in funnel(curated) if row["kind"] == "video"][1:]
    for before, after in pairwise(rows):
        assert after["kept"] + after["rejected"] == before["kept"]


def test_measured_numbers_do_not_split_a_reason(curated: Project):
    rows = tables.read(curated.table("curated_clips"))
    for number, row in enumerate(rows):
        row.update(rejected_by="motion", reason=f"motion 0.000{number} is below 0.001: almost a still picture")
    tables.write(curated.table("curated_clips"), rows, schemas.NEAR_DUPLICATES)
    (motion,) = [row for row in funnel(curated) if row["step"] == "motion"]
    assert motion["reasons"] == {"motion … is below 0.001: almost a still picture": 6}
    for number, row in enumerate(rows):
        row.update(reason=f"{number + 3} frames between cuts, fewer than 32")
    tables.write(curated.table("curated_clips"), rows, schemas.NEAR_DUPLICATES)
    (motion,) = [row for row in funnel(curated) if row["step"] == "motion"]
    assert motion["reasons"] == {"… frames between cuts, fewer than 32": 6}


def test_many_reasons_are_counted_to_the_last(curated: Project):
    rows = tables.read(curated.table("curated_clips"))
    rows = [{**rows[0], "rejected_by": "shots", "reason": letter} for letter in "aabcdefg"]
    tables.write(curated.table("curated_clips"), rows, schemas.NEAR_DUPLICATES)
    (shots,) = [row for row in funnel(curated) if row["step"] == "shots"]
    assert sum(shots["reasons"].values()) == 8
    assert shots["reasons"]["a"] == 2
    assert shots["reasons"]["other reasons"] == 2


def test_reasons_are_grouped_by_their_code(curated: Project):
    """Every duplicate names another file; together they are one reason."""
    rows = tables.read(curated.table("raw_videos"))
    duplicate = {"rejected_by": "raw_videos", "reason_code": "duplicate"}
    rows += [{**rows[0], **duplicate, "reason": f"duplicate of {name}.mp4"} for name in "abcdefg"]
    tables.write(curated.table("raw_videos"), rows, schemas.RAW_VIDEOS)
    (videos,) = [row for row in funnel(curated) if row["step"] == "raw_videos"]
    assert videos["reasons"] == {"the same content as another file": 7, "the file is empty": 1}
    assert videos["codes"] == {"duplicate": 7, "empty": 1}


def test_captions_and_buckets_follow_once_they_exist(curated: Project):
    captions(curated)
    training_set(curated)
    items = [row for row in funnel(curated) if row["kind"] == "item"]
    assert [(row["step"], row["kept"], row["share"]) for row in items] == [
        ("captions", 6, 1.0),
        ("training_set", 6, 1.0),
    ]


def test_captions_and_buckets_of_an_earlier_curation_are_left_out(curated: Project):
    captions(curated)
    training_set(curated)
    written = tables.read(curated.table("captions"))
    tables.write(curated.table("captions"), [{**written[0], "rejected_by": "captions"}, *written[1:]], SCHEMA)
    assert [row["step"] for row in funnel(curated) if row["kind"] == "item"] == ["captions"]
    tables.write(curated.table("captions"), written[1:], SCHEMA)
    assert [row for row in funnel(curated) if row["kind"] == "item"] == []


def test_images_alone_have_a_funnel(curated: Project):
    tables.write(curated.table("raw_videos"), [], schemas.RAW_VIDEOS)
    tables.write(curated.table("clips"), [], schemas.CLIPS)
    tables.write(curated.table("curated_clips"), [], schemas.NEAR_DUPLICATES)
    assert {row["kind"] for row in funnel(curated)} == {"image"}
