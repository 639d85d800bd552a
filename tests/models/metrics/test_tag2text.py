from __future__ import annotations

import numpy as np
import pytest
import torch

from models.metrics.tag2text import END, Tag2Text, TextDecoder, load_tag2text
from models.metrics.tag2text.network import LIKELY, PROMPT, our_name
from models.published import UnfitWeights, load_published

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def filled(ids: tuple[int, ...]) -> list[int]:
    return [*ids, *[0] * (30 - len(ids))]


@torch.inference_mode()
def test_the_search_is_the_published_one(metric_case, normal) -> None:
    """Of each frame by its own states; and, as the published batches have it, by those of frame i // 3."""
    case = metric_case("tag2text_beam")
    sizes = case.facts["config"]
    decoder = TextDecoder(*(sizes[key] for key in ("vocab", "hidden", "positions", "layers", "heads", "feedforward")))
    load_published(decoder, case.state_dict(), of="the decoder of the case")
    rule = case.facts["input"]
    states = normal(rule["seed"], tuple(rule["shape"]))
    found = [decoder.caption(each, tuple(case.facts["prompt"]), sizes["end"]) for each in states]
    for name, source in (("one_frame_at_a_time", range(len(states))), ("batched_as_reference", range(len(states)))):
        chosen = [found[frame if name.startswith("one") else frame // 3] for frame in source]
        ids = torch.tensor([filled(caption.ids) for caption in chosen])
        assert torch.equal(ids, case.expected[f"ids_{name}"].long())
        case.agree(torch.tensor([caption.score for caption in chosen]), f"scores_{name}", 1e-4, scaled=False)


@pytest.mark.slow
@torch.inference_mode()
def test_the_full_size_is_the_published_network(metric_case, uniform) -> None:
    case = metric_case("tag2text_full")
    network = load_tag2text(case.state_dict())
    frames, seed = case.facts["input"]["frames"], case.facts["input"]["seed"]
    coarse = uniform(seed, (frames, 3, 16, 16)).repeat_interleave(24, 2).repeat_interleave(24, 3)
    noisy = (coarse + 0.25 * uniform(seed + 1, (frames, 3, 384, 384))).clip(-1, 1)
    shown = ((noisy + 1) / 2 * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    pictures = torch.from_numpy((shown / 255 - MEAN) / DEVIATION).float().permute(0, 3, 1, 2)
    image = network.visual_encoder(pictures)
    case.agree(image[:, ::8, ::16], "image_features.sample", 3e-4)
    logits = network.tag_logits(image)
    case.agree(logits[:, ::7], "tag_logits.sample", 3e-4)
    likely = logits.sigmoid() > LIKELY
    assert likely.sum(dim=1).tolist() == case.expected["tag_counts"].tolist()
    assert likely.nonzero()[:, 1].tolist() == case.expected["tag_numbers"].tolist()
    text = case.expected["tag_token_ids"].long()
    states = network.tag_encoder(text, image)
    case.agree(states[:, ::3, ::16], "tag_encoder.sample", 3e-4)
    assert case.expected["prompt_ids"][0].tolist() == list(PROMPT)
    told = network.text_decoder(case.expected["given_ids"].long(), states)
    case.agree(told[:, :, ::191], "decoder_logits.sample", 3e-4)
    captions = [network.text_decoder.caption(each, PROMPT, END) for each in states]
    own = torch.tensor([filled(caption.ids) for caption in captions])
    batched = torch.tensor([filled(captions[frame // 3].ids) for frame in range(frames)])
    assert torch.equal(own, case.expected["caption_ids_one_frame_at_a_time"].long())
    assert torch.equal(batched, case.expected["caption_ids_batched_as_reference"].long())


def test_tags_that_say_nothing_are_left_out() -> None:
    logits = torch.full((1, 3429), -9.0)
    logits[0, [5, 127, 3359, 3360]] = 9.0
    assert Tag2Text.tags(logits) == [[5, 3360]]


def test_every_published_name_has_its_place(shapes_of) -> None:
    with torch.device("meta"):
        network = Tag2Text()
    ours = {name: list(value.shape) for name, value in network.state_dict().items() if "position_index" not in name}
    apart = ("relative_position_index", "attn_mask", "position_ids", "vision_multi.", "predictions.decoder.")
    theirs = {our_name(name): shape for name, shape in shapes_of("tag2text_full_state_dict.json").items()}
    assert ours == {name: shape for name, shape in theirs.items() if not any(part in name for part in apart)}


def test_another_networks_weights_are_refused() -> None:
    with pytest.raises(UnfitWeights, match=r"missing: .*unknown: raft"), torch.device("meta"):
        load_tag2text({"raft": torch.ones(1)})
