import json

import pytest

from ops.data.text_encoder import version
from ops.generation.model import VideoModel
from ops.generation.parts import Parts, parts_of
from ops.generation.render import render
from ops.release.generate import Generated, generate
from ops.release.model_name import resolve
from ops.release.registry import UnknownVersion
from ops.runtime.artifacts import current
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4
from ops.sampling.request import Request, SamplingError
from ops.training.results import Trained
from ops.weights.results import Weights


def made_of(
    project, prompt: str, output, checkpoint: str | None = None, seed: int = 0, ranks=1, **changes
) -> Generated:
    request = Request.of(project.settings.evaluation, prompt, seed, **changes)
    return generate(project, request, output, checkpoint, ranks)


def test_a_prompt_becomes_a_video_with_its_settings_beside_it(trained_world, tmp_path) -> None:
    heard = []
    made = generate(
        trained_world.project,
        Request.of(trained_world.project.settings.evaluation, "a grey  square", 0, steps=5),
        tmp_path / "video.mp4",
        checkpoint="denoiser_video",
        on_step=lambda done, total: heard.append((done, total)),
    )
    assert read_mp4(made.path).shape == (5, 32, 32, 3)
    assert heard == [(step, 5) for step in range(1, 6)]
    assert made.model == "denoiser_video step 4"
    beside = json.loads(made.settings.read_text())
    assert beside["request"]["prompt"] == "a grey square"
    assert beside["request"]["steps"] == 5
    assert beside["request"]["sampler"] == "ddim"
    assert beside["model"]["vae_version"] == current(trained_world.project, "wfvae", Weights).version
    assert set(beside["code"]) == {"git.commit", "git.dirty"}


def test_five_steps_give_the_same_file_twice_and_another_for_another_seed(trained_world, tmp_path) -> None:
    hashes = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        made = made_of(trained_world.project, "a cat", tmp_path / f"{name}.mp4", "denoiser_video", seed, steps=5)
        hashes.append(sha256(made.path))
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.dist
@pytest.mark.slow
def test_ranks_make_the_video_that_one_would(world, tmp_path) -> None:
    """Of three latent frames two ranks hold half the tokens each."""
    wanted = {"checkpoint": "denoiser_video", "steps": 3, "frames": 9}
    alone, together = (
        made_of(world.project, "a cat " * 100, tmp_path / f"{ranks}.mp4", **wanted, ranks=ranks) for ranks in (1, 2)
    )
    one, two = (json.loads(made.settings.read_text()) for made in (alone, together))
    assert all(one[key] == two[key] for key in ("request", "model", "notes"))
    assert together.notes == alone.notes
    assert "longer than 64 tokens" in alone.notes[0]
    frames, others = read_mp4(alone.path), read_mp4(together.path)
    assert frames.shape == others.shape == (9, 32, 32, 3)
    apart = abs(frames.astype(int) - others)
    assert (apart > 2).mean() < 0.01  # a rounding away; where the encoder of the file decides by it, a block is apart
    assert apart.max() <= 16


def test_ranks_that_cannot_share_the_heads_out_are_refused(trained_world, tmp_path) -> None:
    with pytest.raises(SamplingError, match=r"ranks is 3, but must divide the denoiser's heads, 2: use 1 or 2"):
        made_of(trained_world.project, "a cat", tmp_path / "v.mp4", "denoiser_video", ranks=3)


