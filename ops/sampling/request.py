"""What is asked of a text-to-video model, checked before any weights are loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from models.geometry import PIXELS_PER_TOKEN, TEMPORAL, fits_latents, nearest_fitting

if TYPE_CHECKING:
    from ops.config import Evaluation

MAX_PROMPT_CHARACTERS = 8_000
"""Longer prompts are cut here before the tokenizer sees them; its own limit is far lower."""


class SamplingError(ValueError):
    """A video that cannot be made as asked; the message says what would be right."""


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
    sampler: Literal["ddim", "euler_ancestral"] = "ddim"
    negative_prompt: str = ""

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
        )
        return replace(base, **{key: value for key, value in changes.items() if value is not None})

    def checked(self, train_timesteps: int = 1000) -> tuple[Request, list[str]]:
        """This request in a form that can be made, with a note for each thing that was changed.

        Raises:
            SamplingError: for an empty prompt, or sizes or steps that no model here can make.
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
        notes = []
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            notes.append(f"the prompt has {len(prompt)} characters; only the first {MAX_PROMPT_CHARACTERS} were read")
            prompt = prompt[:MAX_PROMPT_CHARACTERS]
        return replace(self, prompt=prompt), notes

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _require_multiple(name: str, value: int) -> None:
    if value >= PIXELS_PER_TOKEN and value % PIXELS_PER_TOKEN == 0:
        return
    below = max(PIXELS_PER_TOKEN, value - value % PIXELS_PER_TOKEN)
    raise SamplingError(
        f"{name} is {value}, but must be a multiple of {PIXELS_PER_TOKEN}: use {below} or {below + PIXELS_PER_TOKEN}"
    )
