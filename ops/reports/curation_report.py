"""`soraflow curate report`: one page, with its pictures inside, of what curation kept and what it rejected, and why."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ops.catalogue import SCORES
from ops.curation.audit.precision import precision
from ops.curation.audit.preview import LONG_SIDE, jpeg
from ops.curation.audit.retention import place
from ops.curation.audit.sample import KEPT, stratum
from ops.curation.audit.session import TABLE, table_version
from ops.curation.audit.strip import strip
from ops.curation.audit.verdict_store import VerdictStore
from ops.curation.decoding.pictures import read_picture
from ops.curation.rules import image_rules
from ops.curation.runs.funnel import Costs, FunnelRow, costs
from ops.curation.sources.listing import file_of
from ops.curation.timeline import seconds
from ops.data import captions
from ops.reports.costs import cost_cells
from ops.reports.figures import draw_funnel, draw_histograms
from ops.reports.funnel import funnel
from ops.reports.html_page import html_page, image, text
from ops.reports.verdict_groups import VerdictGroup, verdict_groups
from ops.runtime import tables
from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.runtime.tables import Row

MOST = 12
"""Clips shown of each group, drawn at random by the recipe's seed."""
FRAMES = 5
SHORT = {name: score.short for name, score in SCORES.items()}
"""What a score is called below a picture."""
IMAGE_ORDER = (KEPT, "raw_images", *image_rules.ORDER)
"""What may have happened to an image, in the order of the funnel."""


def curation_report(project: Project, path: Path) -> None:
    """Write the page: funnel, histograms with limits, precision where clips were judged, and contact sheets.

    Raises:
        FileNotFoundError: the clips or images have not been curated yet.
    """
    seed, table, of_images = project.settings.seed, project.table(TABLE), project.table("curated_images")
    clips = verdict_groups(table, "clip_id", seed, MOST)
    images = verdict_groups(of_images, "source_id", seed, MOST, _image_place)
    counts = [
        f"{sum(each.rows for each in groups.values() if each.step == KEPT)} of "
        f"{sum(each.rows for each in groups.values())} {name}"
        for name, groups in (("clips", clips), ("images", images))
        if groups
    ]
    parts = [
        f"<h1>Curation report</h1>\n<p>Preset {text(project.settings.name)}: {' and '.join(counts) or 'nothing'} "
        "kept. In the pictures a golden box is the crop, a dashed red line a jump cut, with a paler frame "
        "beyond it.</p>",
        *_figures(project),
        *(_precision(project, clips.values()) if clips else ()),
    ]
    for title, group in clips.items():
        parts.append(f"<h2>{text(title)}</h2>\n<p>{_count(group)}</p>\n<div class='sheet'>")
        parts += [_clip(project, row) for row in group.shown(table, MOST)]
        parts.append("</div>")
    for title, group in images.items():
        parts.append(f"<h2>Images {text(title[:1].lower() + title[1:])}</h2>\n<p>{_count(group, 'image')}</p>")
        shown = "".join(_picture(project, row) for row in group.shown(of_images, MOST))
        parts.append(f"<div class='sheet images'>{shown}</div>")
    with replacing(path) as temporary:
        temporary.write_text(html_page("Curation report", parts), encoding="utf-8")


def _figures(project: Project) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "funnel.png", Path(folder) / "histograms.png"
        rows, spent = funnel(project), costs(project)
        draw_funnel(rows, drawn[0], spent)
        draw_histograms(project.settings, project.table(TABLE), project.table("curated_images"), drawn[1])
        for picture, about in zip(drawn, ("What is left after each step", "Scores and their limits"), strict=True):
            yield f"<div class='drawn'>{image(picture.read_bytes(), 'png', about)}</div>"
    yield from _costs(rows, spent)
    if any(row["step"] == "captions" for row in rows) and (took := captions.totals(project)):
        told = [f"{took[name]:,.0f} {_words(name)}" for name in ("input_tokens", "output_tokens") if name in took]
        cost = f" and a cost of {took['cost']:,.4g}" if "cost" in took else ""
        yield f"<p>Captions took {', '.join(told)}{cost}.</p>"


def _costs(rows: Sequence[FunnelRow], spent: Costs) -> Iterator[str]:
    yield "<h2>Counts and costs</h2>"
    yield "<p>Costs are of all scores that are kept; decoding is what those of one kind shared.</p>"
    heads = ("", "step", "in", "out", "rejected", "of these errors", "hours", "share", "CPU s", "GPU s", "MB looked at")
    yield f"<div class='wide'><table class='costs'><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    left = {kind: dict(steps) for kind, steps in spent.items()}
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("entered", "kept", "rejected", "errors")]
        hours = "" if row["seconds"] is None else f"{row['seconds'] / 3600:,.3f}"
        cost = cost_cells(left.get(row["kind"], {}).pop(row["step"], None))
        yield _line(row["kind"], _words(row["step"]), *counts, hours, f"{row['share']:.1%}", *cost)
    for kind, steps in left.items():
        for step, found in steps.items():
            yield _line(kind, _words(step), *[""] * 6, *cost_cells(found))
    yield "</table></div>"