def test_a_checkpoint_has_several_names(trained_world) -> None:
    project = trained_world.project
    denoiser = current(project, "denoiser_video", Trained)
    best, _ = resolve(project, "denoiser_video")
    assert best == parts_of(project, denoiser) == resolve(project, "denoiser_video@4")[0]
    assert resolve(project, str(denoiser.folder / "checkpoints" / "step_000006" / "ema"))[0].step == 6
    assert Parts.of_json(best.as_json()) == best


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("champion", UnknownVersion, "no model has been released yet"),
        ("denoiser_video@5", SamplingError, "no checkpoint of step 5; kept are the steps 2, 4, 6, 8"),
        (
            "denoiser_nothing",
            UnknownVersion,
            "no 'denoiser_nothing': .* preset 'tiny' has the stages: denoiser_image, denoiser_video",
        ),
        ("/", SamplingError, "not a checkpoint of this project"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_explained(trained_world, name: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        resolve(trained_world.project, name)


def test_what_cannot_be_made_is_refused_before_anything_is_loaded(trained_world, tmp_path) -> None:
    with pytest.raises(SamplingError, match="empty"):
        made_of(trained_world.project, " ", tmp_path / "v.mp4")
    with pytest.raises(SamplingError, match=r"must end in \.mp4"):
        made_of(trained_world.project, "a cat", tmp_path / "v.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_of_ten_thousand_characters_is_cut_and_said(trained_world, tmp_path) -> None:
    made = made_of(trained_world.project, "word " * 2000, tmp_path / "v.mp4", "denoiser_video", steps=1)
    assert made.notes == (
        "the prompt has 9999 characters; only the first 8000 were read",
        "the prompt is longer than 64 tokens; the rest was not read",
    )
    assert json.loads(made.settings.read_text())["notes"] == list(made.notes)


def test_a_prompt_that_the_encoder_cannot_read_is_refused_or_said(world, tmp_path) -> None:
    """By an encoder that never learnt ideographs; nothing would else be made than a video of no prompt at all."""
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "text_encoder: {clean_captions: true}\n")
    project = type(world.project)(world.project.root)
    parts = parts_of(project, current(project, "denoiser_video", Trained))
    encoder = project.settings.text_encoder
    parts = parts.model_copy(update={"encoder": encoder, "text_encoder_version": version(project)})
    model = VideoModel(project, parts)
    with pytest.raises(SamplingError, match="minilm-l6 can read nothing of the prompt '\u5154\u5b50'"):
        render(model, Request.of(project.settings.evaluation, "\u5154\u5b50", 0), tmp_path / "v.mp4")
    request = Request.of(project.settings.evaluation, "\u5154\u5b50\u5728\u8349\u5730\u4e0a sits", 0, steps=1)
    (note,) = render(model, request, tmp_path / "v.mp4")
    assert note.startswith("the text encoder minilm-l6 can read only 'sits' of the prompt")


def test_a_model_is_sampled_as_it_was_trained_whatever_the_recipe_says_now(world, tmp_path) -> None:
    parts = parts_of(world.project, current(world.project, "denoiser_video", Trained))
    before = made_of(world.project, "a cat", tmp_path / "before.mp4", "denoiser_video")
    path = world.project.root / "params.yaml"
    changed = path.read_text().replace("denoiser: {", "denoiser: {diffusion: {prediction: epsilon}, ")
    path.write_text(changed + "text_encoder: {max_tokens: 32, clean_captions: true}\n")
    project = type(world.project)(world.project.root)
    assert project.settings.denoiser.diffusion.prediction == "epsilon"
    assert parts_of(project, current(project, "denoiser_video", Trained)) == parts
    after = made_of(project, "a cat", tmp_path / "after.mp4", "denoiser_video")
    assert after.path.read_bytes() == before.path.read_bytes()


def test_an_encoder_whose_weights_are_others_now_is_refused(trained_world) -> None:
    parts = parts_of(trained_world.project, current(trained_world.project, "denoiser_video", Trained))
    model = VideoModel(trained_world.project, parts.model_copy(update={"text_encoder_version": "of other weights"}))
    with pytest.raises(SamplingError, match="is not the one that this model was trained with"):
        _ = model.encode_text


def test_the_champion_generates(world, tmp_path) -> None:
    """From the registry's tags alone, in a project that was moved since."""
    from ops.release.registry import FOLDER, PARTS, SCORES, Registry

    denoiser = current(world.project, "denoiser_video", Trained)
    registry = Registry(world.project)
    parts = parts_of(world.project, denoiser)
    tags = {PARTS: parts.as_json(), SCORES: "[]", FOLDER: "nowhere"}
    version = registry.register("key", denoiser.results.checkpoints[1].logged_model, tags)
    registry.point("champion", version)
    made = made_of(world.project, "a cat", tmp_path / "champion.mp4")
    assert made.model == "squares version 1"
    assert made.path.is_file()
