"""What is asked of a text-to-video model: one video, checked before any weights are loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, get_args

from models.geometry import PIXELS_PER_TOKEN, TEMPORAL, fits_latents, nearest_fitting
from ops.config import Sampler
from ops.runtime.files import Document
from ops.sampling.given import Given, GivenFile, SamplingError, first_half

if TYPE_CHECKING:
    from ops.config import Evaluation

__all__ = ["MAX_PROMPT_CHARACTERS", "Given", "GivenFile", "Request", "SamplingError"]

MAX_PROMPT_CHARACTERS = 8_000
"""Longer prompts are cut here before the tokenizer sees them; its own limit is far lower."""
SEEDS = 2**63


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
    guidance_rescale: float = 0.0
    """How much of a prediction has its spread brought back to what it is without guidance, 0 to 1."""
    given: Given | None = None
    """What only a model takes that was trained on given frames."""
    chunk: int | None = None
    """How many frames are made at once; None is all of them. A longer video is made chunk by chunk, by a model that was
    trained on given frames: each goes on from the end of the one before."""
    overlap: int | None = None
    """With how many frames of the chunk before each begins; None until a request is checked is about half a chunk."""

    @classmethod
    def of(cls, evaluation: Evaluation, prompt: str, seed: int, **changes: Any) -> Request:
        """The recipe's evaluation settings for this prompt and seed; `changes` that are None keep them."""
        base = cls(
            prompt=prompt,
            seed=seed,
            steps=evaluation.steps,
            guidance=evaluation.guidance,
            frames=evaluation.num_frames,
            height=evaluation.height,
            width=evaluation.width,
            fps=evaluation.fps,
            sampler=evaluation.sampler,
            negative_prompt=evaluation.negative_prompt,
            guidance_rescale=evaluation.guidance_rescale,
        )
        return replace(base, **{key: value for key, value in changes.items() if value is not None})

    def variations(self, count: int) -> list[Request]:
        """So many of it, by this seed and those that follow.

        Raises:
            SamplingError: fewer than one.
        """
        if count < 1:
            raise SamplingError(f"count is {count}, but must be at least 1")
        return [replace(self, seed=self.seed + number) for number in range(count)]

    @property
    def together(self) -> Request:
        """What requests have in common that can be made together, as one batch."""
        return replace(self, prompt="", negative_prompt="", seed=0, given=None)

    def checked(self, train_timesteps: int = 1000) -> tuple[Request, list[str]]:
        """This request in a form that can be made, with a note for each thing that was changed.

        Raises:
            SamplingError: for an empty prompt, sizes, steps or a sampler that no model here can make, or given frames
                that leave nothing to make.
        """
        prompt = " ".join(self.prompt.split())
        if not prompt:
            raise SamplingError("the prompt is empty; say what the video should show")
        self._check_numbers(train_timesteps)
        chunked = self._chunked()
        several = self.chunk is not None and self.chunk < self.frames
        given = self.given and self.given.checked(*(self.chunk, "chunk") if several else (self.frames,))
        notes = []
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            notes.append(f"the prompt has {len(prompt)} characters; only the first {MAX_PROMPT_CHARACTERS} were read")
            prompt = prompt[:MAX_PROMPT_CHARACTERS]
        return replace(chunked, prompt=prompt, given=given), notes

    def _check_numbers(self, train_timesteps: int) -> None:
        for name in ("height", "width"):
            _require_multiple(name, getattr(self, name))
        _require_latents("frames", self.frames)
        if self.sampler not in get_args(Sampler):
            raise SamplingError(f"sampler is {self.sampler!r}, but must be one of {', '.join(get_args(Sampler))}")
        if not 1 <= self.steps <= train_timesteps:
            raise SamplingError(f"steps is {self.steps}, but must lie between 1 and {train_timesteps}")
        if not self.fps > 0:
            raise SamplingError(f"fps is {self.fps}, but must be above 0")
        if not 0 <= self.seed < SEEDS:
            raise SamplingError(f"seed is {self.seed}, but must lie between 0 and 2^63 - 1")
        if not 0 <= self.guidance_rescale <= 1:
            raise SamplingError(f"guidance_rescale is {self.guidance_rescale}, but must lie between 0 and 1")

    def _chunked(self) -> Request:
        """With how far its chunks overlap, where one is not enough."""
        if self.chunk is None:
            if self.overlap is not None:
                _require_latents("overlap", self.overlap)
            return self
        _require_latents("chunk", self.chunk)
        if self.chunk >= self.frames:
            return replace(self, overlap=None)
        overlap = first_half(self.chunk) if self.overlap is None else self.overlap
        _require_latents("overlap", overlap)
        if overlap >= self.chunk:
            raise SamplingError(f"overlap is {overlap}, but must leave some of a chunk's {self.chunk} frames to make")
        if self.given and self.given.mask == "transition":
            raise SamplingError(
                f"frames is {self.frames}, made in chunks of {self.chunk}, but a transition's first and last frame "
                f"must lie in one chunk: use {self.chunk} frames or fewer, or no last frame"
            )
        return replace(self, overlap=overlap)

    def as_json(self) -> dict[str, object]:
        """Given files by their names and what is in them; chunks where there are several."""
        told = asdict(replace(self, given=None))
        del told["given"]
        for key in ("chunk", "overlap"):
            if told[key] is None:
                del told[key]
        return {**told, "given": self.given.as_json()} if self.given else told

    @classmethod
    def of_json(cls, told: Document, given: Given | None) -> Request:
        """What `as_json` gave, with its given files found again.

        Raises:
            SamplingError: keys that a request does not have, or too few.
        """
        known = {field.name for field in fields(cls)} - {"given"}
        needed = {"prompt", "seed", "steps", "guidance", "frames", "height", "width", "fps"}
        told = {key: value for key, value in told.items() if key != "given"}
        if wrong := sorted((told.keys() - known) | (needed - told.keys())):
            raise SamplingError(f"its request has other keys than this soraflow knows: {', '.join(wrong)}")
        return cls(**told, given=given)


def _require_latents(name: str, frames: int) -> None:
    if not fits_latents(frames):
        below, above = nearest_fitting(frames)
        raise SamplingError(f"{name} is {frames}, but must be 1 + {TEMPORAL}n: use {below} or {above}")


def _require_multiple(name: str, value: int) -> None:
    if value >= PIXELS_PER_TOKEN and value % PIXELS_PER_TOKEN == 0:
        return
    below = max(PIXELS_PER_TOKEN, value - value % PIXELS_PER_TOKEN)
    raise SamplingError(
        f"{name} is {value}, but must be a multiple of {PIXELS_PER_TOKEN}: use {below} or {below + PIXELS_PER_TOKEN}"
    )
