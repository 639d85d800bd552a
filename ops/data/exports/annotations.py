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

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

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
from ops.runtime.files import replacing
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
    collected = _Collected(project, {name: table_of(project, name, each) for name, each in versions.items()})
    made_from = {name: versions[name] for name in MADE_FROM} | ({TRAINING_SET: version} if version else {})
    manifest = Manifest.at(folder, "annotations", made_from)
    texts = collected.texts(folder)
    planned = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    missing = manifest.begin(planned)
    for name in missing:
        with replacing(manifest.place(name)) as temporary:
            temporary.write_text(texts[name], encoding="utf-8")
        manifest.add(name, planned[name])
    counts = {kind: sum(len(items) for (of, _), items in collected.groups.items() if of == kind) for kind in SUFFIX}
    about = {"items": counts, "left_out": dict(collected.left_out), "scores_left_out": dict(collected.scores_left_out)}
    return manifest.finish(sum(counts.values()), len(missing), about, collected.notes())


class _Collected:
    """Items by kind and root, and what could not be taken."""

    def __init__(self, project: Project, paths: Mapping[str, Path]) -> None:
        """`paths` are those of TABLES."""
        kept = {name: tables.kept(tables.read(paths[name])) for name in MADE_FROM}
        self._project, self._files = project, CuratedFiles(project)
        self._captions = {row["item_id"]: row["caption"] for row in kept["captions"]}
        self._videos = {row["source_id"]: row for row in tables.read(paths["raw_videos"])}
        self._uneven = 0
        self.groups: dict[Group, list[Row]] = defaultdict(list)
        self.left_out: Counter[str] = Counter()
        self.scores_left_out: Counter[str] = Counter()
        for row in kept["curated_clips"]:
            self._add("videos", row["clip_id"], row)
        for row in kept["curated_images"]:
            self._add("images", row["source_id"], row)
        if not self.groups:
            raise ExportError(f"nothing can be exported: {'; '.join(self.notes()) or 'no clip and no image is kept'}")

    def texts(self, folder: Path) -> dict[str, str]:
        """File name → content."""
        texts, lines, numbers = {}, [], Counter[str]()
        for (kind, root), items in sorted(self.groups.items()):
            numbers[kind] += 1
            name = f"{kind}_{numbers[kind]}.json"
            texts[name] = json.dumps(items, indent=1) + "\n"
            roots = str(resolve_root(self._project, root)), str(folder.resolve() / name)
            lines.append(",".join(_without_comma(each) for each in roots) + "\n")
        return {**texts, MERGE_FILE: "".join(lines)}

    def notes(self) -> tuple[str, ...]:
        items = (f"{count} left out: {reason}" for reason, count in sorted(self.left_out.items()))
        scores = (f"{count} without {reason}" for reason, count in sorted(self.scores_left_out.items()))
        uneven = f"{self._uneven} clips have a variable frame rate, which the loader takes for a constant one"
        return (*items, *scores, *([uneven] if self._uneven else []))

    def _add(self, kind: str, item_id: str, row: Row) -> None:
        suffix = Path(row["path"]).suffix
        if suffix != SUFFIX[kind]:
            self.left_out[f"{kind} are read as {SUFFIX[kind]}, not {suffix}"] += 1
        elif kind == "videos" and (kinds := _read_otherwise(self._videos[row["source_id"]])):
            self.left_out[f"the loader does not show {' or '.join(kinds)} videos as a player does"] += 1
        elif item_id not in self._captions:
            self.left_out["there is no caption"] += 1
        else:
            self._files.demand(row["root"], row["path"], row["sha256"])
            item = {"path": row["path"], "cap": self._captions[item_id], **_frames(row), **self._scores(kind, row)}
            if row["licence"]:
                item["licence"] = row["licence"]
            self.groups[kind, row["root"]].append(item)
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
    """The kinds of videos (`curation.exclude_videos`) that this one is of and a plain decoder does not show rightly."""
    kinds: tuple[VideoKind, ...] = ("interlaced", "hdr", "transparent", "non_square_pixels")
    return [*(kind for kind in kinds if KINDS[kind](video)), *(["mirrored"] if video["mirrored"] else [])]


def _without_comma(path: str) -> str:
    if "," in path or len(path.splitlines()) != 1:
        raise ExportError(
            f"'{path}' holds a comma or a line break, at which the loader splits the merge file: rename the folder"
        )
    return path
