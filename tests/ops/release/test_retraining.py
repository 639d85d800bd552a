"""Is retraining worth it? Every answer, from records as curation and a release leave them."""

from __future__ import annotations

import json
import shutil

import pytest

from ops.data.dataset_version import folder_of
from ops.release.results import ReleaseResults
from ops.release.retraining import Underway, judge
from ops.release.trace import FILE
from ops.runtime.artifacts import current
from ops.runtime.files import write_json

NOTHING = Underway()


def test_the_first_training_needs_no_reason_and_makes_the_dataset(records) -> None:
    found = judge(records.project, NOTHING)
    assert (found.retrain, found.curates, found.reason) == (True, True, "nothing was released here yet")
    assert not judge(records.project, Underway(curation="c")).retrain, "it would write what curation writes"


def test_the_first_training_waits_for_files_that_are_arriving(records) -> None:
    records.set(automation={"quiet_seconds": 3600})
    found = judge(records.project, NOTHING)
    assert (found.retrain, found.passing) == (False, True)
    assert "are arriving" in found.reason


def test_nothing_new_is_no_reason(released) -> None:
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.passing, found.new_items) == (False, False, 0)
    assert found.reason == "training set v1 is what was trained on last"


def test_few_new_items_are_no_reason_and_enough_are(released) -> None:
    released.curate("v2", ["a", "b", "c"])
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.passing, found.new_items) == (False, False, 1)
    assert found.reason == "1 new clips and images, fewer than automation.min_new_items = 2"
    released.curate("v3", ["b", "c", "d"])
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.curates, found.new_items) == (True, False, 2)


def test_with_on_new_data_any_other_version_is_a_reason(released) -> None:
    assert not judge(released.project, NOTHING, any_number=True).retrain
    released.curate("v2", ["a"])
    assert judge(released.project, NOTHING, any_number=True).retrain


def test_a_file_that_has_just_arrived_does_not_stand_in_the_way(released) -> None:
    """A folder that gets files all day must be trained on all the same."""
    released.curate("v2", ["a", "b", "c", "d"])
    released.arrive("late.mp4")
    found = judge(released.project, Underway(curation="c"))
    assert (found.retrain, found.curates, found.new_items) == (True, False, 2)


def test_where_too_few_are_curated_files_on_the_way_are_waited_for(released) -> None:
    released.arrive("late.mp4")
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.passing) == (False, True)
    assert "files have arrived that curation has not seen yet" in found.reason
    assert judge(released.project, Underway(curation="c")).passing


def test_one_retraining_at_a_time(released) -> None:
    released.curate("v2", ["c", "d"])
    found = judge(released.project, Underway(retraining="r"))
    assert (found.retrain, found.passing) == (False, True)
    assert "run r" in found.reason


def test_data_that_failed_its_checks_is_not_trained_on(released) -> None:
    released.curate("v2", ["c", "d"], passed=False)
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.passing) == (False, True)
    assert "the checks of" in found.reason
    released.curate("v2", ["c", "d"])
    assert judge(released.project, NOTHING).retrain


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"curation": {"rules": {"aesthetic": {"minimum": 12.0}}}}, "curation.rules.aesthetic.minimum (9.0 → 12.0)"),
        ({"dataset": {"fps": 4}}, "dataset.fps (8.0 → 4.0)"),
    ],
)
def test_a_changed_rule_is_a_reason_to_make_the_dataset_anew(released, changed: dict, named: str) -> None:
    released.set(**changed)
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.curates) == (True, True)
    assert found.reason == f"changed since the dataset was made: {named}"
    assert not judge(released.project, Underway(curation="c")).retrain


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"stages": {"video": {"schedule": {"steps": 21}}}}, "stages.video.schedule.steps (20 → 21)"),
        ({"vae": {"losses": {"lpips_net": "vgg"}}}, "vae.losses.lpips_net (alex → vgg)"),
        ({"seed": 1}, "seed (1234 → 1)"),
    ],
)
def test_a_changed_training_setting_is_a_reason(released, changed: dict, named: str) -> None:
    released.set(**changed)
    found = judge(released.project, NOTHING)
    assert found.retrain
    assert named in found.reason


@pytest.mark.parametrize(
    "changed",
    [
        {"automation": {"min_new_items": 5, "quiet_seconds": 0}},
        {"launch": {"heartbeat_seconds": 60}},
        {"evaluation": {"steps": 3}},
        {"release": {"tolerance": 0.5}},
    ],
)
def test_settings_that_train_no_other_model_are_no_reason(released, changed: dict) -> None:
    released.set(**changed)
    assert not judge(released.project, NOTHING).retrain


def test_a_setting_that_soraflow_did_not_have_at_the_time_is_no_change(released) -> None:
    path = current(released.project, "champion", ReleaseResults).folder / FILE
    recorded = json.loads(path.read_text(encoding="utf-8"))
    del recorded["settings"]["vae"]["schedule"]["clipping"]
    write_json(path, recorded)
    assert not judge(released.project, NOTHING).retrain


def test_where_the_old_training_set_is_lost_everything_counts_as_new(released) -> None:
    shutil.rmtree(folder_of(released.project, "v1"))
    released.curate("v2", ["a", "b", "c"])
    found = judge(released.project, NOTHING)
    assert (found.retrain, found.new_items) == (True, 3)
