"""What lies in a folder of sources and is none: counted by kind, with what would make it usable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["videos", "images"]
SUFFIXES: dict[Kind, frozenset[str]] = {
    "videos": frozenset({".mp4", ".m4v", ".mkv", ".webm", ".mov", ".qt", ".3gp", ".3g2", ".avi", ".gif"}),
    "images": frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"}),
}
"""Of what the decoders read."""

OTHER_VIDEOS = frozenset(
    (
        *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".vob", ".mxf", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
        *(".ogm", ".rm", ".rmvb", ".divx", ".dv", ".y4m", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf", ".insv"),
    )
)
OTHER_IMAGES = frozenset(
    (
        *(".tif", ".tiff", ".bmp", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".psd", ".tga", ".exr"),
        *(".hdr", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".svg", ".ppm"),
    )
)
TEXTS = frozenset({".txt", ".caption", ".json"})
"""What a caption may lie in."""
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"})

REMEDIES = {
    "videos": "name the folder in `sources.videos`, too",
    "images": "name the folder in `sources.images`, too",
    "videos of other formats": "put them into another container, as in `ffmpeg -i a.ts -c copy a.mkv`",
    "images of other formats": "convert them to PNG or JPEG",
    "captions that no file has": "put a caption beside its file: that of a.mp4 into a.mp4.txt, a.txt, a.caption or "
    "a.json, of which the first counts",
    "archives": "unpack them",
    "files without an extension": "give those that are media the extension of their format",
    "other files": "none is needed, unless some are media under an extension that is not known",
}
"""By kind, in the order in which they are told."""


@dataclass(frozen=True)
class LeftOut:
    """Files of one kind: how many, of which extensions, and one of them."""

    what: str
    files: int
    suffixes: Mapping[str, int] = field(default_factory=dict)
    example: str = ""

    @property
    def remedy(self) -> str:
        return REMEDIES[self.what]

    @property
    def told(self) -> str:
        """`3 (.ts 2, .mpg 1)`."""
        each = ", ".join(f"{suffix} {count}" for suffix, count in self.suffixes.items() if suffix)
        return f"{self.files:,} ({each})" if each else f"{self.files:,}"

    def columns(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


def counted(files: Iterable[tuple[str, Path]]) -> tuple[LeftOut, ...]:
    """Files, each with its name for people, by kind."""
    suffixes: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[str, str] = {}
    for name, file in files:
        what = _what(file)
        suffixes[what][file.suffix.lower()] += 1
        examples[what] = min(name, examples.get(what, name))
    return tuple(
        LeftOut(what, suffixes[what].total(), dict(suffixes[what].most_common()), examples[what])
        for what in REMEDIES
        if what in examples
    )


def _what(file: Path) -> str:
    suffix = file.suffix.lower()
    for kind, suffixes in SUFFIXES.items():
        if suffix in suffixes:
            return kind
    for what, suffixes in (
        ("videos of other formats", OTHER_VIDEOS),
        ("images of other formats", OTHER_IMAGES),
        ("captions that no file has", TEXTS),
        ("archives", ARCHIVES),
    ):
        if suffix in suffixes:
            return what
    return "other files" if suffix or file.name.startswith(".") else "files without an extension"
