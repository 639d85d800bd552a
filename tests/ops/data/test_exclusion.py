"""Clips and images are left out by name, with the reason why, and taken back."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.config import ConfigError, Curation, Exclusion, resolve
from ops.curation.rules.exclusions import without_excluded
from ops.curation.runs.funnel import clip_funnel
from ops.data.captions import captions
from ops.data.exclusion import exclude_items, include_items, items_named
from ops.data.samples import training_samples
from ops.data.training_set import training_set
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import step
from pipelines.cli import app

REASON = "flicker: a spike, at step 123"


@pytest.fixture
def made(curated: Project) -> Project:
    """The same clips as they come to the last step of curation, and a training set of them."""
    shutil.copy(curated.table("curated_clips"), curated.table("near_duplicates"))
    captions(curated)
    training_set(curated)
    return curated


def clips(project: Project) -> dict[str, Any]:
    return {row["clip_id"]: row for row in tables.read(project.table("curated_clips"))}


def curate(project: Project) -> Project:
    """Run the last step of clips with what the recipe says now."""
    now = Project(project.root)
    step("curated_clips").load()(now)
    return now


def test_a_sample_names_its_clip_which_leaves_the_dataset_and_comes_back(made: Project) -> None:
    before = made.table("curated_clips").read_bytes()
    sample = training_samples(made, kinds=("video",))[0]
    found = exclude_items(made, [sample["sample_id"]], REASON)
    assert found == {sample["item_id"]: "film0.mkv, frames 0 to 31"}
    without = curate(made)
    row = clips(without)[sample["item_id"]]
    assert (row["rejected_by"], row["reason_code"]) == ("curated_clips", "excluded")
    assert row["reason"] == f"named in curation.exclude: {REASON}"
    assert (row["motion"], row["crop"]) == (0.05, [8, 56, 0, 48]), "it keeps its scores"
    last = clip_funnel(without)[-1]
    assert (last["step"], last["rejected"], last["kept"]) == ("curated_clips", 1, 2)
    captions(without)
    training_set(without)
    assert sample["item_id"] not in {each["item_id"] for each in training_samples(without)}

    include_items(without, [sample["item_id"]])
    assert curate(without).table("curated_clips").read_bytes() == before


def test_what_is_out_already_keeps_its_verdict(made: Project) -> None:
    out = next(row for row in clips(made).values() if row["rejected_by"] == "motion")
    exclude_items(made, [out["clip_id"]], REASON)
    assert clips(curate(made))[out["clip_id"]]["rejected_by"] == "motion"


def test_another_reason_takes_the_place_of_the_first(made: Project) -> None:
    one, other = [row for row, each in clips(made).items() if each["rejected_by"] is None][:2]
    exclude_items(made, [one, other], REASON)
    exclude_items(Project(made.root), [one], "seen to be broken")
    found = Project(made.root).settings.curation.exclude
    assert {each.id: each.because for each in found} == {other: REASON, one: "seen to be broken"}


def test_images_are_named_by_their_source(made: Project) -> None:
    table = tables.read_columns(made.table("curated_images"))
    kept = next(row for row in table.to_pylist() if row["rejected_by"] is None)
    assert items_named(made, [kept["source_id"]]) == {kept["source_id"]: kept["path"]}
    exclude_items(made, [kept["source_id"]], REASON)
    curation = Project(made.root).settings.curation
    rows = without_excluded(table, "curated_images", "source_id", curation).to_pylist()
    gone = [row["source_id"] for row in rows if row["reason_code"] == "excluded"]
    assert gone == [kept["source_id"]]


def test_what_is_not_there_is_named(made: Project) -> None:
    with pytest.raises(LookupError, match=r"nothing: no clip_id in .*curated_clips.*sample_id of the training set"):
        exclude_items(made, ["nothing"], REASON)
    with pytest.raises(LookupError, match=r"not in curation\.exclude: 0123"):
        include_items(made, ["0123"])
    assert Project(made.root).settings.curation.exclude == ()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"id": "F" * 16, "because": "it is bad"}, r"exclude\.0\.id: 'F{16}' is no clip_id and no source_id"),
        ({"id": "f" * 16, "because": " "}, r"exclude\.0\.because: write the reason in one line"),
        ({"id": "f" * 16, "because": "two\nlines"}, r"exclude\.0\.because: write the reason in one line"),
        ({"id": "f" * 16, "because": "x" * 201}, r"exclude\.0\.because: write .* at most 200 characters"),
        ({"id": "f" * 16}, r"exclude\.0\.because: missing"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(made: Project, entry: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=rf"params\.yaml: curation\.{words}"):
        resolve(made.root, "tiny", {"curation": {"exclude": [entry]}})


def test_nothing_is_excluded_twice(made: Project) -> None:
    entry = Exclusion(id="f" * 16, because="it is bad")
    with pytest.raises(ValueError, match=r"'f{16}' is excluded twice"):
        Curation.model_validate({**made.settings.curation.model_dump(), "exclude": [entry, entry]})


def test_the_command_says_what_it_leaves_out(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORAFLOW_PROJECT", str(made.root))
    clip = next(name for name, row in clips(made).items() if row["rejected_by"] is None)
    done = CliRunner().invoke(app, ["curate", "exclude", clip, "--because", 'it\'s [odd]: a "cut"'])
    assert done.exit_code == 0, done.output
    assert f"{clip}  film0.mkv, frames 0 to 31" in done.output
    (entry,) = Project(made.root).settings.curation.exclude
    assert entry.because == 'it\'s [odd]: a "cut"'
    assert CliRunner().invoke(app, ["curate", "include", clip]).exit_code == 0
    assert Project(made.root).settings.curation.exclude == ()
