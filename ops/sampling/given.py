"""The frames that a video is to keep, named by their files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.geometry import fitting_frames, latent_frames, video_frames
from ops.runtime.files import Document, sha256


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

    def checked(self, frames: int, name: str = "frames") -> Given:
        """These in a video of so many frames, with how many of them are given; `name` is what says how many it has.

        Raises:
            SamplingError: none of the frames would be given, or none would be left to make.
        """
        if self.mask == "continuation" and self.count is None:
            return replace(self, count=first_half(frames)).checked(frames, name)
        given = len(self.files) if self.count is None else self.count
        if given < 1:
            raise SamplingError(f"{given} frames of {self.files[0].path.name} are to be given, but must be at least 1")
        if given >= frames:
            enough = video_frames(latent_frames(given) + 1)
            raise SamplingError(f"{name} is {frames}, but {given} are given: to have some made use {enough} or more")
        return self

    def as_json(self) -> dict[str, object]:
        """Files by their names and what is in them, not by where they lie."""
        files = [{"name": file.path.name, "sha256": file.sha256} for file in self.files]
        return {"mask": self.mask, "files": files, "count": self.count}

    @classmethod
    def of_json(cls, told: Document, folders: Iterable[Path], named: Iterable[Path] = ()) -> Given:
        """Its files are those of the same content among `named`, or of the same name and content in `folders`.

        Raises:
            SamplingError: one is nowhere.
        """
        folders, named = list(folders), list(named)
        files = []
        for file in told["files"]:
            places = [*named, *(folder / file["name"] for folder in folders)]
            found = next((place for place in places if place.is_file() and sha256(place) == file["sha256"]), None)
            if found is None:
                where = ", ".join(str(folder) for folder in folders)
                raise SamplingError(
                    f"the given file {file['name']} (sha256 {file['sha256'][:12]}…) is not in {where}: put it there, "
                    "or name it by the option that gave it"
                )
            files.append(GivenFile(found.resolve(), file["sha256"]))
        return cls(told["mask"], tuple(files), told["count"])


def first_half(frames: int) -> int:
    """Whole latent frames of the first half of so many frames, as published."""
    return fitting_frames(max(1, frames // 2))
