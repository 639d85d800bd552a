"""Text crop: text along the edges is cut off, text in the middle is only recorded; nothing is discarded for text."""

from __future__ import annotations

import json
from typing import Any

from ops.curation.clip import Clip
from ops.curation.crop_rule import central_share, crop_of
from ops.curation.rules import rejection
from ops.curation.scorers import as_column, identity
from ops.curation.scoring import scores_of
from ops.curation.tables import TEXT_CROP
from ops.curation.verdicts import judged
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def text_crop(project: Project) -> None:
    """Write `text_crop`: the crop of each clip, the boxes it comes from, and the share of text that stays."""
    rows = tables.read(project.table("motion"))
    scores = scores_of(project, "text_crop", kept(rows))
    out = [_cropped(project, row, scores[row["clip_id"]]) if row["rejected_by"] is None else row for row in rows]
    tables.write(project.table("text_crop"), out, TEXT_CROP)


def _cropped(project: Project, row: Row, boxes: Any) -> Row:
    if isinstance(boxes, Failure):
        return judged(row, "text_crop", boxes)
    curation, clip = project.settings.curation, Clip.of(row)
    crop = crop_of(boxes, clip.width, clip.height, curation.text_crop)
    central = central_share(boxes, clip.width, clip.height, curation.text_crop)
    columns = {
        **clip.cropped(crop).columns(),
        "text_boxes": json.dumps(boxes),
        "central_text": central,
        "text_crop_scorer": as_column(identity("text_crop", curation)),
    }
    return judged(row, "text_crop", rejection(curation, "central_text", central), **columns)
