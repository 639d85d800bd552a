"""Comparisons of what was really released: names, records and links, in the world of random weights."""

from __future__ import annotations

import json

import pytest

from ops.evaluation.checkpoint_scores import ScoresResults
from ops.evaluation.preferences import Preferences, model_id
from ops.release.champion import release_candidate
from ops.release.comparison.attach import attach
from ops.release.comparison.comparison import compare
from ops.release.comparison.release_pages import release_pages
from ops.release.comparison.subject import subject
from ops.release.history import SINCE, reigns
from ops.release.registry import Registry, UnknownVersion
from ops.release.rollback import rollback
from ops.runtime.artifacts import current
from ops.training.results import Trained


@pytest.mark.costly
def test_a_model_goes_by_its_version_its_checkpoint_and_its_runs(scored) -> None:
    release_candidate(scored.project)
    denoiser = current(scored.project, "denoiser_video", Trained)
    scores = current(scored.project, "checkpoint_scores", ScoresResults)
    run = json.loads((scores.folder / "run.json").read_text())["run_id"]
    names = ["champion", "1", "denoiser_video@4", denoiser.results.mlflow_run_id, run]
    found = [subject(scored.project, name) for name in names]
    assert {each.parts.step for each in found} == {4}
    assert [each.label for each in found[:3]] == ["squares version 1", "squares version 1", "denoiser_video step 4"]
    assert {each.commit for each in found} == {"c" * 40}
    assert all(each.samples and len(each.samples.videos) == 2 for each in found)
    with pytest.raises(ValueError, match="'champion' and 'denoiser_video' are the same checkpoint"):
        compare(scored.project, ["champion", "denoiser_video"])
    with pytest.raises(UnknownVersion, match=r"no run 0{32} of a denoiser"):
        subject(scored.project, "0" * 32)


@pytest.mark.costly
def test_a_release_has_its_pages_in_mlflow_and_the_champions_their_history(scored, train_again) -> None:
    first = release_candidate(scored.project)
    assert list(release_pages(scored.project, first)) == ["card"]
    train_again(scored, {2: 0.35, 4: 0.3})
    second = release_candidate(scored.project)
    assert (second.results.gate, second.results.promoted, second.results.compared) == ("better", True, None)
    pages = release_pages(scored.project, second)
    assert list(pages) == ["card", "comparison with version 1"]
    assert pages["card"].endswith("/artifacts/comparisons/card.html?workflowType=machine_learning")
    client, run = Registry(scored.project).client, pages["card"].split("/runs/")[1].partition("/")[0]
    logged = {each.path for each in client.list_artifacts(run, "comparisons")}
    assert logged == {"comparisons/card.html", "comparisons/comparison.html"}
    page = (second.folder / "comparison.html").read_text(encoding="utf-8")
    assert "squares version 2 against squares version 1" in page
    assert "stages.video.schedule.optimizer.learning_rate" in page
    card = (second.folder / "card.html").read_text(encoding="utf-8")
    assert "held_out_loss 0.3 is 25.00% better than 0.4 of champion version 1" in card
    assert "<h2>Licences</h2>" in card
    assert (second.folder / "champions.png").is_file()

    rollback(scored.project)
    registry = Registry(scored.project)
    found = reigns(registry, "held_out_loss")
    assert [(each.version, each.value) for each in found] == [(1, 0.4), (2, 0.3), (1, 0.4)]
    assert len(json.loads(registry.version(1).tags[SINCE])) == 2
    assert {each.dataset for each in found} == {scored.dataset.hash}


@pytest.mark.costly
def test_what_people_say_of_a_refused_candidate_is_news(scored, train_again) -> None:
    """By held-out losses the candidate is worse, which people cannot settle: but they are heard, and told of."""
    release_candidate(scored.project)
    train_again(scored, {2: 0.6, 4: 0.5})
    refused = release_candidate(scored.project)
    assert refused.results.gate == "worse"
    assert release_candidate(scored.project) == refused
    both = [model_id(Registry(scored.project).version(number).parts) for number in (1, 2)]
    for number in range(8):
        Preferences(scored.project).add(both[0], both[1], "p", f"a{number}", f"b{number}", "second")
    again = release_candidate(scored.project)
    assert again.results.preferences == (8, 0, 0)
    assert (again.results.promoted, again.results.version) == (False, 2)
    assert ("preference", True) in [(rule, kept) for rule, kept, _ in again.results.findings]
    assert release_candidate(scored.project) == again


@pytest.mark.costly
def test_a_page_is_attached_to_the_run_of_the_scores(scored) -> None:
    scores = current(scored.project, "checkpoint_scores", ScoresResults)
    run = json.loads((scores.folder / "run.json").read_text())["run_id"]
    page = scored.project.root / "page.html"
    page.write_text("<h1>a page</h1>")
    beside = scored.project.root / "page_videos"
    beside.mkdir()
    (beside / "a.mp4").write_bytes(b"a")
    address = attach(scored.project, subject(scored.project, "denoiser_video"), page, beside)
    assert f"/runs/{run}/artifacts/comparisons/page.html" in address
    found = Registry(scored.project).client.list_artifacts(run, "comparisons/page_videos")
    assert [each.path for each in found] == ["comparisons/page_videos/a.mp4"]
