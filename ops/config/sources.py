"""Where clips and images come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import field_validator

from ops.config.section import Section
from ops.made_world.source import PREFIX, MadeSource


class VideoCollection(Section):
    """Where clips come from: a folder, a manifest of paths (.txt or .jsonl), `package:NAME`, or `made:shapes`."""

    path: str
    licence: str | None = None
    """Of every file that does not name its own; a package's metadata is asked where this is null."""

    @field_validator("path")
    @classmethod
    def _made_sources_exist(cls, value: str) -> str:
        if value.startswith(PREFIX):
            MadeSource.parse(value)
        return value


class ImageCollection(VideoCollection):
    collection: Literal["captioned", "text", "people"] = "captioned"
    """Captioned photographs, pictures with writing in them, or pictures of people: each has rules of its own."""


class Sources(Section):
    """Each of `videos` and `images` is a path, or a list of collections."""

    videos: tuple[VideoCollection, ...] = ()
    images: tuple[ImageCollection, ...] = ()
    captions: str | None = None
    """A JSON file {file name: caption or list of captions}; sidecars beside a file win over it."""

    @field_validator("videos", "images", mode="before")
    @classmethod
    def _a_path_is_a_collection(cls, value: object) -> object:
        if value is None:
            return ()
        collections = [value] if isinstance(value, str | Mapping) else value
        if not isinstance(collections, list | tuple):
            raise ValueError("must be a path, or a list such as [{path: films, licence: CC0-1.0}]")
        return tuple({"path": each} if isinstance(each, str) else each for each in collections)
