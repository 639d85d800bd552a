"""Made sources: names, folders, and what curation finds in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.config.sources import VideoCollection
from ops.curation.sources.listing import file_of, find_sources
from ops.made_world.clips import FRAMES, LICENCE, ensure, truth_of
from ops.made_world.detector import read
from ops.made_world.scenes import held_out_combinations, of_caption, shown_combinations
from ops.made_world.source import MadeSource, UnknownWorld
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4
from ops.runtime.project import Project


def test_a_name_says_what_differs_from_the_defaults() -> None:
    assert MadeSource.parse("made:shapes") == MadeSource()
    assert MadeSource.parse("made:shapes?clips=6&seed=0&variant=two") == MadeSource(6, 0, "two")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("made:cubes", "there is no made world 'cubes'; there is made:shapes"),
        ("made:shapes?clip=6", "'clip' is no setting of it; there are clips, colours, seed, variant"),
        ("made:shapes?clips=0", "clips is '0', but must be a whole number above 0"),
        ("made:shapes?seed=-1", "seed is '-1'"),
        ("made:shapes?variant=three", "must be one of one, two, cuts, subtitles"),
        ("made:shapes?colours=red,pink", "colours is 'red,pink', but must be of red, green, blue, yellow, orange"),
        ("made:shapes?colours=orange&variant=two", "variant two has things of two colours"),
    ],
)
def test_a_name_that_makes_nothing_is_an_error_of_the_recipe(name: str, why: str) -> None:
    with pytest.raises(UnknownWorld, match=why):
        MadeSource.parse(name)
    with pytest.raises(ValueError, match=why):
        VideoCollection(path=name)


def test_the_same_name_makes_the_same_bytes_once(tmp_path: Path) -> None:
    source = MadeSource.parse("made:shapes?clips=3")
    folders = [ensure(tmp_path / name, source) for name in ("a", "b")]
    files = [sorted(folder.iterdir()) for folder in folders]
    assert [file.name for file in files[0]] == [f"clip_0000{n}.{end}" for n in range(3) for end in ("mp4", "txt")]
    assert [sha256(file) for file in files[0]] == [sha256(file) for file in files[1]]
    before = files[0][0].stat().st_mtime_ns
    assert ensure(tmp_path / "a", source) == folders[0]
    assert files[0][0].stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "a").iterdir() if path.name.startswith(".")] == []


def test_clips_show_what_their_captions_say(tmp_path: Path) -> None:
    source = MadeSource.parse("made:shapes?clips=5&seed=2")
    truth, folder = truth_of(tmp_path, source), ensure(tmp_path, source)
    for name, known in truth.items():
        frames = read_mp4(folder / name)
        caption = (folder / name).with_suffix(".txt").read_text(encoding="utf-8").strip()
        combination = of_caption(caption)
        assert combination in shown_combinations()
        assert known["caption"] == caption
        thing = read(frames).things[0]
        assert [thing.colour, thing.shape, thing.direction] == known["combinations"][0]
        assert len(frames) == FRAMES


def test_a_further_colour_is_shown_where_it_is_named(tmp_path: Path) -> None:
    source = MadeSource.parse("made:shapes?clips=9&colours=orange")
    captions = {str(known["caption"]) for known in truth_of(tmp_path, source).values()}
    assert captions == {each.caption for each in shown_combinations(("orange",))}
    assert len(captions) == 9
    assert captions & {each.caption for each in held_out_combinations(("orange",))} == set()
    frames = [read_mp4(file) for file in sorted(ensure(tmp_path, source).glob("*.mp4"))]
    assert {read(each).things[0].colour for each in frames} == {"orange"}


def test_a_cut_is_where_the_truth_says(tmp_path: Path) -> None:
    source = MadeSource.parse("made:shapes?clips=1&variant=cuts")
    known, folder = truth_of(tmp_path, source)["clip_00000.mp4"], ensure(tmp_path, source)
    frames = read_mp4(folder / "clip_00000.mp4")
    (cut,) = known["cuts"]
    for scene, part in zip(known["scenes"], (frames[:cut], frames[cut:]), strict=True):
        assert read(part).things[0].colour == scene["combinations"][0][0]


def test_subtitles_are_written_below_the_row_that_the_truth_names(tmp_path: Path) -> None:
    source = MadeSource.parse("made:shapes?clips=1&variant=subtitles")
    known, folder = truth_of(tmp_path, source)["clip_00000.mp4"], ensure(tmp_path, source)
    band = read_mp4(folder / "clip_00000.mp4")[0, known["text_from_row"] :]
    assert (band > 200).all(axis=-1).mean() > 0.02
    assert (band < 40).all(axis=-1).mean() > 0.5


def test_curation_finds_them_with_captions_and_licence(project: Project) -> None:
    params = "preset: tiny\nsources: {videos: 'made:shapes?clips=2', images: null, captions: null}\n"
    (project.root / "params.yaml").write_text(params, encoding="utf-8")
    project = Project(project.root)
    found = find_sources(project, "videos")
    assert [source.path for source in found] == ["clip_00000.mp4", "clip_00001.mp4"]
    assert {source.facts.licence for source in found} == {LICENCE}
    assert all(of_caption(source.captions[0]) for source in found)
    assert file_of(project, found[0].root, found[0].path).is_relative_to(project.var / "made")
