"""From a sample's reference to its pixels: decode, crop, and fit into the bucket."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.curation.decoding import pictures
from ops.curation.decoding.frames import UndecodableVideo, frames_at
from ops.curation.decoding.pictures import UndecodableImage, read_picture
from ops.curation.sources.listing import file_of
from ops.curation.timeline import Timeline
from ops.data.columns import Sample
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.runtime.video import rendering

Pixels = NDArray[np.uint8]
"""Of a sample, [T, H, W, 3]."""
VERSIONS = {"pictures": pictures.VERSION, "rendering": rendering.VERSION}
"""Of the code that makes pixels of files: the same sample has other pixels where one of them is another."""


class UnreadableSource(RuntimeError):
    """A source that was curated and has since been changed, cut or lost."""


def read_sample(project: Project, sample: Sample) -> np.ndarray:
    """The sample's pixels, uint8 [T, H, W, 3], at the size of its bucket."""
    ((_, pixels),) = read_samples(project, [sample])
    return pixels


def read_samples(project: Project, samples: Iterable[Sample]) -> Iterator[tuple[Sample, np.ndarray]]:
    """Each sample with its pixels. Every source is decoded once, so samples come grouped by source."""
    sources: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        sources[sample["root"], sample["path"]].append(sample)
    for (root, path), members in sources.items():
        file = file_of(project, root, path)
        try:
            yield from _of_source(file, members)
        except (UndecodableVideo, UndecodableImage, FileNotFoundError) as error:
            raise UnreadableSource(f"{file} is not what was curated ({error}): run the curation again") from error


def readable(project: Project, samples: Iterable[Sample]) -> Iterator[tuple[Sample, Pixels | str]]:
    """The same, with what is wrong with it in the place of what cannot be read. They come grouped by source, which is
    decoded once, unless something ails one of them: then for each by itself."""
    for _, group in groupby(samples, key=lambda row: (row["root"], row["path"])):
        waiting = {row["sample_id"]: row for row in group}
        try:
            for sample, pixels in read_samples(project, list(waiting.values())):
                del waiting[sample["sample_id"]]
                yield sample, pixels
        except UnreadableSource:
            for sample in waiting.values():
                yield sample, _read_or_told(project, sample)


def _read_or_told(project: Project, sample: Sample) -> Pixels | str:
    try:
        return read_sample(project, sample)
    except UnreadableSource as error:
        return str(error)


_Key = tuple[str, tuple[int, ...]]


def _key(sample: Sample) -> _Key:
    """A sample may have another window in another epoch."""
    return sample["sample_id"], tuple(sample["frame_indices"])


class PixelReader:
    """Samples in any order, with those read lately kept in memory.

    A miss decodes the source for all of its samples at once, when they fit into a quarter of `cache_bytes`. Threads
    may share a reader, as the read-ahead and the validation of a training do; they read one after the other, so that
    what one decodes is there for the next and the memory held is counted right.
    """

    def __init__(
        self, project: Project, of_one_source: Callable[[Sample], Sequence[Sample]], cache_bytes: int = 2**30
    ) -> None:
        """`of_one_source` says of a sample which ones of its source, itself among them, may be decoded with it."""
        self._project, self._limit, self._held = project, cache_bytes, 0
        self._cache: OrderedDict[_Key, np.ndarray] = OrderedDict()
        self._alone = threading.Lock()
        self._of_one_source = of_one_source

    workers = 0
    """Beside this process."""

    def read(self, samples: Sequence[Sample]) -> list[Pixels | str]:
        """Of each sample its pixels, which are not to be written into, or what is wrong with it."""
        return [self._read_or_told(sample) for sample in samples]

    def close(self) -> None:
        """There is nothing to end."""

    def _read_or_told(self, sample: Sample) -> Pixels | str:
        with self._alone:
            try:
                return self._read(sample)
            except UnreadableSource as error:
                return str(error)

    def _read(self, sample: Sample) -> np.ndarray:
        key = _key(sample)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        together = self._together(sample)
        try:
            return self._decoded(together, key)
        except UnreadableSource:
            if len(together) == 1:
                raise
            return self._decoded([sample], key)  # what ails the others of its source need not be its affair

    def _decoded(self, samples: Sequence[Sample], key: _Key) -> np.ndarray:
        for member, pixels in read_samples(self._project, samples):
            self._keep(_key(member), pixels)
            if _key(member) == key:
                found = pixels
        return found

    def _together(self, sample: Sample) -> Sequence[Sample]:
        siblings = self._of_one_source(sample)
        return siblings if sum(map(_bytes, siblings)) <= self._limit / 4 else [sample]

    def _keep(self, key: _Key, pixels: np.ndarray) -> None:
        replaced = self._cache.pop(key, None)
        self._held += pixels.nbytes - (replaced.nbytes if replaced is not None else 0)
        self._cache[key] = pixels
        while self._held > self._limit and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes


