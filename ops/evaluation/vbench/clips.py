"""The videos of a folder, with the prompts that their names tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.evaluation.vbench.suite import Suite, SuitePrompt, split_name
from ops.metrics.base import Value, Video

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")
LONGEST = 5.0
"""Seconds: VBench is meant for less."""
Shape = tuple[float, ...]
"""Frames, height, width and frames a second of a video."""


class UnreadableVideo(ValueError):
    """A file that is no video; the message goes on after its name."""


@dataclass
class Clip:
    """A video of the folder."""

    path: Path
    prompt: str
    asked: SuitePrompt | None
    """Its entry of the suite."""
    static: Value | None = None
    """1 where nothing moves, once the static filter looked at it."""

    @property
    def terms(self) -> Mapping[str, Mapping[str, str]]:
        """Dimension → what the suite asks for in its terms."""
        return self.asked.asked if self.asked else {}

    def read(self) -> Video:
        """Decoded whole.

        Raises:
            UnreadableVideo: it cannot be.
        """
        import av

        from ops.runtime.mp4 import rate_of, read_mp4

        try:
            frames, fps = read_mp4(self.path), rate_of(self.path)
        except (av.FFmpegError, ValueError, IndexError) as error:
            raise UnreadableVideo(f"cannot be decoded: {error}") from error
        return Video(frames, self.prompt, fps=fps, asked=self.terms)


def find_clips(
    videos: Path, prompts_of: Suite, prompts: Mapping[str, str], custom: bool
) -> tuple[list[Clip], list[str]]:
    """The videos of a folder with their prompts, and what is wrong with others.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: `prompts` names a file that is not there.
    """
    if not videos.is_dir():
        raise FileNotFoundError(f"{videos} is no folder; --videos takes the folder that holds the MP4 files")
    if absent := [file for file in prompts if not (videos / file).is_file()]:
        raise ValueError(f"the file of prompts names {absent[0]}, which is not in {videos}")
    clips, problems = [], []
    for path in sorted(videos.iterdir()):
        if path.is_dir():
            if any(each.suffix in SUFFIXES for each in path.rglob("*")):
                problems.append(
                    f"{path.name}/ holds videos that are not looked at; a prompt with a slash cannot be a file's name: "
                    "put its videos beside the others and name their prompts in a file for --prompts"
                )
            continue
        if path.suffix.lower() not in SUFFIXES:
            continue
        prompt, number = (prompts[path.name], 0) if path.name in prompts else split_name(path.stem)
        asked = prompts_of.get(prompt)
        if custom or (asked and number is not None):
            clips.append(Clip(path, prompt, asked))
        elif asked:
            problems.append(f"{path.name} has no number after its prompt, such as {path.stem}-0{path.suffix}")
        else:
            problems.append(f"{path.name} has no prompt of the suite; --custom scores videos of one's own prompts")
    return clips, problems


def unlike(shapes: Mapping[str, Shape]) -> list[str]:
    """What is said of videos that are not alike, or too long."""
    problems = []
    for place, what in ((0, "frames"), (1, "pixels of height"), (2, "pixels of width"), (3, "frames a second")):
        found = sorted({shape[place] for shape in shapes.values()})
        if len(found) > 1:
            problems.append(f"videos differ: from {found[0]} to {found[-1]} {what}")
    long = [name for name, (frames, _, _, fps) in shapes.items() if fps and frames / fps >= LONGEST]
    if long:
        problems.append(f"{len(long)} videos last {LONGEST:g} s and more, such as {long[0]}: VBench is meant for less")
    return problems
