"""Every file under a folder of sources is a source or in a count, and captions are found however they are spelled."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
import yaml

from ops.config import ConfigError
from ops.curation.sources.left_out import REMEDIES, SUFFIXES
from ops.curation.sources.listing import (
    files_left_out,
    find_sources,
    listing,
    listing_fingerprint,
    remember_listing,
    resolve_root,
)
from ops.runtime.project import Project

CAFE = "café"
PARTS = unicodedata.normalize("NFD", CAFE)
"""The same name in five characters."""


@pytest.fixture
def films(project: Project) -> Path:
    folder = project.root / "films"
    folder.mkdir()
    return folder


def use(project: Project, **sources: object) -> Project:
    tree = {"preset": "tiny", "sources": {"videos": "films", "images": None, "captions": None, **sources}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    return Project(project.root)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"of {name}", encoding="utf-8")


def left_out(project: Project) -> dict[str, int]:
    return {each.what: each.files for each in listing(project, "videos").left_out}


def captions(project: Project) -> dict[str, tuple[str, ...]]:
    return {source.path: source.captions for source in find_sources(project, "videos")}


def test_every_file_is_a_source_or_counted_by_kind(project: Project, films: Path) -> None:
    make(films, "a.mp4", "a.txt", "b.M4V", "deep/c.3gp", "d.mov", "d.mov.TXT", "d.json")
    make(
        films, "e.ts", "f.MPG", "g.heic", "h.tiff", "i.jpeg", "i.txt", "j.caption", "k.txt", "l.zip", "noext", ".hidden"
    )
    make(films, "notes.md", "deep/n.py")
    found = listing(use(project), "videos")
    assert [source.path for source in found.sources] == ["a.mp4", "b.M4V", "d.mov", "deep/c.3gp"]
    assert {each.what: (each.files, each.told, each.example) for each in found.left_out} == {
        "images": (1, "1 (.jpeg 1)", "i.jpeg"),
        "videos of other formats": (2, "2 (.ts 1, .mpg 1)", "e.ts"),
        "images of other formats": (2, "2 (.heic 1, .tiff 1)", "g.heic"),
        "captions that no file has": (2, "2 (.caption 1, .txt 1)", "j.caption"),
        "archives": (1, "1 (.zip 1)", "l.zip"),
        "files without an extension": (1, "1", "noext"),
        "other files": (3, "3 (.md 1, .py 1)", ".hidden"),
    }
    assert all(each.remedy == REMEDIES[each.what] for each in found.left_out)
    sidecars = {"a.txt", "d.mov.TXT", "d.json", "i.txt"}
    everything = {path for path in films.rglob("*") if path.is_file()}
    assert len(everything) == len(found.sources) + len(sidecars) + sum(each.files for each in found.left_out)


def test_a_folder_of_both_kinds_is_told_where_each_kind_is_read(project: Project, films: Path) -> None:
    make(films, "a.mp4", "b.png", "b.txt")
    assert left_out(use(project)) == {"images": 1}
    assert left_out(use(project, images="films")) == {}
    assert left_out(use(project, images="nowhere")) == {"images": 1}


def test_what_the_recipe_names_itself_is_not_left_out(project: Project, films: Path) -> None:
    make(films, "a.mp4")
    (films / "all.json").write_text('{"a.mp4": "a dog"}', encoding="utf-8")
    (films / "list.txt").write_text("a.mp4\n", encoding="utf-8")
    both = use(project, videos=["films", "films/list.txt"], captions="films/all.json")
    assert left_out(both) == {}


def test_a_folder_without_sources_says_what_it_holds(project: Project, films: Path) -> None:
    make(films, "a.ts", "b.ts")
    with pytest.raises(
        ConfigError, match=r"holds none of .*; it holds videos of other formats: 2 \(\.ts 2\), put them"
    ):
        find_sources(use(project), "videos")


def test_the_count_is_remembered_with_the_table(project: Project, films: Path) -> None:
    make(films, "a.mp4", "b.ts")
    used = use(project)
    assert files_left_out(used, "raw_videos") == []
    found = listing(used, "videos")
    remember_listing(used, "raw_videos", listing_fingerprint(used, "videos"), found.left_out)
    assert files_left_out(used, "raw_videos") == list(found.left_out)
    assert files_left_out(used, "clips") == []


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (["a.txt"], "a.txt"),
        (["a.TXT"], "a.TXT"),
        (["a.Caption"], "a.Caption"),
        (["a.mp4.txt"], "a.mp4.txt"),
        (["a.TXT", "a.txt"], "a.txt"),
        (["a.caption", "a.txt"], "a.txt"),
        (["a.txt", "a.mp4.txt"], "a.mp4.txt"),
    ],
)
def test_captions_beside_a_file_in_every_spelling(project: Project, films: Path, beside: list[str], said: str) -> None:
    make(films, "a.mp4", *beside)
    assert captions(use(project)) == {"a.mp4": (f"of {said}",)}
    assert sum(left_out(use(project)).values()) == len(beside) - 1


def test_a_json_may_be_in_capitals_or_named_after_the_whole_file(project: Project, films: Path) -> None:
    for name, file in (("a.mp4", "a.JSON"), ("b.mov", "b.mov.json")):
        make(films, name)
        (films / file).write_text(json.dumps({"caption": file, "licence": "CC0-1.0"}), encoding="utf-8")
    found = find_sources(use(project), "videos")
    assert [(source.captions, source.facts.licence) for source in found] == [
        (("a.JSON",), "CC0-1.0"),
        (("b.mov.json",), "CC0-1.0"),
    ]


def test_files_that_differ_in_capitals_only_keep_their_own_captions(project: Project, films: Path) -> None:
    make(films, "a.mp4", "A.mp4", "a.txt")
    assert captions(use(project)) == {"A.mp4": (), "a.mp4": ("of a.txt",)}


def test_a_caption_in_another_spelling_changes_the_fingerprint(project: Project, films: Path) -> None:
    make(films, "a.mp4")
    before = listing_fingerprint(use(project), "videos")
    make(films, "a.mp4.TXT")
    assert listing_fingerprint(use(project), "videos") != before


@pytest.mark.parametrize(("on_disk", "written"), [(CAFE, PARTS), (PARTS, CAFE)])
def test_names_meet_however_their_characters_are_composed(
    project: Project, films: Path, on_disk: str, written: str
) -> None:
    """Macs write names in parts, most others in whole characters; what lists them was often made elsewhere."""
    assert on_disk != written
    make(films, f"{on_disk}/{on_disk}.mp4", f"{on_disk}/{written}.txt")
    assert captions(use(project)) == {f"{on_disk}/{on_disk}.mp4": (f"of {on_disk}/{written}.txt",)}
    (films / on_disk / f"{written}.txt").unlink()

    (project.root / "captions.json").write_text(json.dumps({f"{written}.mp4": "a café"}), encoding="utf-8")
    assert captions(use(project, captions="captions.json")) == {f"{on_disk}/{on_disk}.mp4": ("a café",)}

    lines = [f"{written}/{written}.mp4", f"{on_disk}/{on_disk}.mp4"]
    (films / "list.txt").write_text("\n".join(lines), encoding="utf-8")
    found = find_sources(use(project, videos="films/list.txt"), "videos")
    assert [(source.path, source.problem) for source in found] == [(f"{on_disk}/{on_disk}.mp4", None)]

    assert resolve_root(use(project), f"films/{written}") == films / on_disk


def test_both_spellings_may_lie_side_by_side(project: Project, films: Path) -> None:
    make(films, f"{CAFE}.mp4", f"{PARTS}.mp4")
    (films / "list.txt").write_text(f"{CAFE}.mp4\n{PARTS}.mp4\n", encoding="utf-8")
    found = find_sources(use(project, videos="films/list.txt"), "videos")
    assert [source.problem for source in found] == [None, None]


def test_no_extension_is_of_two_kinds() -> None:
    assert not SUFFIXES["videos"] & SUFFIXES["images"]
