"""How a video was computed, which decides its last bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from ops.runtime.files import Document
from ops.sampling.given import SamplingError


@dataclass(frozen=True)
class Computed:
    """Nothing of this is to be seen in a video, but sums are rounded in another order: only what is computed in the
    same way has the same bytes."""

    guidance_passes: int = 1
    """1: both halves of guidance as one batch; 2: one after the other."""
    batch: int = 1
    """How many videos were made together."""
    place: int = 0
    """Which of them this one was."""
    text_tokens: int | None = None
    """To how many the texts of the batch were padded; None is the longer one of its own two."""
    ranks: int = 1

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def of_json(cls, told: Document) -> Computed:
        """Raises SamplingError for other keys than `as_json` gives."""
        if wrong := sorted(told.keys() ^ {field.name for field in fields(cls)}):
            raise SamplingError(f"how it was computed is told by other keys than these: {', '.join(wrong)}")
        return cls(**told)
