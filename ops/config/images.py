"""What pictures must be, by collection."""

from __future__ import annotations

from ops.config.section import Positive, Section, Share


class ImageCollectionRules(Section):
    """What a picture of one collection must be besides what all pictures must; null asks for nothing."""

    min_side: Positive = 1
    """Pixels of the short side."""
    min_aesthetic: float | None = None
    """In place of `curation.rules.aesthetic.minimum`."""
    max_watermark: Share | None = None
    """By the probability that came with the picture (`pwatermark`); where none came, it is rejected."""
    english_only: bool = False
    """Of captions that came with it, and of what is written in it."""


class TextImageRules(ImageCollectionRules):
    min_side: Positive = 512
    english_only: bool = True
    min_confidence: Share = 0.5
    """Lines that the recogniser reads less surely are left out of the caption."""
    min_characters: Positive = 2


class PeopleImageRules(ImageCollectionRules):
    min_side: Positive = 512
    max_watermark: Share | None = 0.5
    must_be_named: bool = True
    """Captions that came with a picture must speak of a person."""


class ImageRules(Section):
    min_side: Positive = 64
    """Of every picture, whatever its collection."""
    captioned: ImageCollectionRules = ImageCollectionRules()
    text: TextImageRules = TextImageRules()
    people: PeopleImageRules = PeopleImageRules()
