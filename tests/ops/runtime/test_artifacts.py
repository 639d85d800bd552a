"""Finished work is found by what it was made from, told strictly, and refused when it does not fit."""

from __future__ import annotations

import json

import pytest

from ops.config import Launch, Optimizer
from ops.config.section import Executed, Section
from ops.runtime.artifacts import (
    ForeignArtifact,
    Identity,
    MissingArtifact,
    Results,
    Work,
    current,
    current_entry,
    entries,
    find,
)
from ops.runtime.files import digest, write_json
from ops.runtime.project import Project


class Cooked(Results):
    portions: int
    spices: tuple[str, ...]
    burnt: float | None = None


class Recipe(Identity):
    heat: float
    optimizer: Optimizer = Optimizer(learning_rate=1.0)


def cook(project: Project, heat: float, version: str, portions: int = 2) -> Work[Cooked]:
    work = Work(project, "soup", {"water": "w1"}, Recipe(heat=heat), Cooked)
    work.finish(version, Cooked(portions=portions, spices=("salt", "pepper")))
    return work


def test_a_fingerprint_is_of_the_asset_its_inputs_and_its_identity(project: Project) -> None:
    work = cook(project, 3.0, "v1")
    payload = {"heat": 3.0, "optimizer": Optimizer(learning_rate=1.0).model_dump(mode="json")}
    assert work.fingerprint == digest({"asset": "soup", "inputs": {"water": "w1"}, "settings": payload})
    found = current(project, "soup", Cooked)
    assert found.settings == payload
    assert found.results == Cooked(portions=2, spices=("salt", "pepper"))
    assert found == work.finished() == find(project, "soup", "v1", Cooked)


def test_what_was_made_before_is_found_by_its_version_or_newest_first(project: Project) -> None:
    first, second = cook(project, 3.0, "v1"), cook(project, 4.0, "v2", portions=5)
    assert [each.version for each in entries(project, "soup")] == ["v2", "v1"]
    assert current(project, "soup", Cooked).results.portions == 5
    assert first.made() is not None
    assert current(project, "soup", Cooked).fingerprint == second.fingerprint
    first.finished()
    assert current(project, "soup", Cooked).fingerprint == first.fingerprint
    assert find(project, "soup", "v3", Cooked) is None
    assert current_entry(project, "bread") is None
    with pytest.raises(MissingArtifact, match=r"'bread' has not been made yet: run `soraflow run --select '\+bread'`"):
        current(project, "bread", Cooked)


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ({"portions": 2}, "results.spices: Field required"),
        ({"portions": "2", "spices": []}, "results.portions: Input should be a valid integer"),
        ({"portions": 2, "spices": [], "salted": True}, "results.salted: Extra inputs are not permitted"),
    ],
)
def test_results_that_do_not_fit_are_refused_with_the_file_and_what_to_do(
    project: Project, results: dict[str, object], told: str
) -> None:
    work = cook(project, 3.0, "v1")
    path = work.folder / "artifact.json"
    write_json(path, {**json.loads(path.read_text()), "results": results})
    with pytest.raises(ForeignArtifact) as caught:
        current(project, "soup", Cooked)
    assert str(caught.value).startswith(f"{path} was written by another version of soraflow ({told}")
    assert str(caught.value).endswith(f"remove {work.folder} and make it anew with `soraflow run --select soup`")
    cook(project, 4.0, "v2")
    assert find(project, "soup", "v2", Cooked) is not None, "another one does not stand in the way"


def test_how_work_is_done_is_in_no_identity() -> None:
    class Kitchen(Section):
        ovens: int = 2
        quietly: Executed[bool] = False
        launch: Launch = Launch()

    class Hurried(Identity):
        launch: Launch | None
        kitchens: tuple[Kitchen, ...] = (Kitchen(),)

    assert Hurried(launch=Launch()).payload() == {"kitchens": [{"ovens": 2}]}
    assert Hurried(launch=None).payload() == {"launch": None, "kitchens": [{"ovens": 2}]}
