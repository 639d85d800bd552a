"""The file beside a video: all that made it, from which it can be made again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ops.generation.computed import Computed
from ops.generation.parts import Parts
from ops.generation.seams import Seam
from ops.runtime.files import sha256, write_json
from ops.sampling.request import Given, Request, SamplingError

if TYPE_CHECKING:
    from ops.generation.model import VideoModel

VERSION = 2
"""Raised when a file of before does not give the same video any more. 1 had no number, and not all that decides."""
KEYS = ("version", "request", "model", "computed", "video", "codec", "device", "code", "notes")


@dataclass(frozen=True)
class Made:
    """What a settings file says of the video beside it."""

    request: Request
    parts: Parts
    computed: Computed
    video: str
    """Its sha256."""
    where: dict[str, Any]
    """Codec, device and code, which may be others here and now."""

    def elsewhere(self, now: Made) -> list[str]:
        """What is not as it was, in words."""
        return [
            f"{key} was {self.where[key]}, now {now.where[key]}"
            for key in now.where
            if self.where[key] != now.where[key]
        ]


def path_of(video: Path) -> Path:
    return video.with_suffix(".json")


def write(
    model: VideoModel, request: Request, video: Path, computed: Computed, notes: Sequence[str], seams: Sequence[Seam]
) -> None:
    """Beside a video that is written."""
    from ops.runtime.mp4 import codec
    from ops.runtime.source_code import git_state

    told: dict[str, object] = {
        "version": VERSION,
        "request": request.as_json(),
        "model": json.loads(model.parts.as_json()),
        "computed": computed.as_json(),
        "video": {"sha256": sha256(video)},
        "codec": codec()[0],
        "device": str(model.device),
        "code": git_state(model.project.root),
        "notes": list(notes),
    }
    if seams:
        told["seams"] = [seam.as_json() for seam in seams]
    write_json(path_of(video), told)


def read(path: Path, named: Iterable[Path] = ()) -> Made:
    """What a file tells. Given files are looked for among `named`, beside it, and in the working directory.

    Raises:
        SamplingError: it is no settings file, one of another version, or a given file of it is gone.
    """
    told = _told(path)
    request = told["request"]
    given = request.get("given")
    try:
        found = Given.of_json(given, [path.resolve().parent, Path.cwd()], named) if given else None
        return Made(
            request=Request.of_json(request, found),
            parts=Parts.model_validate(told["model"]),
            computed=Computed.of_json(told["computed"]),
            video=told["video"]["sha256"],
            where={key: told[key] for key in ("codec", "device", "code")},
        )
    except SamplingError as error:
        raise SamplingError(f"{path} cannot be made again: {error}") from error
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise SamplingError(
            f"{path} cannot be made again: its model is not as this soraflow tells one: {wrong}"
        ) from error


def seams_of(video: Path) -> tuple[Seam, ...]:
    """Of a video that is written."""
    return tuple(Seam(**each) for each in _told(path_of(video)).get("seams", []))


def is_of(video: Path, request: Request, parts: Parts) -> bool:
    """Whether a video is there that was made so."""
    if not (video.is_file() and path_of(video).is_file()):
        return False
    try:
        told = _told(path_of(video))
    except SamplingError:
        return False
    return bool(told["request"] == request.as_json() and told["model"] == json.loads(parts.as_json()))


def _told(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SamplingError(f"there is no settings file {path}: it lies beside a video, under its name with .json")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SamplingError(f"{path} is no settings file of a video: {error}") from error
    if not isinstance(told, dict) or not {"request", "model"} <= told.keys():
        raise SamplingError(f"{path} is no settings file of a video: such a file has the keys {', '.join(KEYS)}")
    version = told.get("version", 1)
    if version != VERSION:
        wants = "a newer soraflow" if isinstance(version, int) and version > VERSION else "an older soraflow"
        raise SamplingError(
            f"{path} is of version {version}, of {wants}; this one makes videos of version {VERSION} again: ask for it "
            "anew by the prompt, seed and settings that it names"
        )
    if missing := [key for key in KEYS if key not in told]:
        raise SamplingError(f"{path} lacks {', '.join(missing)}: bring back the file that was written with the video")
    return told
