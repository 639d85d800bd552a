"""The whole of clip curation on clips of every kind, with real decoding and real scorers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ops.catalogue.reasons import MEANINGS
from ops.curation.audit.retention import changed, outcome
from ops.curation.measuring.scores import ScoreStore
from ops.curation.rules.verdicts import NothingKept
from ops.curation.runs.funnel import costs
from ops.runtime import parallel
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.steps import CLIP_STEPS

CLIP_TABLES = CLIP_STEPS[2:]


_LOSE = "delete from scores where source = ? and identity not in (select id from identities where step = 'shots')"


def by_name(rows: list[Row]) -> dict[str, list[Row]]:
    return {name: [row for row in rows if row["path"] == name] for name in {row["path"] for row in rows}}


def copied(project: Project, tmp_path: Path) -> Project:
    """The finished project, to be changed freely."""
    return Project(shutil.copytree(project.root, tmp_path / "copy"))


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that fills with the items that are handed to `parallel.map` from now on."""
    items_seen: list[Any] = []
    original = parallel.map

    def listening(function, items, *rest):
        items_seen.extend(items)
        return original(function, items, *rest)

    monkeypatch.setattr(parallel, "map", listening)
    return items_seen


def test_every_file_is_one_row_and_bad_ones_say_why(curated: Project, film_library: Path, helpers) -> None:
    rows = helpers["rows_of"](curated, "raw_videos")
    reasons = {row["path"]: row["reason"] for row in rows}
    assert set(reasons) == {path.name for path in film_library.iterdir() if path.name != "pan.json"}
    assert len(reasons) == len(rows)
    assert reasons["pan_again.mp4"] == "duplicate of pan.mp4"
    assert "link back" in reasons["round"]
    for bad in ("truncated.mp4", "empty.mp4", "sound.mp4", "nothing.avi", "letter.mp4"):
        assert reasons[bad]
    kept = {row["path"] for row in rows if row["rejected_by"] is None}
    assert kept == {name for name, reason in reasons.items() if reason is None}
    assert all(row["rejected_by"] == "raw_videos" for row in rows if row["path"] not in kept)


def test_a_broken_caption_stops_nothing(curated: Project, helpers) -> None:
    (row,) = by_name(helpers["rows_of"](curated, "raw_videos"))["pan.mp4"]
    assert row["rejected_by"] is None
    assert "pan.json: not valid JSON" in row["caption_error"]


def test_each_clip_leaves_for_its_own_reason(curated: Project, helpers) -> None:
    rows = by_name(helpers["rows_of"](curated, "curated_clips"))
    verdicts = {name: [row["rejected_by"] for row in clips] for name, clips in rows.items()}
    assert verdicts["still.mp4"] == ["motion"]
    assert "almost a still picture" in rows["still.mp4"][0]["reason"]
    assert verdicts["flicker.mp4"] == ["motion"]
    assert "flicker" in rows["flicker.mp4"][0]["reason"]
    assert verdicts["ten.mp4"] == ["shots"]
    assert [rows[f"{name}.mp4"][0]["reason_code"] for name in ("still", "flicker", "ten")] == [
        *("still", "shaking", "too_short")
    ]
    assert rows["ten.mp4"][0]["reason"] == "10 frames between cuts, fewer than 12"
    for name in ("pan.mp4", "odd.mp4", "rotated.mp4", "variable.mkv", "sixty.mp4", "subtitle.mp4"):
        assert verdicts[name] == [None], rows[name][0]["reason"]


def test_a_hard_cut_makes_two_pieces_around_its_frame(curated: Project, helpers) -> None:
    first, second = by_name(helpers["rows_of"](curated, "curated_clips"))["cut.mp4"]
    assert (first["start_frame"], first["end_frame"]) == (0, 30)
    assert (second["start_frame"], second["end_frame"]) == (30, 60)
    assert first["parent"] == second["parent"]
    assert first["cut_distances"] == second["cut_distances"]
    cut = max(range(len(first["cut_distances"])), key=first["cut_distances"].__getitem__)
    before, after = first["sampled_frames"][cut : cut + 2]
    assert before < 30 <= after
    assert first["motion"] < 0.3
    assert second["motion"] < 0.3


def test_subtitles_are_cut_off_and_motion_is_measured_again(curated: Project, helpers) -> None:
    rows = by_name(helpers["rows_of"](curated, "curated_clips"))
    (subtitle,), (uncropped,) = rows["subtitle.mp4"], rows["pan.mp4"]
    x0, x1, y0, y1 = subtitle["crop"]
    assert (x0, x1, y0) == (0, 320, 0)
    assert 192 <= y1 <= 214
    assert not y1 % 2
    assert subtitle["motion_cropped"] != subtitle["motion"]
    assert (uncropped["crop"], uncropped["motion_cropped"]) == (None, uncropped["motion"])


