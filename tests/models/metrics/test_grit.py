from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch

from models.metrics.grit import Grit, GritConfig, Task, load_grit, network_input
from models.metrics.grit.boxes import run_stage
from models.metrics.grit.network import TIED, features
from models.metrics.grit.proposals import Proposals
from models.published import UnfitWeights

TOLERANCE = 1e-4


@pytest.fixture
def frame(uniform):
    """The frame of a case, uint8 [H, W, 3]: blocks with noise."""

    def made(case) -> torch.Tensor:
        rule = case.facts["input"]
        seed, cell, height, width = (rule[key] for key in ("seed", "cell", "height", "width"))
        coarse = uniform(seed, (3, ceil(height / cell), ceil(width / cell)))
        blocks = coarse.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :height, :width]
        shown = (blocks + uniform(seed + 1, (3, height, width)) / 4).clip(-1, 1)
        return ((shown + 1) / 2 * 255).to(torch.uint8).permute(1, 2, 0)

    return made


def config_of(facts) -> GritConfig:
    sizes = facts["config"]
    return GritConfig(
        width=sizes["embed_dim"],
        depth=sizes["depth"],
        heads=sizes["num_heads"],
        cells=sizes["img_size"] // 16,
        global_blocks=tuple(sizes["global_blocks"]),
        pyramid=sizes["pyramid_channels"],
        box_hidden=sizes["box_fc"],
        vocabulary=sizes["vocab"],
        text_width=sizes["text_hidden"],
        text_layers=sizes["text_layers"],
        text_heads=sizes["text_heads"],
        text_hidden=sizes["text_feedforward"],
    )


def maps_agree(case, network: Grit, shown: torch.Tensor, step: int, tolerance: float) -> list[torch.Tensor]:
    """Backbone, pyramid, and the maps of where objects may be; every `step`-th channel of the pyramid is stored."""
    last = network.backbone.bottom_up(shown)
    name = "last_feat" if "last_feat" in case.expected else "last_feat.sample"
    case.agree(last if name == "last_feat" else last[:, ::24], name, tolerance)
    levels = network.backbone.pyramid(last)
    for number, level in enumerate(levels, start=3):
        case.agree(level[:, :8] if step == 1 else level[:, ::step], f"p{number}.sample", tolerance)
    for number, (distance, logit) in enumerate(network.proposal_generator.centernet_head(levels), start=3):
        case.agree(distance, f"distance_{number}", tolerance)
        case.agree(logit, f"heatmap_logit_{number}", tolerance)
    return levels


@pytest.mark.parametrize("name", ["grit_small", "grit_small_square"])
@torch.inference_mode()
def test_the_whole_path_is_the_published_one(metric_case, frame, name: str) -> None:
    case = metric_case(name)
    network, shown = load_grit(case.state_dict(), config_of(case.facts)), frame(case)
    size = (shown.shape[0], shown.shape[1])
    case.agree(network_input(shown)[:, :, ::16, ::16], "normalised_padded.sample", TOLERANCE)
    levels = maps_agree(case, network, network_input(shown), 1, TOLERANCE)

    proposals = network.proposal_generator(levels)
    expected = Proposals(case.expected["proposal_boxes"], case.expected["proposal_scores"])
    apart = (proposals.boxes[None] - expected.boxes[:, None]).abs().amax(dim=2)
    apart = apart.where((proposals.scores[None] - expected.scores[:, None]).abs() <= 1e-4, torch.inf)
    assert (apart.amin(dim=1) > 5e-3).sum() <= 2

    for number, stage in enumerate(network.roi_heads.stages(levels, expected.boxes, size)):
        case.agree(stage.logits, f"stage{number}_class_logits", TOLERANCE)
        case.agree(stage.deltas, f"stage{number}_deltas", TOLERANCE)
        case.agree(stage.boxes, f"stage{number}_boxes", 5e-3, scaled=False)

    boxes, scores = network.detect(levels, expected, size)
    case.agree(boxes, "boxes", 5e-3, scaled=False)
    case.agree(features(levels, boxes)[:, ::14, :8], "object_features.sample", TOLERANCE)
    for task, kind in ((Task.NAMES, "ObjectDet"), (Task.CAPTIONS, "DenseCap")):
        said = network.roi_heads.say(levels, boxes, task)
        tokens = case.expected[f"tokens_{kind}"].long()
        assert said.ids.shape[1] <= tokens.shape[1]
        assert torch.equal(said.ids, tokens[:, : said.ids.shape[1]])
        case.agree(said.log_probability, f"logprobs_{kind}", 2e-4, scaled=False)
        case.agree((scores * said.log_probability.exp()).sqrt(), f"scores_{kind}", 2e-4, scaled=False)

    found = network(shown, captions=True)
    case.agree(found.boxes, "boxes", 5e-3, scaled=False)
    assert torch.equal(found.captions, case.expected["tokens_DenseCap"].long()[:, : found.captions.shape[1]])


@pytest.mark.slow
@torch.inference_mode()
def test_each_part_of_the_full_size_is_the_published_networks(metric_case, frame) -> None:
    case = metric_case("grit_b_full_size")
    network, shown = load_grit(case.state_dict(), config_of(case.facts)), frame(case)
    levels = maps_agree(case, network, network_input(shown), 32, 2e-4)
    given, heads = torch.tensor(case.facts["given_boxes"]), network.roi_heads
    for number in range(3):
        stage = run_stage(number, heads.box_head[number], heads.box_predictor[number], levels, given)
        for part, found in zip(("class_logits", "deltas", "boxes"), stage, strict=True):
            case.agree(found, f"stage{number}_{part}", 2e-4)
    rule = case.facts["text_input"]["object_features"]
    noise = np.random.RandomState(rule["seed"]).standard_normal(rule["shape"]).astype(np.float32)
    decoder = heads.text_decoder.textual
    ids = torch.tensor(case.facts["text_input"]["tokens"])
    logits = decoder.logits(decoder.objects(torch.from_numpy(noise)), ids)
    case.agree(logits[:, :, ::61], "text_logits.sample", 2e-4)


def test_every_published_name_has_its_place(shapes_of) -> None:
    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in Grit().state_dict().items()}
    theirs = shapes_of("grit_b_full_state_dict.json")
    assert ours == {name: shape for name, shape in theirs.items() if "mask_head" not in name}
    assert ours[TIED] == [30522, 768]


def test_another_networks_weights_are_refused(metric_case) -> None:
    state = metric_case("grit_small").state_dict()
    with pytest.raises(UnfitWeights, match=r"backbone\.bottom_up\.pos_embed is"), torch.device("meta"):
        load_grit(state)


@torch.inference_mode()
def test_a_frame_without_objects_has_no_texts(metric_case) -> None:
    case = metric_case("grit_small")
    state = case.state_dict()
    state["proposal_generator.centernet_head.agn_hm.bias"] -= 1000.0
    found = load_grit(state, config_of(case.facts))(torch.zeros(64, 64, 3, dtype=torch.uint8))
    assert found.boxes.shape == (0, 4)
    assert len(found.names) == 0
    assert found.captions is None
