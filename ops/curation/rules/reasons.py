"""Why something is out: a code of the catalogue, and a sentence with its numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rejection:
    """Why something is out: a code to count by, and a sentence that a person can act on."""

    code: str
    text: str

    def columns(self) -> dict[str, str]:
        """As a table holds it."""
        return {"reason_code": str(self.code), "reason": self.text}
