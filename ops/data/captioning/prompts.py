"""What a vision-language model is asked about an item, by what the item is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ops.config import Captions
from ops.data.captioning.base import Item
from ops.runtime.files import digest

SEPARATOR = ", "


@dataclass(frozen=True)
class Prompts:
    """One for videos, one for images, and one for images with writing in them, which has the places {caption} and
    {text}."""

    video: str
    image: str
    text: str

    @classmethod
    def of(cls, settings: Captions) -> Prompts:
        return cls(settings.prompt, settings.image_prompt, settings.text_prompt)

    def identity(self) -> dict[str, object]:
        """The version of the prompts: another letter, another version."""
        return {"prompts": digest([self.video, self.image, self.text])}

    def of_item(self, item: Item) -> str:
        if item.kind == "video":
            return self.video
        if not item.recognised_text:
            return self.image
        if not item.captions:
            return f"{self.image} {recognised(item.recognised_text)}"
        places = {"caption": item.captions[0], "text": quoted(item.recognised_text)}
        return re.sub(r"\{(caption|text)\}", lambda found: places[found[1]], self.text)


def recognised(texts: Sequence[str]) -> str:
    """The reports' sentence for text-bearing images."""
    return f'"{quoted(texts)}" can be recognized in the image.'


def quoted(texts: Sequence[str]) -> str:
    """Lines as one text that may stand between double quotes."""
    return SEPARATOR.join(texts).replace('"', "'")
