"""The pictures of an item as a vision-language model gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.curation.decoding.frames import UndecodableVideo
from ops.data.captioning.base import Item, NoCaption

if TYPE_CHECKING:
    from PIL.Image import Image


def pictures(item: Item, count: int, side: int) -> list[Image]:
    """Up to `count` RGB pictures spread over the item, at most `side` pixels a side; never enlarged.

    Raises:
        NoCaption: its file is not what was curated any more.
    """
    from PIL import Image

    try:
        frames = item.frames(count)
    except (UndecodableVideo, OSError) as error:
        raise NoCaption(f"{item.name} cannot be read any more: {error}") from error
    if not frames:
        raise NoCaption(f"{item.name} has no frames any more where the clip is")
    shown = [Image.fromarray(frame) for frame in frames]
    for picture in shown:
        picture.thumbnail((side, side))
    return shown
