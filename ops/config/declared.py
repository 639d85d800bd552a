"""Names that a recipe may hold and the catalogue of curation declares."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import CoreSchema, core_schema

from ops.catalogue import SCORES, scorers_of


@dataclass(frozen=True)
class OneOf:
    """Admits these texts only, as a `Literal` does, which cannot hold names that are declared elsewhere."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        return core_schema.literal_schema([*self.names])


def scorer_of(section: str) -> OneOf:
    """The scorers of a section of `curation`."""
    return OneOf(tuple(choice.name for choice in scorers_of(section)))


RULED = OneOf(tuple(SCORES))
"""The scores that a rule may decide by."""
