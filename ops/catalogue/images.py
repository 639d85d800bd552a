"""The step of pictures: the measures of clips that hold for pictures, too, and what is written in them."""

from __future__ import annotations

from ops.catalogue import checks
from ops.catalogue.clips import CHAIN as CLIP_CHAIN
from ops.catalogue.clips import NEAR_DUPLICATES
from ops.catalogue.declaration import CurationStep, Measurement, ScorerChoice, chained
from ops.catalogue.sources import RAW_IMAGES
from ops.runtime.columns import Column, Holds, scorer

RATED = tuple(step for step in CLIP_CHAIN if step.score is not None and step.score.of_pictures)
"""The steps of clips whose measure rates pictures, too."""
RULES_ABOUT_FACTS = ("min_side", "watermark", "language", "people")
"""Rules about what is known of a picture without looking at it again, in the order in which they are asked."""
RECOGNISED_TEXT = Measurement(
    "recognised_text", None, (ScorerChoice("rapidocr-rec", "ops.curation.scorers.text_recognition:TextRecogniser"),)
)

CURATED_IMAGES = CurationStep(
    name="curated_images",
    description="Images with their aesthetic and technical scores and the final decision.",
    about="Images with their scores and the final decision. Of pictures whose hashes differ in at most "
    "`curation.near_duplicates.max_distance` bits only the one with the most pixels is kept.",
    body="ops.curation.steps.curated_images:curated_images",
    settings=(
        "images",
        *(key for step in RATED for key in step.settings if key != "sampling"),
        *("near_duplicates", "sampling", "exclude"),
    ),
    measures=(
        *(measure for step in RATED for measure in step.measures),
        RECOGNISED_TEXT,
        *NEAR_DUPLICATES.measures,
    ),
    columns=(
        *(column for step in RATED for column in (step.columns[0], step.columns[-1])),
        Column(
            "text_lines",
            str,
            "JSON: lines of text in a picture of the collection `text`: `text`, `confidence` (0 to 1), `box`",
            (Holds("lines_are_lines", "lines of text have a text, a confidence and a box", checks.lines_are_lines),),
            "recognised_text_scorer",
        ),
        Column(
            "recognised_text",
            list[str],
            "the texts of those lines that were read surely enough, in reading order",
            (Holds("text_is_read", "a picture of the collection `text` says something", checks.text_is_read),),
        ),
        scorer(
            "recognised_text_scorer",
            "text_lines",
            Holds("text_is_told", "text says who read it", checks.is_told("text_lines", "recognised_text_scorer")),
        ),
        *NEAR_DUPLICATES.columns,
    ),
)
CHAIN = chained((RAW_IMAGES, CURATED_IMAGES))
