"""Text crop: text along the edges is cut off, text in the middle is recorded; nothing is discarded for text unless the
recipe has a rule about it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from ops.catalogue import CurationStep
from ops.curation.clip import Clip
from ops.curation.measuring.scoring import CLIP, CLIPS, measured
from ops.curation.rules.crop import central_share, crop_of
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures
from ops.curation.scorers import as_column, identity
from ops.curation.steps.scored_step import clips_before, constant, finish
from ops.runtime.project import Project


def text_crop(project: Project, step: CurationStep) -> None:
    """Write `text_crop`: the crop of each clip, the boxes it comes from, and the share of text that stays."""
    curation, schema = project.settings.curation, step.table.schema
    table = clips_before(project, step)
    found, failures = measured(project, CLIPS, step.name, table, still_in(table))
    boxes = found.values()
    clips = zip(boxes, table.select(CLIP).take(pa.array(list(boxes), pa.int64())).to_pylist(), strict=True)
    columns = {name: table[name].to_pylist() for name in ("clip_id", "crop")}
    text: list[str | None] = [None] * len(table)
    central = np.full(len(table), np.nan)
    for row, found_by in clips:
        clip = Clip.of(found_by)
        crop = crop_of(boxes[row], clip.width, clip.height, curation.text_crop)
        if crop is not None:
            columns["clip_id"][row], columns["crop"][row] = clip.cropped(crop).id, list(crop)
        text[row] = json.dumps(boxes[row])
        central[row] = central_share(boxes[row], clip.width, clip.height, curation.text_crop)
    new = pa.table(
        {
            **{name: table[name] for name in VERDICT},
            **{name: pa.array(column, schema.field(name).type) for name, column in columns.items()},
            "text_boxes": pa.array(text, pa.string()),
            "central_text": pa.array(central, mask=np.isnan(central)),
            "text_crop_scorer": constant(as_column(identity("text_crop", curation)), ~np.isnan(central)),
        }
    )
    new = decide(with_failures(new, "text_crop", failures), curation, ["central_text"])
    finish(project, step, new)
