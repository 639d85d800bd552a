"""The names of made sources: `made:shapes`, and behind a question mark what differs from the defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args
from urllib.parse import parse_qsl

from ops.made_world.scenes import COLOURS, PALETTE
from ops.runtime.files import digest

PREFIX = "made:"
WORLD = "shapes"
VERSION = 1
"""Raised when the same name makes other clips."""

Variant = Literal["one", "two", "cuts", "subtitles"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


class UnknownWorld(ValueError):
    """A name that begins with `made:` and makes nothing; the message says what would."""


@dataclass(frozen=True)
class MadeSource:
    """How many clips of which kind: of `one` thing, of `two` things, of two scenes with a hard cut between them
    (`cuts`), or of one thing with `subtitles` under it. Things have these `colours`."""

    clips: int = 400
    seed: int = 0
    variant: Variant = "one"
    colours: tuple[str, ...] = tuple(COLOURS)

    @classmethod
    def parse(cls, name: str) -> MadeSource:
        """Of a name such as `made:shapes?clips=600`.

        Raises:
            UnknownWorld: another world, another key, or a value that does not fit its key.
        """
        world, _, query = name.removeprefix(PREFIX).partition("?")
        if world != WORLD:
            raise UnknownWorld(f"'{name}': there is no made world '{world}'; there is {PREFIX}{WORLD}")
        given = dict(parse_qsl(query, keep_blank_values=True))
        known = {field.name for field in fields(cls)}
        if strange := sorted(set(given) - known):
            raise UnknownWorld(f"'{name}': '{strange[0]}' is no setting of it; there are {', '.join(sorted(known))}")
        numbers: dict[str, int] = {}
        variant, colours = cls.variant, cls.colours
        for key, text in given.items():
            if key == "variant":
                if text not in VARIANTS:
                    raise UnknownWorld(f"'{name}': variant is '{text}', but must be one of {', '.join(VARIANTS)}")
                variant = next(each for each in VARIANTS if each == text)
            elif key == "colours":
                colours = tuple(text.split(","))
                if not set(colours) <= set(PALETTE) or len(set(colours)) < len(colours):
                    raise UnknownWorld(
                        f"'{name}': colours is '{text}', but must be of {', '.join(PALETTE)}, each once, with commas"
                    )
            elif text.isdecimal() and (key == "seed" or int(text) > 0):
                numbers[key] = int(text)
            else:
                least = "" if key == "seed" else " above 0"
                raise UnknownWorld(f"'{name}': {key} is '{text}', but must be a whole number{least}")
        if variant in ("two", "cuts") and len(colours) == 1:
            raise UnknownWorld(f"'{name}': variant {variant} has things of two colours: name more than one")
        return cls(**numbers, variant=variant, colours=colours)

    def folder_name(self) -> str:
        """Tells worlds apart, and versions of the same."""
        own = [] if self.colours == tuple(COLOURS) else [self.colours]
        return f"{WORLD}-{self.variant}-{self.clips}-{digest([VERSION, self.clips, self.seed, self.variant, *own])[:8]}"
