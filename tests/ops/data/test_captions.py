import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ops.curation import tables as schemas
from ops.data import captions
from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.sidecar import SidecarCaptioner
from ops.runtime import tables
from ops.runtime.project import Project

ITEM = Item("clip", "video", "a.mp4", ("one", "two", "three"), None, lambda count: [])


def rows(project: Project) -> dict[str, dict[str, Any]]:
    captions.captions(project)
    return {row["item_id"]: row for row in tables.read(project.table("captions"))}


def edit(project: Project, table: str, schema: Any, **columns: Any) -> None:
    """Change columns of the first row."""
    first, *others = tables.read(project.table(table))
    tables.write(project.table(table), [{**first, **columns}, *others], schema)


def test_every_kept_item_gets_its_caption_and_rejected_ones_no_row(curated: Project):
    found = rows(curated)
    clips = tables.kept(tables.read(curated.table("curated_clips")))
    images = tables.kept(tables.read(curated.table("curated_images")))
    assert set(found) == {row["clip_id"] for row in clips} | {row["source_id"] for row in images}
    assert [found[row["clip_id"]]["caption"] for row in clips] == [f"A film with number {n}" for n in range(3)]
    assert found[images[1]["source_id"]]["caption"] == "picture number 1"
    assert json.loads(found[clips[0]["clip_id"]]["captioner"]) == {"name": "sidecar", "seed": 1234}
    assert {row["rejected_by"] for row in found.values()} == {None}


def test_one_of_several_captions_is_chosen_by_seed_and_item():
    items = [replace(ITEM, item_id=str(number)) for number in range(50)]
    chosen = SidecarCaptioner(seed=0).write(items)
    assert {written.text for written in chosen if isinstance(written, Written)} == {"one", "two", "three"}
    assert chosen == SidecarCaptioner(seed=0).write(items)
    assert chosen != SidecarCaptioner(seed=1).write(items)


def test_what_is_written_in_an_image_is_said_in_its_caption():
    sign = replace(ITEM, captions=("a shop",), recognised_text=("OPEN", 'the "best"'))
    assert SidecarCaptioner(0).write([sign]) == [Written("a shop \"OPEN, the 'best'\" can be recognized in the image.")]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"captions": []}, "no caption came with film0.mkv"),
        ({"captions": [], "caption_error": "film0.json: not valid JSON"}, "film0.json: not valid JSON"),
        ({"captions": [" \n "]}, "the caption of film0.mkv is empty"),
    ],
)
def test_an_item_without_a_caption_is_a_rejected_row(curated: Project, columns: dict[str, Any], reason: str):
    edit(curated, "raw_videos", schemas.RAW_VIDEOS, **columns)
    rejected = [row for row in rows(curated).values() if row["rejected_by"]]
    assert [(row["rejected_by"], row["reason"], row["caption"]) for row in rejected] == [("captions", reason, None)]


def test_ten_thousand_characters_are_cut_with_a_note(curated: Project):
    edit(curated, "raw_videos", schemas.RAW_VIDEOS, captions=["long " * 2000])
    (row,) = [row for row in rows(curated).values() if row["note"]]
    assert row["note"] == "cut from 9,999 to 1,999 characters"
    assert row["rejected_by"] is None
    assert len(row["caption"]) == 1999


@pytest.mark.parametrize("place", [0, -1])
def test_of_two_equal_files_the_kept_one_gives_its_caption(curated: Project, place: int):
    """The other one is a rejected row of the same content, before it or after it."""
    videos = tables.read(curated.table("raw_videos"))
    verdict = {"rejected_by": "raw_videos", "reason_code": "duplicate", "reason": "duplicate of film0.mkv"}
    again = {**videos[0], "path": "copy.mkv", "captions": ["a caption of the copy"], **verdict}
    rest = [*videos, again] if place else [again, *videos]
    tables.write(curated.table("raw_videos"), rest, schemas.RAW_VIDEOS)
    clip = next(row for row in tables.read(curated.table("curated_clips")) if row["source_id"] == again["source_id"])
    assert rows(curated)[clip["clip_id"]]["caption"] == "A film with number 0"


class CountingCaptioner:
    """Stands in for a captioner that costs something, and fails when it is told to."""

    workers = 1
    batch_size = 2

    def __init__(self, fail_at: int | None = None) -> None:
        self.asked: list[str] = []
        self.fail_at = fail_at

    def identity(self) -> dict[str, Any]:
        return {"name": "counting"}

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        if len(self.asked) == self.fail_at:
            raise RuntimeError("the server has gone")
        self.asked += [item.item_id for item in items]
        return [Written(f"caption of {item.name}, {item.frames(2)[0].shape}", 3, 4, 0.5) for item in items]


def test_a_stopped_run_goes_on_where_it_was(curated: Project, monkeypatch: pytest.MonkeyPatch):
    use: Callable[[CountingCaptioner], None] = lambda writer: monkeypatch.setattr(  # noqa: E731
        captions, "captioner", lambda *_: writer
    )
    first, second = CountingCaptioner(fail_at=4), CountingCaptioner()
    use(first)
    with pytest.raises(RuntimeError, match="gone"):
        captions.captions(curated)
    assert not curated.table("captions").exists()
    use(second)
    found = rows(curated)
    assert len(found) == 6
    assert set(first.asked).isdisjoint(second.asked)
    assert len(second.asked) == 2
    assert found[first.asked[0]]["caption"] == "caption of film0.mkv, (48, 48, 3)"  # cropped
    assert {(row["input_tokens"], row["output_tokens"], row["cost"]) for row in found.values()} == {(3, 4, 0.5)}


def test_given_captions_are_kept_where_the_recipe_says_so(curated: Project, monkeypatch: pytest.MonkeyPatch):
    first, second, *others = tables.read(curated.table("curated_images"))
    silent = {**second, "collection": "captioned", "captions": []}
    rest = [{**row, "collection": "people"} for row in others]
    tables.write(
        curated.table("curated_images"), [{**first, "collection": "captioned"}, silent, *rest], schemas.CURATED_IMAGES
    )
    writer = CountingCaptioner()
    monkeypatch.setattr(captions, "captioner", lambda *_: writer)
    found = rows(curated)
    origins = {item_id: row["origin"] for item_id, row in found.items() if row["kind"] == "image"}
    assert origins[first["source_id"]] == "sidecar"
    assert found[first["source_id"]]["caption"] == "picture number 0"
    assert {origin for item_id, origin in origins.items() if item_id != first["source_id"]} == {"counting"}
    assert first["source_id"] not in writer.asked
