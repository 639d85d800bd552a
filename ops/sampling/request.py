"""What is asked of a text-to-video model, checked before any weights are loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, Unpack

from models.geometry import (
    PIXELS_PER_TOKEN,
    TEMPORAL,
    fits_latents,
    fitting_frames,
    latent_frames,
    nearest_fitting,
    video_frames,
)
from ops.runtime.files import sha256

if TYPE_CHECKING:
    from ops.config import Evaluation

Sampler = Literal["ddim", "euler_ancestral"]
T = TypeVar("T")
MAX_PROMPT_CHARACTERS = 8_000
"""Longer prompts are cut here before the tokenizer sees them; its own limit is far lower."""


class SamplingError(ValueError):
    """A video that cannot be made as asked; the message says what would be right."""


@dataclass(frozen=True)
class GivenFile:
    """A file by what is in it."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> GivenFile:
        """Raises SamplingError where there is no such file."""
        if not path.is_file():
            raise SamplingError(f"there is no file {path}")
        return cls(path.resolve(), sha256(path))


@dataclass(frozen=True)
class Given:
    """Frames that a video is to keep, from files; `mask` is the type of the mask by its published name.

    `count` is how many frames of a video are given, its last ones; None until a request is checked is about half of
    the frames that are asked for, and of pictures it stays None.
    """

    mask: Literal["i2v", "transition", "continuation"]
    files: tuple[GivenFile, ...]
    count: int | None = None

    @classmethod
    def beginning(cls, picture: Path) -> Given:
        """The picture is the first frame. This and the others raise SamplingError where there is no such file."""
        return cls("i2v", (GivenFile.of(picture),))

    @classmethod
    def ends(cls, first: Path, last: Path) -> Given:
        """The pictures are the first frame and the last one."""
        return cls("transition", (GivenFile.of(first), GivenFile.of(last)))

    @classmethod
    def end_of(cls, video: Path, count: int | None = None) -> Given:
        """The last `count` frames of a video are the first ones of the new one."""
        return cls("continuation", (GivenFile.of(video),), count)

    def places(self, frames: int) -> list[int]:
        """Which of so many frames are given; of a checked request."""
        if self.mask == "continuation":
            assert self.count is not None, "a checked request says how many"
            return list(range(self.count))
        return [0, frames - 1] if self.mask == "transition" else [0]

    def checked(self, frames: int) -> Given:
        """These in a video of so many frames, with how many of them are given.

        Raises:
            SamplingError: none of the frames would be given, or none would be left to make.
        """
        if self.mask == "continuation" and self.count is None:  # whole latent frames of the first half, as published
            return replace(self, count=fitting_frames(max(1, frames // 2))).checked(frames)
        given = len(self.files) if self.count is None else self.count
        if given < 1:
            raise SamplingError(f"{given} frames of {self.files[0].path.name} are to be given, but must be at least 1")
        if given >= frames:
            enough = video_frames(latent_frames(given) + 1)
            raise SamplingError(f"frames is {frames}, but {given} are given: to have some made use {enough} or more")
        return self

    def as_json(self) -> dict[str, object]:
        files = [{"name": file.path.name, "sha256": file.sha256} for file in self.files]
        return {"mask": self.mask, "files": files, "count": self.count}


class Chosen(TypedDict, total=False):
    """What somebody wants of a video; what is left out, or None, is as in the recipe's evaluation."""

    steps: int | None
    guidance: float | None
    frames: int | None
    height: int | None
    width: int | None
    fps: float | None
    sampler: Sampler | None
    negative_prompt: str | None


@dataclass(frozen=True)
class Request:
    """One video: sizes in pixels, `frames` at `fps`; guidance 1 follows the prompt without a negative half."""

    prompt: str
    seed: int
    steps: int
    guidance: float
    frames: int
    height: int
    width: int
    fps: float
    sampler: Sampler = "ddim"
    negative_prompt: str = ""
    given: Given | None = None
    """What only a model takes that was trained on given frames."""

    @classmethod
    def of(
        cls, evaluation: Evaluation, prompt: str, seed: int, given: Given | None = None, **chosen: Unpack[Chosen]
    ) -> Request:
        """The recipe's evaluation settings for this prompt and seed, but for what is chosen."""
        return cls(
            prompt=prompt,
            seed=seed,
            steps=_or(chosen.get("steps"), evaluation.steps),
            guidance=_or(chosen.get("guidance"), evaluation.guidance),
            frames=_or(chosen.get("frames"), evaluation.num_frames),
            height=_or(chosen.get("height"), evaluation.height),
            width=_or(chosen.get("width"), evaluation.width),
            fps=_or(chosen.get("fps"), evaluation.fps),
            sampler=_or(chosen.get("sampler"), evaluation.sampler),
            negative_prompt=_or(chosen.get("negative_prompt"), evaluation.negative_prompt),
            given=given,
        )

    def checked(self, train_timesteps: int = 1000) -> tuple[Request, list[str]]:
        """This request in a form that can be made, with a note for each thing that was changed.

        Raises:
            SamplingError: for an empty prompt, sizes or steps that no model here can make, or given frames that leave
                nothing to make.
        """
        prompt = " ".join(self.prompt.split())
        if not prompt:
            raise SamplingError("the prompt is empty; say what the video should show")
        for name in ("height", "width"):
            _require_multiple(name, getattr(self, name))
        if not fits_latents(self.frames):
            below, above = nearest_fitting(self.frames)
            raise SamplingError(f"frames is {self.frames}, but must be 1 + {TEMPORAL}n: use {below} or {above}")
        if not 1 <= self.steps <= train_timesteps:
            raise SamplingError(f"steps is {self.steps}, but must lie between 1 and {train_timesteps}")
        if not self.fps > 0:
            raise SamplingError(f"fps is {self.fps}, but must be above 0")
        if not 0 <= self.seed < 2**63:
            raise SamplingError(f"seed is {self.seed}, but must lie between 0 and 2^63 - 1")
        given = self.given and self.given.checked(self.frames)
        notes = []
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            notes.append(f"the prompt has {len(prompt)} characters; only the first {MAX_PROMPT_CHARACTERS} were read")
            prompt = prompt[:MAX_PROMPT_CHARACTERS]
        return replace(self, prompt=prompt, given=given), notes

    def as_json(self) -> dict[str, object]:
        """Given files by their names and what is in them."""
        told = asdict(replace(self, given=None))
        del told["given"]
        return {**told, "given": self.given.as_json()} if self.given else told


def _or(chosen: T | None, default: T) -> T:
    return default if chosen is None else chosen


def _require_multiple(name: str, value: int) -> None:
    if value >= PIXELS_PER_TOKEN and value % PIXELS_PER_TOKEN == 0:
        return
    below = max(PIXELS_PER_TOKEN, value - value % PIXELS_PER_TOKEN)
    raise SamplingError(
        f"{name} is {value}, but must be a multiple of {PIXELS_PER_TOKEN}: use {below} or {below + PIXELS_PER_TOKEN}"
    )
