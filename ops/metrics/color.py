"""Color of VBench (Huang et al. 2024): whether GRiT tells the object in the colour that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ops.metrics.base import PARITY, Measure, Needs, Value, Video, VideoMetric
from ops.metrics.networks.detections import WEIGHTS, Found, detections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.weights.surroundings import Surroundings

COLOURS = ("white", "red", "pink", "blue", "silver", "purple", "orange", "green", "gray", "yellow", "black", "grey")


class Color(VideoMetric):
    """Of 16 frames in which the object has a colour, the share in which it has this one; a video that never shows the
    object has no value, and takes no part in a set's score."""

    name, version = "color", "1"
    higher_is_better = True
    fooled_by = "the object once, in its colour"
    needs = Needs(prompt=True, asked="color", weights=WEIGHTS)
    terms: ClassVar = {"seen": int, "right": int}
    proof = PARITY
    quirks = (
        "captions are held against the name of the frame's best object, not their own",
        "colours are looked for as parts of words, and articles are taken out of the prompt wherever they stand",
    )

    def start(self, project: Surroundings) -> Measure:
        reader = detections(project, captions=True)

        def measure(video: Video) -> Value:
            assert video.prompt is not None  # else it is unfit
            colour = video.asked["color"]["color"]
            return share_in(video.once(reader), object_of(video.prompt, colour), colour)

        return measure


def object_of(prompt: str, colour: str) -> str:
    """'a red car' → 'car'."""
    for part in ("a ", "an ", colour):
        prompt = prompt.replace(part, "")
    return prompt.strip()


def share_in(frames: Iterable[list[Found]], name: str, colour: str) -> Value:
    seen = right = 0
    for frame in frames:
        told = [each.description for each in frame if frame[0].name == name]
        seen += any(any(word in caption for word in COLOURS) for caption in told)
        right += any(colour in caption for caption in told)
    return Value(right / seen if seen else None, {"seen": seen, "right": right})
