"""Captions from a vision-language model that runs here: any that transformers calls "image-text-to-text", such as
Qwen2-VL, InternVL or LLaVA, from a folder in Hugging Face's layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.config import ConfigError
from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.pictures import pictures
from ops.data.captioning.prompts import Prompts
from ops.runtime.device import Accelerator, accelerator
from ops.runtime.files import digest, sha256

if TYPE_CHECKING:
    from PIL.Image import Image

READ = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
"""The files of a model's folder that decide what it writes."""


@dataclass(frozen=True)
class TransformersCaptioner:
    """Shows the model `frames` frames of at most `side` pixels a side and takes its likeliest answer (greedy, so that
    the same model writes the same). No code from the folder is run, and no pickle is read.

    The batch size and the device change rounding only and are no part of the identity; the dtype is.
    """

    folder: Path
    prompts: Prompts
    frames: int = 8
    side: int = 448
    max_tokens: int = 512
    batch_size: int = 4
    dtype: str = "bfloat16"
    device: Accelerator = "cpu"
    workers: int = 1

    def identity(self) -> dict[str, object]:
        """
        Raises:
            ConfigError: the folder holds no model.
        """
        seen = {"frames": self.frames, "side": self.side, "max_tokens": self.max_tokens, "dtype": self.dtype}
        model = {"model": self.folder.name, "files": self._files}
        return {"name": "transformers", **model, **self.prompts.identity(), **seen}

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        outcomes: list[Written | NoCaption | None] = []
        asked: list[list[dict[str, object]]] = []
        for item in items:
            try:
                asked.append(self._messages(self.prompts.of_item(item), pictures(item, self.frames, self.side)))
                outcomes.append(None)
            except NoCaption as reason:
                outcomes.append(reason)
        written = iter(self._generated(asked) if asked else ())
        return [outcome or next(written) for outcome in outcomes]

    @cached_property
    def _files(self) -> str:
        """A hash of the model's files."""
        if not (self.folder / "config.json").is_file():
            raise ConfigError(
                f"captions.model: {self.folder} holds no config.json; name the folder of a vision-language model in "
                "Hugging Face's layout, with safetensors"
            )
        files = sorted({file for pattern in READ for file in self.folder.glob(pattern)})
        return digest({file.name: sha256(file) for file in files})

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """(processor, model)."""
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # it would draw over ours
        safe = {"local_files_only": True, "trust_remote_code": False}
        processor = AutoProcessor.from_pretrained(str(self.folder), **safe)
        if processor.chat_template is None:
            raise ConfigError(f"captions.model: {self.folder} has no chat template, so it cannot be asked anything")
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"  # what is generated must follow the prompt, not its padding
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        model: Any = AutoModelForImageTextToText.from_pretrained(
            str(self.folder), use_safetensors=True, dtype=getattr(torch, self.dtype), **safe
        )
        return processor, model.to(accelerator(self.device)).eval()

    @staticmethod
    def _messages(prompt: str, shown: Sequence[Image]) -> list[dict[str, object]]:
        images = [{"type": "image", "image": picture} for picture in shown]
        return [{"role": "user", "content": [*images, {"type": "text", "text": prompt}]}]

    def _generated(self, asked: list[list[dict[str, object]]]) -> list[Written]:
        import torch

        processor, model = self._loaded
        inputs = processor.apply_chat_template(
            asked,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(model.device, dtype=model.dtype)
        pad = processor.tokenizer.pad_token_id
        with torch.inference_mode():
            whole = model.generate(
                **inputs, max_new_tokens=self.max_tokens, do_sample=False, num_beams=1, pad_token_id=pad
            )
        new = whole[:, inputs["input_ids"].shape[1] :]
        texts = processor.batch_decode(new, skip_special_tokens=True)
        ends = _ends(model.generation_config.eos_token_id)
        return [
            self._written(text, int(mask.sum()), tokens.tolist(), ends)
            for text, mask, tokens in zip(texts, inputs["attention_mask"], new, strict=True)
        ]

    def _written(self, text: str, asked: int, tokens: list[int], ends: set[int]) -> Written:
        length = next((place + 1 for place, token in enumerate(tokens) if token in ends), len(tokens))
        cut = length == self.max_tokens and tokens[length - 1] not in ends
        note = f"the model was stopped after max_tokens ({self.max_tokens})" if cut else None
        return Written(text, asked, length, None, note)


def _ends(eos: int | list[int] | None) -> set[int]:
    return set(eos) if isinstance(eos, list) else {eos} - {None}  # type: ignore[return-value]
