import dataclasses
import json

import pytest
import yaml

from ops.data.findings import GateClosed, require_checks
from ops.evaluation.reconstruction import ReconstructionIdentity, ReconstructionResults
from ops.release.acceptance import accept
from ops.release.champion import release_candidate
from ops.release.gate import judge
from ops.release.registry import Registry, UnknownVersion
from ops.release.rollback import rollback
from ops.release.standing import Standing, standing
from ops.release.trace import trace
from ops.runtime.artifacts import MissingArtifact, Work, current
from ops.runtime.project import Project


def aliases(project: Project) -> dict[str, int]:
    return {alias: version.number for version in Registry(project).versions() for alias in version.aliases}


def test_the_first_candidate_that_passes_becomes_champion_and_once_only(scored) -> None:
    first = release_candidate(scored.project)
    assert first.results.version == 1
    assert first.results.alias == "champion"
    assert first.results.decision.startswith("version 1 is the first champion: there is no champion yet")
    assert aliases(scored.project) == {"champion": 1}
    assert release_candidate(scored.project) == first
    assert len(Registry(scored.project).versions()) == 1


def test_a_version_holds_what_generation_and_people_need(scored) -> None:
    release_candidate(scored.project)
    champion = Registry(scored.project).version("champion")
    assert champion.parts.step == 4
    assert (scored.project.root / champion.parts.denoiser / "config.json").is_file()
    assert not champion.parts.denoiser.startswith("/")
    assert champion.tags["score.held_out_loss"] == "0.4"
    assert champion.tags["protocol.held_out_loss"] == champion.scores["held_out_loss"].protocol.id
    assert champion.tags["stage"] == "denoiser_video, step 4"
    assert champion.tags["gate"] == "passed"
    assert {"git.commit", "training_set", "version.wfvae", "version.denoiser_image"} <= champion.tags.keys()


def test_a_worse_candidate_stays_candidate_and_a_better_one_takes_over(scored, train_again) -> None:
    release_candidate(scored.project)
    train_again(scored, {2: 0.6, 4: 0.5})
    worse = release_candidate(scored.project)
    assert (worse.results.promoted, worse.results.alias) == (False, "candidate")
    assert aliases(scored.project) == {"champion": 1, "candidate": 2}
    assert "held_out_loss 0.5 is 25.00% worse than 0.4 of champion version 1" in worse.results.decision
    tags = Registry(scored.project).version(2).tags
    assert tags["gate"] == "refused"
    assert "25.00% worse" in tags["gate.reasons"]

    train_again(scored, {2: 0.35, 4: 0.3}, seed=2)
    better = release_candidate(scored.project)
    assert better.results.decision.startswith("version 3 replaces version 1 as champion")
    assert aliases(scored.project) == {"champion": 3, "previous": 1}

    assert rollback(scored.project) == (1, 3)
    assert aliases(scored.project) == {"champion": 1, "previous": 3}
    assert "instead of version 3" in Registry(scored.project).version(1).tags["rollback"]
    assert rollback(scored.project) == (3, 1)


def test_a_tolerated_loss_passes_and_registers_no_second_version(scored, train_again) -> None:
    release_candidate(scored.project)
    train_again(scored, {2: 0.6, 4: 0.41})
    assert not release_candidate(scored.project).results.promoted
    path = scored.project.root / "params.yaml"
    path.write_text(path.read_text().replace("registered_model: squares", "registered_model: squares, tolerance: 0.05"))
    again = release_candidate(Project(scored.project.root))
    assert again.results.promoted
    assert again.results.version == 2
    assert aliases(scored.project) == {"champion": 2, "previous": 1}


def test_failed_checks_close_the_gate(scored, set_checks) -> None:
    require_checks(scored.project, scored.dataset.made_from)
    set_checks(scored.project, passed=False)
    with pytest.raises(GateClosed, match=r"soraflow run --select '\+training_set'"):
        require_checks(scored.project, scored.dataset.made_from)
    refused = release_candidate(scored.project)
    assert not refused.results.promoted
    assert "the checks of captions have not passed" in refused.results.decision
    assert aliases(scored.project) == {"candidate": 1}
    with pytest.raises(UnknownVersion, match="no version 'champion'; versions: 1; aliases: candidate"):
        Registry(scored.project).version("champion")


def with_release(project: Project, **settings) -> Project:
    path = project.root / "params.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["release"] = {**tree.get("release", {}), **settings}
    path.write_text(yaml.safe_dump(tree))
    return Project(project.root)


def test_an_excluded_licence_closes_the_gate_and_names_what_is_under_it(scored) -> None:
    project = with_release(scored.project, exclude_licences=["*non-commercial*", "unknown"])
    refused = release_candidate(project)
    assert not refused.results.promoted
    for part in ("picture0.png (unknown)", "picture1.png (unknown)", "scorer dover (S-Lab 1.0, non-commercial"):
        assert part in refused.results.decision
    assert "film0.mp4" not in refused.results.decision
    with pytest.raises(GateClosed, match=r"picture0.png \(unknown\).*scorer dover"):
        accept(project, 1, "I like it")
    assert aliases(project) == {"candidate": 1}

    warned = release_candidate(with_release(project, on_excluded_licence="warn"))
    assert warned.results.promoted
    assert any(reason.startswith("warning: made from what release.ex") for reason in warned.results.reasons)