def test_rotated_clips_have_the_size_that_is_seen(curated: Project, helpers) -> None:
    (row,) = by_name(helpers["rows_of"](curated, "curated_clips"))["rotated.mp4"]
    assert (row["width"], row["height"]) == (96, 128)


def test_no_step_loses_a_row(curated: Project, helpers) -> None:
    """kept + rejected = all, and a verdict once given stays."""
    before = helpers["rows_of"](curated, "shots")
    for name in CLIP_TABLES[1:]:
        rows = helpers["rows_of"](curated, name)
        assert [(row["path"], row["start_frame"]) for row in rows] == [
            (row["path"], row["start_frame"]) for row in before
        ]
        for old, new in zip(before, rows, strict=True):
            if old["rejected_by"] is not None:
                assert (new["rejected_by"], new["reason"]) == (old["rejected_by"], old["reason"])
            elif new["rejected_by"] is not None:
                assert new["rejected_by"] == name
            assert (new["rejected_by"] is None) == (new["reason"] is None) == (new["reason_code"] is None)
            assert new["reason_code"] is None or new["reason_code"] in MEANINGS
        before = rows
    clips = helpers["rows_of"](curated, "clips")
    assert {row["clip_id"] for row in clips} == {row["parent"] for row in before}


def test_scores_carry_what_made_them(curated: Project, helpers) -> None:
    kept = [row for row in helpers["rows_of"](curated, "curated_clips") if row["rejected_by"] is None]
    for step, name in (
        *(("shots", "lpips-alex"), ("text_crop", "rapidocr")),
        *(("technical_quality", "brisque"), ("near_duplicates", "phash")),
    ):
        scorers = {row[f"{step}_scorer"] for row in kept}
        (scorer,) = (json.loads(text) for text in scorers)
        assert scorer["scorer"] == name
        assert all(len(sha256) == 64 for sha256 in scorer["version"]["weights"].values())
        assert scorer["settings"]["sampling"] == {"frames_per_second": 8.0, "short_side": 720}


