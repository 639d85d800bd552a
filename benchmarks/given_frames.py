"""What a denoiser makes of frames of clips that no training ever saw: how many videos show what their prompt says, and
how near they are to the clip that the frames were taken from.

`python -m benchmarks.given_frames PROJECT` takes a finished project of the made world with a stage of kind
image_condition, and leaves it as it is; `--clips N` for more or fewer videos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.report import Report
from ops.evaluation.made_clips import seen_at
from ops.evaluation.truth import measures, shares, video_row
from ops.generation.computed import Computed
from ops.generation.drawing import latents_of
from ops.generation.given_pixels import GivenPixels
from ops.generation.model import VideoModel
from ops.generation.prompts import read_words
from ops.made_world.clips import FRAMES, SIDE
from ops.made_world.drawing import draw
from ops.made_world.scenes import held_out_combinations, scene_of
from ops.metrics.base import Video
from ops.metrics.truth import ALL
from ops.release.model_name import resolve
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.sampling.given import first_half
from ops.sampling.request import Request
from ops.training.results import Trained

SEED = 30_000
"""Of clips that neither a source nor the evaluation has drawn."""
SHOWN = ("colour", "shape", "direction", ALL)
PEAK = 255.0

Frames = NDArray[np.uint8]


class Clip(NamedTuple):
    caption: str
    frames: Frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, help="a finished project of the made world")
    parser.add_argument("--checkpoint", required=True, help="an asset such as control_given, or a checkpoint folder")
    parser.add_argument("--clips", type=int, default=3, help="of each of the twelve held-out sentences")
    parser.add_argument("--guidance", type=float, default=1.0, help="by which given frames are kept best")
    parser.add_argument("--pictures", type=Path, help="a PNG of the first videos, row by row")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    project = Project(options.project)
    model = VideoModel(project, resolve(project, options.checkpoint)[0])
    clips = list(made(project, options.clips))
    found, videos = measure(model, clips, options.guidance)
    told = current(project, model.parts.denoiser_asset, Trained).results
    report_ = report(
        found, len(clips), f"{model.parts.denoiser_asset} of {told.steps} steps, guidance {options.guidance:g}"
    )
    report_.show(Console())
    if options.pictures:
        draw_pictures(options.pictures, clips, videos)
    if options.write:
        report_.write()


def made(project: Project, of_each: int) -> Iterator[Clip]:
    """Clips of the held-out sentences as the evaluation would see them."""
    evaluation = project.settings.evaluation
    random = np.random.default_rng(SEED)
    for _ in range(of_each):
        for combination in held_out_combinations():
            drawn = draw(scene_of(combination, random), FRAMES, SIDE)
            yield Clip(combination.caption, seen_at(drawn, evaluation.model_dump()))


def ways(frames: int) -> dict[str, list[int]]:
    """Each row: which frames are given."""
    return {
        "nothing": [],
        "the first": [0],
        "the first and the last": [0, frames - 1],
        "the first half": list(range(first_half(frames))),
        "all but the middle": [place for place in range(frames) if place != frames // 2],
    }


def measure(
    model: VideoModel, clips: list[Clip], guidance: float
) -> tuple[dict[str, dict[str, float]], dict[str, list[Frames]]]:
    """Row → share of videos that keep each measure, and how near the given and the other frames are to the clip's, in
    dB; and the videos themselves."""
    taken = measures(model.project)
    figures: dict[str, dict[str, float]] = {}
    videos: dict[str, list[Frames]] = {}
    for name, places in ways(len(clips[0].frames)).items():
        videos[name] = list(completed(model, clips, places, guidance))
        rows = [
            video_row("samples", None, clip.caption, Video(frames, clip.caption), taken)
            for clip, frames in zip(clips, videos[name], strict=True)
        ]
        others = [place for place in range(len(clips[0].frames)) if place not in places]
        figures[name] = {
            **shares(rows),
            "given": nearness(clips, videos[name], places) if places else np.nan,
            "made": nearness(clips, videos[name], others),
        }
    return figures, videos


def completed(model: VideoModel, clips: list[Clip], places: list[int], guidance: float) -> Iterator[Frames]:
    """Each clip with all but some of its frames made anew."""
    for seed, clip in enumerate(clips):
        request = Request.of(
            model.project.settings.evaluation, clip.caption, seed, frames=len(clip.frames), guidance=guidance
        )
        pixels, mask = np.zeros_like(clip.frames), np.ones(len(clip.frames), np.float32)
        pixels[places], mask[places] = clip.frames[places], 0
        texts, _ = read_words(model, request)
        given = [GivenPixels(pixels, mask)]
        yield model.decode(latents_of(model, [request], [texts], given, Computed(), lambda done, total: None))


def nearness(clips: list[Clip], videos: list[Frames], places: list[int]) -> float:
    """The mean PSNR over clips of the frames at these places."""
    errors = [
        np.square(clip.frames[places].astype(float) - frames[places]).mean()
        for clip, frames in zip(clips, videos, strict=True)
    ]
    return float(np.mean([10 * np.log10(PEAK**2 / max(error, 1e-9)) for error in errors]))


def report(found: dict[str, dict[str, float]], clips: int, maker: str) -> Report:
    alone, first = found["nothing"], found["the first"]
    return Report(
        "Given frames",
        f"A first frame takes the shapes from {alone['shape']:.0%} to {first['shape']:.0%} and what is made from "
        f"{alone['made']:.1f} to {first['made']:.1f} dB of the clip; given frames are kept at {first['given']:.1f} dB.",
        ("given", *SHOWN, "given, dB", "made, dB"),
        [
            (
                name,
                *(f"{values[word]:.0%}" for word in SHOWN),
                "" if np.isnan(values["given"]) else f"{values['given']:.1f}",
                f"{values['made']:.1f}",
            )
            for name, values in found.items()
        ],
        (
            f"Share of {clips} videos a row, of the twelve held-out sentences, each by another clip of which some "
            f"frames are given, by {maker}. Chance is 25, 33 and 25 %.",
            "The last columns: PSNR against the clip, of the frames that were given and of those that were made.",
            "`python -m benchmarks.given_frames PROJECT --checkpoint control_NAME`",
        ),
    )


def draw_pictures(path: Path, clips: list[Clip], videos: dict[str, list[Frames]]) -> None:
    """The first clips, each above what was made of its frames."""
    from ops.runtime.frame_grid import Tile, legible, save, strip

    def tile(frames: Frames, words: str) -> Tile:
        return Tile(legible(strip(frames, len(frames)), 64), words)

    rows = []
    for number, clip in enumerate(clips[:4]):
        rows.append([tile(clip.frames, f"{clip.caption}: the clip")])
        rows += [[tile(made[number], f"given: {name}")] for name, made in videos.items()]
    save(rows, path)


if __name__ == "__main__":
    main()
