"""The dataset as Open-Sora Plan's own loader reads it: lists of sources, cuts and crops, no pixels.

The folder holds one JSON list a data root and kind (`videos_1.json`, `images_1.json`) and `merge_data.txt`, with a
line `data_root,annotation_path` for each, both absolute. Items are all kept clips and images that have a caption, of
both splits. That loader knows `.mp4` and `.jpg` only and stops at anything else, so other files are left out, and
counted in the manifest and the notes. So are videos whose pixels it would read otherwise than a player shows them. It
counts frames where soraflow reads their times: at a variable rate a clip has the mean rate of its own frames, and a
note says how many there are.

It also takes scores for what they are called: it adds a sentence to the caption by LAION's scale of `aesthetic`, and
`tech` is DOVER's. A score of another scorer is left out, and a note says so.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TextIO

from ops.config import VideoKind
from ops.curation.rules.video_kinds import KINDS
from ops.curation.sources.listing import resolve_root
from ops.curation.timeline import seconds
from ops.data.dataset_version import TRAINING_SET, keep, table_of
from ops.data.dvc import version as current_version
from ops.data.exports.curated_files import CuratedFiles
from ops.data.exports.manifest import Export, ExportError, Manifest
from ops.data.exports.source_versions import source_versions
from ops.runtime import tables
from ops.runtime.files import replacing, sha256
from ops.runtime.lookup import Lookup
from ops.runtime.project import Project
from ops.runtime.tables import Row

MADE_FROM = ("curated_clips", "curated_images", "captions")
TABLES = (*MADE_FROM, "raw_videos")
"""All that is read; of a video, what its file is like."""
MERGE_FILE = "merge_data.txt"
SUFFIX = {"videos": ".mp4", "images": ".jpg"}
SCORES = {
    "aesthetic": ("aesthetic", "aesthetics_scorer", "laion-v2"),
    "tech": ("technical", "technical_quality_scorer", "dover"),
}
"""Key → the column of the score, the column of its scorer, and the only scorer that the key may come from."""

Group = tuple[str, str]
"""Kind and root, as the tables name it."""


def export_annotations(project: Project, folder: Path, version: str | None = None) -> Export:
    """Write the lists, the merge file and `manifest.json`; files that are there already stay as they are.

    They are those of the tables that a `version` of the training set (its DVC hash) was made from, or, if None, of the
    current ones.

    Raises:
        ExportError: a root or the folder holds a comma or a line break, a source is missing or has changed, nothing is
            left, what the version was made from is not known, or the folder holds something else.
        MissingVersion: the tables have no DVC version yet, or theirs are not kept any more (LostVersion).
    """
    if version is None:
        versions = {name: current_version(project, name) for name in TABLES}
    else:
        versions = source_versions(keep(project, version), TABLES)
    made_from = {name: versions[name] for name in MADE_FROM} | ({TRAINING_SET: version} if version else {})
    manifest = Manifest.at(folder, "annotations", made_from)
    with TemporaryDirectory(prefix="soraflow-export-") as drafts, ExitStack() as open_files:
        lists = _Lists(Path(drafts), open_files)
        collected = _Collected(project, {name: table_of(project, name, each) for name, each in versions.items()}, lists)
        written = collected.finished(folder, Path(drafts))
        planned = {name: sha256(path) for name, path in written.items()}
        missing = manifest.begin(planned)
        for name in missing:
            with replacing(manifest.place(name)) as temporary:
                shutil.copyfile(written[name], temporary)
            manifest.add(name, planned[name])
    counts = {kind: sum(count for (of, _), count in lists.counts.items() if of == kind) for kind in SUFFIX}
    about = {"items": counts, "left_out": dict(collected.left_out), "scores_left_out": dict(collected.scores_left_out)}
    return manifest.finish(sum(counts.values()), len(missing), about, collected.notes())


class _Lists:
    """JSON lists in files, one of each group, to which items are added as they come."""

    def __init__(self, folder: Path, open_files: ExitStack) -> None:
        self._folder, self._open = folder, open_files
        self._files: dict[Group, TextIO] = {}
        self.counts: Counter[Group] = Counter()

    def add(self, group: Group, item: Row) -> None:
        if group not in self._files:
            path = self._folder / f"list_{len(self._files)}"
            self._files[group] = self._open.enter_context(path.open("w", encoding="utf-8"))
        written = json.dumps([item], indent=1).removesuffix("\n]")
        self._files[group].write("," + written.removeprefix("[") if self.counts[group] else written)
        self.counts[group] += 1

    def finished(self) -> dict[Group, Path]:
        """The file of each group, which holds all of its list."""
        for file in self._files.values():
            file.write("\n]\n")
            file.close()
        return {group: Path(file.name) for group, file in sorted(self._files.items())}


class _Curated(NamedTuple):
    """A table of items, and what of it is asked for."""

    kind: str
    table: str
    key: str
    columns: tuple[str, ...]


OF_ITEM = (
    *("source_id", "root", "path", "sha256", "licence", "width", "height"),
    *(column for score, scorer, _ in SCORES.values() for column in (score, scorer)),
)
CURATED = (
    _Curated(
        *("videos", "curated_clips", "clip_id"),
        (*OF_ITEM, "start_frame", "end_frame", "seconds", "fps", "frame_times", "crop", "motion_cropped"),
    ),
    _Curated("images", "curated_images", "source_id", OF_ITEM),
)
READ_OTHERWISE: tuple[VideoKind, ...] = ("interlaced", "hdr", "transparent", "non_square_pixels")
"""The kinds of videos that the loader does not show as a player does; nor does it those that are mirrored."""
OF_VIDEO = (
    *("interlaced", "field_order", "colour_transfer", "transparent", "pixel_format", "sample_aspect_ratio"),
    "mirrored",
)


class _Collected:
    """What became of the items: those that the loader can read are in lists, the others are counted."""

    def __init__(self, project: Project, paths: Mapping[str, Path], lists: _Lists) -> None:
        """`paths` are those of TABLES."""
        self._project, self._files, self._lists = project, CuratedFiles(project), lists
        self._uneven = 0
        self.left_out: Counter[str] = Counter()
        self.scores_left_out: Counter[str] = Counter()
        for curated in CURATED:
            self._collect(curated, paths)
        if not lists.counts:
            raise ExportError(f"nothing can be exported: {'; '.join(self.notes()) or 'no clip and no image is kept'}")

    def _collect(self, curated: _Curated, paths: Mapping[str, Path]) -> None:
        path, at = paths[curated.table], 0
        captions = Lookup(paths["captions"], "item_id", ["caption"], tables.kept_column(path, curated.key))
        videos = None
        if curated.kind == "videos":
            sources = tables.kept_column(path, "source_id")
            videos = Lookup(paths["raw_videos"], "source_id", OF_VIDEO, sources)
            if not videos.known(0, len(sources)).all():
                raise ExportError(f"{paths['raw_videos']} lacks sources of {path}: run the curation again")
        for rows in tables.kept_rows(path, list(dict.fromkeys((curated.key, *curated.columns)))):
            told = captions.rows(at, len(rows))["caption"].to_pylist()
            of_video = videos.rows(at, len(rows)).to_pylist() if videos else [None] * len(rows)
            at += len(rows)
            for row, caption, video in zip(rows, told, of_video, strict=True):
                self._add(curated.kind, row, caption, video)

    def finished(self, folder: Path, drafts: Path) -> dict[str, Path]:
        """The name of each file of the export in `folder` → its content, which lies among the `drafts`."""
        found, lines, numbers = dict[str, Path](), list[str](), Counter[str]()
        for (kind, root), written in self._lists.finished().items():
            numbers[kind] += 1
            name = f"{kind}_{numbers[kind]}.json"
            found[name] = written
            roots = str(resolve_root(self._project, root)), str(folder.resolve() / name)
            lines.append(",".join(_without_comma(each) for each in roots) + "\n")
        merged = drafts / MERGE_FILE
        merged.write_text("".join(lines), encoding="utf-8")
        return {**found, MERGE_FILE: merged}

    def notes(self) -> tuple[str, ...]:
        items = (f"{count} left out: {reason}" for reason, count in sorted(self.left_out.items()))
        scores = (f"{count} without {reason}" for reason, count in sorted(self.scores_left_out.items()))
        uneven = f"{self._uneven} clips have a variable frame rate, which the loader takes for a constant one"
        return (*items, *scores, *([uneven] if self._uneven else []))

    def _add(self, kind: str, row: Row, caption: str | None, video: Row | None) -> None:
        suffix = Path(row["path"]).suffix
        if suffix != SUFFIX[kind]:
            self.left_out[f"{kind} are read as {SUFFIX[kind]}, not {suffix}"] += 1
        elif video and (kinds := _read_otherwise(video)):
            self.left_out[f"the loader does not show {' or '.join(kinds)} videos as a player does"] += 1
        elif caption is None:
            self.left_out["there is no caption"] += 1
        else:
            self._files.demand(row["root"], row["path"], row["sha256"])
            item = {"path": row["path"], "cap": caption, **_frames(row), **self._scores(kind, row)}
            if row["licence"]:
                item["licence"] = row["licence"]
            self._lists.add((kind, row["root"]), item)
            self._uneven += kind == "videos" and row["frame_times"] is not None

    def _scores(self, kind: str, row: Row) -> Row:
        found = {"motion": row["motion_cropped"]} if kind == "videos" else {}
        for key, (column, scorer_column, wanted) in SCORES.items():
            if row[column] is None or (key == "tech" and kind == "images"):
                continue
            scorer = json.loads(row[scorer_column])["scorer"]
            if scorer == wanted:
                found[key] = row[column]
            else:
                self.scores_left_out[f"'{key}': the scores are from {scorer}, not {wanted}"] += 1
        return {key: score for key, score in found.items() if score is not None}


def _frames(row: Row) -> dict[str, object]:
    """Size after the crop; for a clip its frames and the crop, which are applied to the decoded source, too."""
    if "start_frame" not in row:
        return {"resolution": {"height": row["height"], "width": row["width"]}}
    start, end = row["start_frame"], row["end_frame"]
    uneven = row["frame_times"] is not None
    x0, x1, y0, y1 = row["crop"] or (0, row["width"], 0, row["height"])
    frames = {
        "resolution": {"height": y1 - y0, "width": x1 - x0},
        "num_frames": end - start,
        "fps": (end - start) / seconds(row) if uneven else row["fps"],
        "cut": [start, end],
    }
    return {**frames, "crop": row["crop"]} if row["crop"] else frames


def _read_otherwise(video: Row) -> list[str]:
    """Why a plain decoder does not show this video rightly."""
    return [*(kind for kind in READ_OTHERWISE if KINDS[kind](video)), *(["mirrored"] if video["mirrored"] else [])]


def _without_comma(path: str) -> str:
    if "," in path or len(path.splitlines()) != 1:
        raise ExportError(
            f"'{path}' holds a comma or a line break, at which the loader splits the merge file: rename the folder"
        )
    return path
