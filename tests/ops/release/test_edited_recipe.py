"""The recipe is edited between training, sampling and release: what was made keeps what made it."""

from __future__ import annotations

from ops.evaluation import checkpoint_scores, protocols, reconstruction, samples, truth, vbench
from ops.generation.parts import parts_of
from ops.release.champion import release_candidate
from ops.release.registry import Registry
from ops.release.trace import trace
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.training.results import Trained

EDITS = (
    ("denoiser: {", "denoiser: {diffusion: {prediction: epsilon, min_snr_gamma: null}, "),
    ("{name: video, kinds: [video]", "{name: video, kinds: [image, video]"),
    ("preset: tiny", "preset: tiny\nseed: 99\ntext_encoder: {max_tokens: 32}"),
    ("latent_channels: 4", "latent_channels: 2"),
    ("{steps: 4,", "{steps: 400,"),
)


def edited(project: Project, *edits: tuple[str, str]) -> Project:
    path = project.root / "params.yaml"
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return Project(project.root)


def test_edits_between_training_sampling_and_release_change_nothing_that_was_made(world, set_checks) -> None:
    project = world.project
    denoiser = current(project, "denoiser_video", Trained)
    parts, protocol = parts_of(project, denoiser), protocols.held_out_loss(denoiser)

    project = edited(project, *EDITS[:2])  # after the training
    before = protocols.held_out_loss(current(project, "denoiser_video", Trained))
    assert (before.id, before.terms["kinds"], before.terms["samples"]) == (protocol.id, ["video"], 256)
    made = samples.make_samples(project)

    project = edited(project, *EDITS[2:])  # after the sampling
    assert samples.make_samples(project) == made
    assert parts_of(project, denoiser) == parts
    vbench.score(project)
    truth.score(project)
    scores = checkpoint_scores.score(project)
    assert scores.results.protocols["held_out_loss"] == protocol.id
    reconstruction.evaluate(project)

    set_checks(project)
    project = edited(project, ("prediction: epsilon", "prediction: v_prediction"))  # after the scores
    assert checkpoint_scores.score(project) == scores
    assert release_candidate(project).results.promoted
    version = Registry(project).version("champion")
    assert version.parts == parts
    assert version.scores["held_out_loss"].protocol == protocol
    found = trace(project, 1).settings
    assert (found["seed"], found["text_encoder"]["max_tokens"]) == (1234, 64)
    assert found["vae"]["model"]["latent_channels"] == 4
    assert [stage["kinds"] for stage in found["stages"]] == [["image"], ["video"]]
    assert {stage["schedule"]["steps"] for stage in found["stages"]} == {4}