def test_licences_that_are_allowed_leave_the_gate_open(scored) -> None:
    done = release_candidate(with_release(scored.project, exclude_licences=["GPL*", "CC-BY-NC*"]))
    assert done.results.promoted
    assert "nothing is under a licence of GPL*, CC-BY-NC*" in done.results.reasons


def test_scores_of_another_protocol_or_without_a_value_are_refused(scored) -> None:
    release_candidate(scored.project)
    champion = Registry(scored.project).version("champion")
    made = trace(scored.project, champion.number)

    def changed(**changes) -> object:
        rows = json.loads(champion.tags["soraflow.scores"])
        loss = next(row for row in rows if row["metric"] == "held_out_loss")
        loss |= {key: value for key, value in changes.items() if key != "terms"}
        loss["protocol"]["terms"] |= changes.get("terms", {})
        return dataclasses.replace(champion, number=2, tags={**champion.tags, "soraflow.scores": json.dumps(rows)})

    assert judge(scored.project, changed(value=0.4), champion, made).passed
    other = judge(scored.project, changed(value=0.1, terms={"latents": "of another VAE"}), champion, made)
    assert not other.passed
    assert "cannot be compared with champion version 1" in other.reasons[0]
    assert "latents: of another VAE here" in other.reasons[0]
    missing = judge(scored.project, changed(value=None, reason="the disk was full"), champion, made)
    assert missing.reasons == ["the candidate has no held_out_loss: the disk was full"]
    assert not judge(scored.project, champion, changed(value=None), made).passed


def test_an_interrupted_promotion_is_finished(scored, train_again, monkeypatch) -> None:
    release_candidate(scored.project)
    train_again(scored, {2: 0.35, 4: 0.3})

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("ops.release.champion.Work.finish", full)
        with pytest.raises(OSError, match="no space"):
            release_candidate(scored.project)
    assert aliases(scored.project) == {"champion": 2, "previous": 1}
    finished = release_candidate(Project(scored.project.root))
    assert finished.results.decision.startswith("version 2 replaces version 1 as champion")
    assert aliases(scored.project) == {"champion": 2, "previous": 1}


def test_without_a_release_the_errors_say_what_to_run(world) -> None:
    with pytest.raises(UnknownVersion, match="no model has been released yet, so there is no 'champion'"):
        Registry(world.project).version("champion")
    with pytest.raises(UnknownVersion, match="no model has been released"):
        rollback(world.project)


def test_the_first_champion_cannot_be_rolled_back(scored) -> None:
    release_candidate(scored.project)
    with pytest.raises(UnknownVersion, match="version 1 is the first champion"):
        rollback(scored.project)


def test_a_person_may_accept_what_the_gate_refused_and_the_reason_stays(scored, train_again, set_checks) -> None:
    release_candidate(scored.project)
    train_again(scored, {2: 0.6, 4: 0.5})
    release_candidate(scored.project)
    with pytest.raises(ValueError, match="say why"):
        accept(scored.project, "candidate", " ")
    with pytest.raises(ValueError, match="version 1 is champion already"):
        accept(scored.project, 1, "it is nice")
    set_checks(scored.project, passed=False)
    with pytest.raises(GateClosed):
        accept(scored.project, "candidate", "another data set, and the samples look better")
    set_checks(scored.project)
    accepted = accept(scored.project, "candidate", "another data set, and the samples look better")
    assert accepted.tags["accepted"].endswith(": another data set, and the samples look better")
    assert aliases(scored.project) == {"champion": 2, "previous": 1}


def test_what_a_person_does_to_the_registry_is_told_and_not_undone(scored) -> None:
    first = release_candidate(scored.project)
    registry = Registry(scored.project)
    assert standing(scored.project, first) == Standing("version 1 is champion", True)
    registry.point("champion", None)
    assert release_candidate(scored.project) == first
    now = standing(scored.project, first)
    assert not now.as_decided
    assert now.sentence.startswith("no version holds the alias 'champion' now: `soraflow accept 1 --reason")
    assert accept(scored.project, 1, "it was taken away by mistake").aliases == ("champion",)
    assert standing(scored.project, first).as_decided


def test_a_version_or_a_whole_model_that_was_deleted_is_registered_anew(scored) -> None:
    first = release_candidate(scored.project)
    registry = Registry(scored.project)
    registry.client.delete_registered_model("squares")
    assert "in the registry of squares no more" in standing(scored.project, first).sentence
    again = release_candidate(scored.project)
    assert standing(scored.project, again) == Standing("version 1 is champion", True)
    assert registry.version(1).parts.step == 4


def test_an_evaluation_of_another_vae_is_not_released_with_the_denoiser(scored) -> None:
    evaluation = current(scored.project, "wfvae_evaluation", ReconstructionResults)
    identity = ReconstructionIdentity.model_validate(evaluation.settings)
    inputs = {**evaluation.inputs, "wfvae": "another"}
    other = Work(scored.project, evaluation.asset, inputs, identity, ReconstructionResults)
    other.finish("another", evaluation.results)
    with pytest.raises(MissingArtifact, match="wfvae_evaluation is of wfvae another, but the denoiser was trained"):
        release_candidate(scored.project)