def spread_frames(project: Project, item: Row, count: int) -> list[np.ndarray]:
    """Up to `count` cropped frames, evenly over a clip's row; one for an image's row."""
    path = file_of(project, item["root"], item["path"])
    if "start_frame" not in item:
        return [image_pixels(path)]
    # a constant rate divides evenly, whatever it is
    span = Timeline(item["start_frame"], item["end_frame"], item.get("fps", 1.0), item.get("frame_times"))
    indices = span.evenly(count)
    return [_cropped(frame, item["crop"]) for _, frame in frames_at(path, indices)]


def image_pixels(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], as curation saw the picture: upright, transparent parts on white, sixteen bits as eight."""
    return read_picture(path)


def fitted(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Centre-cropped to the target's shape and resized: [H, W, 3] uint8 → [height, width, 3] uint8.

    Offsets and resize are those of Open-Sora Plan v1.3: bilinear, antialiased and with `align_corners`, which in
    torch is not quite aligned when antialiased, so that a growing picture moves by a fraction of a pixel.
    """
    import torch
    from torch.nn.functional import interpolate

    planes = torch.tensor(_centre_crop(frame, height / width)).permute(2, 0, 1)[None].float()
    resized = interpolate(planes, (height, width), mode="bilinear", align_corners=True, antialias=True)
    return resized[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def _of_source(path: Path, samples: list[Sample]) -> Iterator[tuple[Sample, np.ndarray]]:
    """A sample leaves as soon as its last frame is decoded; frames are kept only at their bucket's size."""
    for sample in [sample for sample in samples if sample["kind"] == "image"]:
        yield sample, _fit(image_pixels(path), sample)[None]
    videos = [sample for sample in samples if sample["kind"] == "video"]
    parts: dict[str, dict[int, np.ndarray]] = {sample["sample_id"]: {} for sample in videos}
    for index, frame in frames_at(path, (index for sample in videos for index in sample["frame_indices"])):
        for sample in videos:
            indices = sample["frame_indices"]
            if index not in indices:
                continue
            part = parts[sample["sample_id"]]
            part[index] = _fit(frame, sample)
            if index == max(indices):
                yield sample, np.stack([part[wanted] for wanted in indices])
                del parts[sample["sample_id"]]


def _fit(frame: np.ndarray, sample: Sample) -> np.ndarray:
    return fitted(_cropped(frame, sample["crop"]), sample["height"], sample["width"])


def _cropped(frame: np.ndarray, crop: list[int] | None) -> np.ndarray:
    if not crop:
        return frame
    x0, x1, y0, y1 = crop
    return frame[y0:y1, x0:x1]


def _centre_crop(frame: np.ndarray, ratio: float) -> np.ndarray:
    """The largest centred part with this ratio of height to width."""
    height, width = frame.shape[:2]
    if height / width > ratio:
        wanted_height, wanted_width = int(width * ratio), width
    else:
        wanted_height, wanted_width = height, int(height / ratio)
    top, left = round((height - wanted_height) / 2), round((width - wanted_width) / 2)
    return frame[top : top + wanted_height, left : left + wanted_width]


def _bytes(sample: Sample) -> int:
    return sample["frames"] * sample["height"] * sample["width"] * 3