def test_another_threshold_decodes_nothing(
    curated: Project, tmp_path: Path, film_library: Path, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copied(curated, tmp_path)
    changed = {"rules": {"motion": {"maximum": 0.05}, "aesthetic": {"minimum": 1000.0}}}
    project = helpers["recipe"](project, changed, videos=str(film_library))
    monkeypatch.setattr(parallel, "map", lambda *args: pytest.fail("something was decoded") if args[1] else ())
    helpers["run"](project, *CLIP_TABLES[:-1])
    before = {row["rejected_by"] for row in helpers["rows_of"](curated, "motion_recheck")}
    after = {row["rejected_by"] for row in helpers["rows_of"](project, "motion_recheck")}
    assert "aesthetics" not in before
    assert "aesthetics" in after


@pytest.mark.parametrize(
    "stricter",
    [
        {"motion": {"maximum": 0.06}},
        {"motion": {"minimum": 0.04}},
        {"motion_cropped": {"maximum": 0.05}},
        {"aesthetic": {"minimum": 130.0}},
        {"technical": {"maximum": 60.0}},
    ],
    ids=lambda rules: "-".join(rules),
)
def test_the_audits_retention_is_what_the_steps_decide(
    curated: Project, tmp_path: Path, film_library: Path, helpers, stricter: dict[str, Any]
) -> None:
    project = helpers["recipe"](copied(curated, tmp_path), {"rules": stricter}, videos=str(film_library))
    helpers["run"](project, *CLIP_TABLES[1:-1])
    before, after = helpers["rows_of"](curated, "curated_clips"), helpers["rows_of"](project, "near_duplicates")
    assert changed(before, curated.settings.curation) == 0
    foreseen = [outcome(row, project.settings.curation) for row in before]
    assert foreseen == [row["rejected_by"] or "kept" for row in after]
    assert foreseen != [row["rejected_by"] or "kept" for row in before]


def test_a_looser_rule_measures_only_what_is_missing(
    curated: Project, tmp_path: Path, film_library: Path, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copied(curated, tmp_path)
    looser = {"rules": {score: {"minimum": 0.0} for score in ("motion", "motion_cropped")}}
    project = helpers["recipe"](project, looser, videos=str(film_library))
    asked = watched(monkeypatch)
    helpers["run"](project, *CLIP_TABLES[:-1])
    assert sorted(task.file.name for task in asked) == ["still.mp4", "still_subtitle.mp4"]
    (row,) = by_name(helpers["rows_of"](project, "motion_recheck"))["still.mp4"]
    assert row["rejected_by"] is None


def test_lost_scores_are_measured_again_to_the_same_table(
    curated: Project, tmp_path: Path, film_library: Path, helpers
) -> None:
    """What a run that was killed did not get to is measured by the next one, and nothing else."""
    import sqlite3

    project = helpers["recipe"](copied(curated, tmp_path), videos=str(film_library))
    store = project.var / "scores" / "v2.sqlite"
    (cut,) = (row for row in helpers["rows_of"](project, "raw_videos") if row["path"] == "cut.mp4")
    with sqlite3.connect(store) as database:
        total = database.execute("select count(*) from scores").fetchone()[0]
        gone = database.execute(_LOSE, (cut["sha256"],)).rowcount
    assert 0 < gone < total
    helpers["run"](project, *CLIP_TABLES[2:])
    assert helpers["rows_of"](project, "curated_clips") == helpers["rows_of"](curated, "curated_clips")
    with sqlite3.connect(store) as database:
        assert database.execute("select count(*) from scores").fetchone()[0] == total


def test_a_killed_run_goes_on_where_it_was(
    curated: Project, project: Project, film_library: Path, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in the middle of measuring: finished sources stay measured, and the table ends up the same."""
    project = helpers["recipe"](project, videos=str(film_library))
    helpers["run"](project, "raw_videos", "clips")
    store = ScoreStore.of(project)
    sources = {row["sha256"] for row in helpers["rows_of"](project, "clips")}
    shots = subprocess.Popen([sys.executable, "-m", "ops", "shots"])
    deadline = time.monotonic() + 60
    while not any(store.of_source(source) for source in sources) and time.monotonic() < deadline:
        time.sleep(0.02)
    shots.kill()
    shots.wait()
    done = [source for source in sources if store.of_source(source)]
    assert 0 < len(done) < len(sources)
    assert not project.table("shots").exists()
    asked = watched(monkeypatch)
    helpers["run"](project, *CLIP_TABLES)
    assert {task.clips[0].sha256 for task in asked} == sources - set(done)
    assert helpers["rows_of"](project, "curated_clips") == helpers["rows_of"](curated, "curated_clips")


def test_nothing_left_is_an_error_that_shows_the_funnel(
    curated: Project, tmp_path: Path, film_library: Path, helpers
) -> None:
    project = copied(curated, tmp_path)
    project = helpers["recipe"](
        project, {"rules": {"motion": {"minimum": 0.9, "maximum": 1.0}}}, videos=str(film_library)
    )
    helpers["run"](project, *CLIP_TABLES[1:-1])
    with pytest.raises(
        NothingKept, match=r"all 12 clips were rejected:\n  motion: 11, for example .*\n  shots: 1, for"
    ):
        helpers["run"](project, "curated_clips")
    assert len(helpers["rows_of"](project, "curated_clips")) == 12


def test_only_bad_files_are_an_error_with_their_rows_written(project: Project, videos, helpers) -> None:
    videos.empty(project.root / "films" / "a.mp4")
    project = helpers["recipe"](project, videos="films")
    with pytest.raises(NothingKept, match=r"all 1 videos were rejected:\n  raw_videos: 1, .* the file is empty"):
        helpers["run"](project, "raw_videos")
    assert len(helpers["rows_of"](project, "raw_videos")) == 1


def test_new_files_are_looked_at_and_old_ones_are_not(
    project: Project, videos, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.slow_pan(project.root / "films" / "a.mp4")
    project = helpers["recipe"](project, videos="films")
    helpers["run"](project, "raw_videos")
    videos.slow_pan(project.root / "films" / "b.mp4", seed=5)
    looked = watched(monkeypatch)
    helpers["run"](project, "raw_videos")
    assert [file.name for file in looked] == ["b.mp4"]
    assert len(helpers["rows_of"](project, "raw_videos")) == 2


def test_looking_at_the_files_has_a_cost(project: Project, videos, helpers) -> None:
    film = videos.slow_pan(project.root / "films" / "a.mp4")
    project = helpers["recipe"](project, videos="films")
    helpers["run"](project, "raw_videos")
    spent = costs(project)["video"]["raw_videos"]
    assert 0 < spent["cpu_seconds"] < 60
    assert spent["bytes"] == film.stat().st_size
    helpers["run"](project, "raw_videos")
    assert costs(project) == {"video": {"raw_videos": spent}, "image": {}}