def _line(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in cells)}</tr>"


def _precision(project: Project, groups: Iterable[VerdictGroup]) -> Iterator[str]:
    """From the verdicts given on this very table: those given on another were drawn in other shares."""
    standing = VerdictStore.of(project).standing()
    strata = _strata(project.table(TABLE), standing)
    version = table_version(project.table(TABLE))
    judged = [judgement for clip_id, judgement in standing.items() if clip_id in strata]
    here = [(strata[each.clip_id], each.verdict) for each in judged if each.version == version]
    yield "<h2>Precision</h2>"
    if not here:
        others = f" {len(judged)} were judged in other versions of the table." if judged else ""
        yield f"<p>No clip of this table has been judged yet: run soraflow curate audit.{others}</p>"
        return
    yield "<p>Share of the filter's decisions that a person shares, with the 95 % interval.</p>"
    yield "<table><tr><th>clips</th><th>right</th></tr>"
    sizes = Counter[str]()
    for group in sorted(groups, key=lambda group: place(group.step)):
        sizes[group.step] += group.rows
    for name, found in precision(sizes, here).items():
        words = {"kept": "kept", "rejected": "rejected, all steps"}.get(name, f"rejected at {_words(name)}")
        yield f"<tr><td>{text(words)}</td><td>{text(str(found))}</td></tr>"
    yield "</table>"


def _strata(table: Path, clip_ids: Collection[str]) -> dict[str, str]:
    """Of these clips, as far as they are in the table, what became of each."""
    wanted = pa.array(list(clip_ids), pa.string())
    parts = tables.parts(table, ["clip_id", "rejected_by"])
    rows = (row for part in parts for row in part.filter(pc.is_in(part["clip_id"], wanted)).to_pylist())
    return {row["clip_id"]: stratum(row) for row in rows}


def _clip(project: Project, row: Row) -> str:
    span = f"frames {row['start_frame']} to {row['end_frame'] - 1}"
    try:
        picture = jpeg(strip(project, row, project.settings.curation.shots, FRAMES))
        shown = image(picture, "jpeg", f"{row['path']}, {span}")
    except (ValueError, OSError) as error:
        shown = f"<div class='unseen'>cannot be shown: {text(str(error))}</div>"
    return _figure(shown, [f"<b>{text(row['path'])}</b> {span}", f"{seconds(row):.1f} s", *_scores(row)], row)


def _scores(row: Row) -> list[str]:
    """What was measured; without a crop the second motion says nothing new."""
    columns = [column for column in SHORT if column != "motion_cropped" or row["crop"] is not None]
    return [f"{SHORT[column]} {row[column]:.4g}" for column in columns if row.get(column) is not None]


def _image_place(step: str) -> int:
    return IMAGE_ORDER.index(step) if step in IMAGE_ORDER else len(IMAGE_ORDER)


def _picture(project: Project, row: Row) -> str:
    try:
        picture = Image.fromarray(read_picture(file_of(project, row["root"], row["path"]), LONG_SIDE))
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
        shown = image(jpeg(np.asarray(picture)), "jpeg", row["path"])
    except (ValueError, OSError) as error:
        shown = f"<div class='unseen'>cannot be shown: {text(str(error))}</div>"
    size = [] if row["width"] is None else [f"{row['width']}\u00d7{row['height']}"]
    collection = [] if row["collection"] in (None, "captioned") else [f"collection {row['collection']}"]
    watermark = [] if row["watermark"] is None else [f"watermark {row['watermark']:.2f}"]
    written = [f"text read: {text(', '.join(row['recognised_text']))}"] if row["recognised_text"] else []
    scores = [f"{SHORT[name]} {row[name]:.4g}" for name in image_rules.RATINGS.values() if row[name] is not None]
    told = [f"<b>{text(row['path'])}</b>", *size, *collection, *watermark, *scores, *written]
    return _figure(shown, told, row)


def _figure(shown: str, told: Sequence[str], row: Row) -> str:
    """A picture and what is told of it, the reason why it is out at the end."""
    words = [*told, text(row["reason"])] if row["reason"] else told
    return f"<figure>{shown}<figcaption>{' · '.join(words)}</figcaption></figure>"


def _words(step: str) -> str:
    return step.replace("_", " ")


def _count(group: VerdictGroup, kind: str = "clip") -> str:
    length = f", {group.seconds:,.1f} s" if kind == "clip" else ""
    shown = f", {MOST} of them shown" if group.rows > MOST else ""
    return f"{group.rows} {kind}{'s' if group.rows > 1 else ''}{length}{shown}"
