"""The page of a comparison: what it holds, that it holds all of it, and that nothing in it can do harm."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ops.evaluation.preferences import Preferences, model_id
from ops.release.comparison.card_page import write_card
from ops.release.comparison.comparison import Comparison, compare
from ops.release.comparison.page import write_comparison
from ops.release.comparison.videos import place_videos
from ops.runtime.project import Project

EVIL = "<script>alert(1)</script><img src=x onerror='alert(2)'>\""


class Page(HTMLParser):
    """The elements of a page, and the text of each kind."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def written(project: Project, found: Comparison, name: str = "page.html") -> Page:
    write_comparison(found, project.root / name)
    return Page(project.root / name)


def test_it_shows_every_video_of_both_side_by_side_within_itself(project: Project, models, named, kept_by) -> None:
    named(one=models.make(1, kept_by(0.5)), two=models.make(2, kept_by(1.0)))
    found = compare(project, ["one", "two"])
    page = written(project, found)
    rows, videos = [each for each in page.all("section") if each["class"] == "row"], page.all("video")
    assert (len(rows), len(videos)) == (24, 48)
    assert [each["aria-label"] for each in rows[:2]] == ["prompt 0, seed 0", "prompt 0, seed 1"]
    shown = [base64.b64decode(str(each["src"]).removeprefix("data:video/mp4;base64,")) for each in videos[:2]]
    files = [each.videos[0].path.read_bytes() for each in found.subjects]
    assert shown == files
    assert not re.search(r"""(src|href)=["'](?!data:)""", page.source)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", page.source)
    assert not (project.root / "page_videos").exists()
    assert "B against A by truth_all better: +0.5 [+0.167, +0.833] over 12 prompts, 24 pairs of videos" in page.text
    assert '{"truth_presence": 1.0' in str(rows[-1]["data-gains"])
    assert "0.5 [0.292, 0.708], 24 videos" in page.text
    assert "held_out_loss lower is better 0.5 0.25" in page.text


def test_what_differs_in_the_settings_is_told_from_what_lies_with_the_models(
    project: Project, models, named, kept_by
) -> None:
    named(one=models.make(1, kept_by(0.5)), two=models.make(2, kept_by(1.0), learning_rate=3e-4))
    (project.root / "params.yaml").write_text("preset: tiny\nseed: 99\n")  # today's recipe has no say
    found = compare(Project(project.root), ["one", "two"])
    assert found.settings == {
        "stages.video.schedule.optimizer.learning_rate": ["0.001", "0.0003"],
        "checkpoint.step": ["10", "20"],
    }
    page = written(project, found)
    assert "stages.video.schedule.optimizer.learning_rate 0.001 0.0003" in page.text
    assert "Nothing: both are of version d1" in page.text
    assert "the commits are not both in this repository" in page.text
    assert len(page.all("polyline")) == 4


def test_html_in_prompts_and_settings_stays_text_and_the_policy_allows_one_script(
    project: Project, models, named
) -> None:
    kept = {(EVIL, 0): True, **{(f"prompt {number}", 0): False for number in range(6)}}
    named(one=models.make(1, kept), two=models.make(2, {key: True for key in kept}, dataset="d<b>2"))
    page = written(project, compare(project, ["one", "two"]))
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert next(each["aria-label"] for each in page.all("section") if each["class"] == "row") == f"{EVIL}, seed 0"
    policy = page.all("meta")[1]["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert EVIL not in page.source


def test_large_videos_lie_beside_the_page(project: Project, models, named, kept_by) -> None:
    named(one=models.make(1, kept_by(0.5)), two=models.make(2, kept_by(1.0)))
    subjects = compare(project, ["one", "two"]).subjects
    total = len({video.sha256: video for each in subjects for video in each.videos})
    path = project.root / "a page.html"
    places = place_videos(subjects, path, most=1000)
    assert places.folder == project.root / "a page_videos"
    assert {name.partition("/")[0] for name in places.sources.values()} == {"a%20page_videos"}
    assert len(list(places.folder.iterdir())) == total == len(places.sources)
    assert place_videos(subjects, path).folder is None
    assert not (project.root / "a page_videos").exists()


def test_other_protocols_and_missing_samples_are_said(project: Project, models, named, kept_by) -> None:
    one, two, three = models.make(1, kept_by(0.5)), models.make(2, kept_by(1.0), fps=16), models.make(3, kept_by(0.5))
    named(one=one, two=two, three=three)
    found = compare(project, ["one", "two", "three"])
    bare = dataclasses.replace(found.subjects[2], samples=None)
    bare.__dict__["commit"] = None
    page = written(project, dataclasses.replace(found, subjects=(*found.subjects[:2], bare)))
    assert "B was sampled otherwise than A: fps: 16 here, 8 there" in page.text
    assert "another protocol:" in page.text
    assert "C has no samples: only checkpoints that were scored have any" in page.text
    found.subjects[0].videos[0].path.unlink()
    assert "gone: 00-0.mp4" in written(project, found).text


def test_what_people_preferred_is_on_the_page(project: Project, models, named, kept_by) -> None:
    one, two = models.make(1, kept_by(0.5)), models.make(2, kept_by(1.0))
    named(one=one, two=two)
    for number in range(8):
        Preferences(project).add(model_id(one.parts), model_id(two.parts), "p", f"a{number}", "b", "second")
    page = written(project, compare(project, ["one", "two"]))
    assert "B preferred to A, seen blind 100% [68%, 100%], 8 of 8 (better)" in page.text


def test_the_page_of_one_model_has_the_same_look(project: Project, models, subject_of, kept_by) -> None:
    found = subject_of(project, "one", models.make(1, kept_by(0.5)))
    write_card(project, found, project.root / "card.html")
    page = Page(project.root / "card.html")
    assert len(page.all("video")) == 24
    assert page.source.index("id='videos'") < page.source.index("id='scores'") < page.source.index("id='curves'")
    assert "truth_all 1" in page.text


def test_one_model_alone_and_seven_are_no_comparison(project: Project) -> None:
    for names in (["one"], list("abcdefg")):
        with pytest.raises(ValueError, match=f"of 2 to 6 models, not {len(names)}"):
            compare(project, names)
