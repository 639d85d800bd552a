"""The local captioner with a real, tiny LLaVA of random weights, made by its configuration and saved to a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.config import ConfigError
from ops.data import captions
from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.local import TransformersCaptioner
from ops.data.captioning.prompts import Prompts
from ops.runtime import tables
from ops.runtime.project import Project

WORDS = "<pad> <s> </s> <unk> <image> USER : ASSISTANT a the dog runs in park video shows describe red grey rabbit"
TEMPLATE = (
    "{% for message in messages %}USER : {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT : {% endif %}"
)
PROMPTS = Prompts("describe the video", "describe the park", 'the "{caption}" shows "{text}"')


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of 20 words: CLIP with 2 layers of 16 channels, Llama with one."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("models") / "tiny-llava"
    words = WORDS.split()
    narrow = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    vision = CLIPVisionConfig(**narrow, num_hidden_layers=2, image_size=28, patch_size=14)
    text = LlamaConfig(
        **narrow, vocab_size=len(words), num_hidden_layers=1, pad_token_id=0, bos_token_id=1, eos_token_id=2
    )
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=words.index("<image>"), vision_feature_layer=-1
    )
    torch.manual_seed(3)
    network = LlavaForConditionalGeneration(config)
    for parameter in network.parameters():  # freshly initialised, it would say one word whatever it sees
        parameter.data.mul_(8)
    network.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=["<image>"], **special),
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def captioner(model: Path) -> TransformersCaptioner:
    return TransformersCaptioner(model, PROMPTS, frames=2, max_tokens=6, batch_size=3, dtype="float32")


def shown(name: str, seed: int, kind: Any = "video", **fields: Any) -> Item:
    generator = np.random.default_rng(seed)
    frame = generator.integers(0, 256, (40, 60, 3), np.uint8)
    return Item(
        name, kind, f"{name}.mp4", (), None, lambda count: [frame] * (1 if kind == "image" else count), **fields
    )


def test_a_batch_gives_what_each_item_gives_alone(captioner: TransformersCaptioner):
    items = [shown("one", 1), shown("two", 2, "image"), shown("three", 3)]
    together = captioner.write(items)
    assert together == [outcome for item in items for outcome in captioner.write([item])]
    texts = [outcome.text for outcome in together if isinstance(outcome, Written)]
    assert len(set(texts)) > 1  # it looks at the pictures
    assert all(set(text.split()) <= set(WORDS.split()) for text in texts)
    one, two, _ = together
    assert isinstance(one, Written)
    assert isinstance(two, Written)
    # USER :, a token for each of 4 patches of each frame, three words, ASSISTANT :
    assert (one.input_tokens, two.input_tokens) == (2 + 2 * 4 + 3 + 2, 2 + 4 + 3 + 2)
    assert one.output_tokens is not None
    assert 1 <= one.output_tokens <= 6
    assert one.cost is None


def test_a_caption_that_reaches_the_limit_says_so(captioner: TransformersCaptioner):
    (outcome,) = replace(captioner, max_tokens=1).write([shown("one", 1)])
    assert isinstance(outcome, Written)
    assert (outcome.output_tokens, outcome.note) == (1, "the model was stopped after max_tokens (1)")


def test_an_item_that_is_gone_leaves_its_batch_alone(captioner: TransformersCaptioner):
    def gone(count: int) -> list[np.ndarray]:
        raise FileNotFoundError("two.mp4")

    one, two, three = captioner.write([shown("one", 1), replace(shown("two", 2), frames=gone), shown("three", 3)])
    assert isinstance(two, NoCaption)
    assert "two.mp4 cannot be read any more" in str(two)
    assert [one, three] == captioner.write([shown("one", 1), shown("three", 3)])


def test_other_files_prompts_or_numbers_are_another_captioner(captioner: TransformersCaptioner, tmp_path: Path):
    import shutil

    same = replace(captioner, batch_size=1, device="cpu")
    assert same.identity() == captioner.identity()
    assert captioner.identity()["model"] == "tiny-llava"
    changed = shutil.copytree(captioner.folder, tmp_path / "tiny-llava")
    (changed / "chat_template.jinja").write_text(TEMPLATE + " ")
    others = [
        replace(captioner, folder=changed),
        replace(captioner, dtype="bfloat16"),
        replace(captioner, prompts=replace(PROMPTS, video="describe the dog")),
        replace(captioner, frames=3),
    ]
    assert len({json.dumps(each.identity(), sort_keys=True) for each in [captioner, *others]}) == 5


def test_a_folder_without_a_model_or_without_safetensors_is_an_error(captioner: TransformersCaptioner, tmp_path: Path):
    import shutil

    with pytest.raises(ConfigError, match=r"captions.model: .* holds no config.json"):
        replace(captioner, folder=tmp_path).identity()
    pickled = shutil.copytree(captioner.folder, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        replace(captioner, folder=pickled).write([shown("one", 1)])


def test_the_step_runs_a_local_model_and_remembers(
    curated: Project, model: Path, set_params: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
):
    local = {"batch_size": 4, "dtype": "bfloat16", "device": "cpu"}
    recipe = {"captioner": "transformers", "model": str(model), "frames": 2, "max_tokens": 4, "local": local}
    prompts = {"prompt": "describe the video", "image_prompt": "describe the park"}
    project = set_params(json.dumps({"captions": {**recipe, **prompts}}))
    captions.captions(project)
    rows = tables.read(project.table("captions"))
    assert len(rows) == 6
    assert {row["origin"] for row in rows} == {"transformers"}
    assert all(row["caption"] and row["input_tokens"] > 8 for row in rows)
    first = project.table("captions").read_bytes()
    monkeypatch.setattr(TransformersCaptioner, "write", lambda *_: pytest.fail("asked again"))
    captions.captions(project)
    assert project.table("captions").read_bytes() == first
