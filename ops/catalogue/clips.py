"""The steps of clips, in order: each is made from the table of the one before it, and measures what that left in.

A new step is one entry here and its place in `CHAIN`; docs/curation.md says what else a new scorer needs.
"""

from __future__ import annotations

from ops.catalogue import checks
from ops.catalogue.columns import (
    DIGITS,
    FPS,
    FRAME_TIMES,
    HEIGHT,
    LICENCE,
    PATH,
    ROOT,
    SECONDS,
    SHA256,
    SOURCE_ID,
    VERDICT,
    WIDTH,
    measured,
)
from ops.catalogue.declaration import (
    Bound,
    CurationStep,
    Measurement,
    Score,
    ScorerChoice,
    Wording,
    chained,
    scored_step,
)
from ops.catalogue.sources import RAW_VIDEOS
from ops.runtime.columns import Between, Column, Holds, Matches, There, scorer

CLIPS = CurationStep(
    name="clips",
    description="Videos sliced into pieces of at most `curation.clips.max_seconds`.",
    about="One row a slice of at most `curation.clips.max_seconds`.",
    body="ops.curation.steps.clips:clips",
    settings=("clips",),
    anew=True,
    columns=(
        Column("clip_id", str, "16 digits that name what the clip shows: hash of content, frames and crop", (There(),)),
        SOURCE_ID,
        ROOT,
        PATH,
        SHA256,
        LICENCE,
        Column("start_frame", int, "first frame", (There(), Between("clips begin in their source", minimum=0))),
        Column(
            "end_frame", int, "frame after the last", (Holds("has_frames", "clips have frames", checks.has_frames),)
        ),
        SECONDS,
        FRAME_TIMES,
        FPS,
        WIDTH.meaning_here("width of the source, before the crop"),
        HEIGHT.meaning_here("height of the source, before the crop"),
        Column(
            "crop",
            list[int],
            "[x0, x1, y0, y1] of what is used, ends exclusive; null means all of it",
            (Holds("crop_is_inside", "the crop lies inside the picture", checks.crop_is_inside),),
        ),
        *VERDICT,
    ),
)

CHANGES = (
    ScorerChoice("lpips-alex", "ops.curation.scorers.lpips_series:LpipsAlex", measures="LPIPS"),
    ScorerChoice("lpips-vgg", "ops.curation.scorers.lpips_series:LpipsVgg", measures="LPIPS"),
    ScorerChoice("picture-change", "ops.curation.scorers.picture_change:PictureChange", measures="picture change"),
)
"""Who may say how much a picture changes from one sampled frame to the next."""

SHOTS = CurationStep(
    name="shots",
    description="Clips split at jump cuts: outliers of the LPIPS distance between sampled frames and, if "
    "`curation.shot_boundaries` is on, where TransNetV2 sees a shot end.",
    about="Slices split at jump cuts: several rows may share a `parent`.",
    body="ops.curation.steps.shots:shots",
    settings=("shots", "shot_boundaries", "sampling", "hardware_decoding"),
    measures=(
        Measurement(
            "shot_boundaries",
            "shot_boundaries",
            (ScorerChoice("transnetv2", "ops.curation.scorers.transnetv2:TransNet"),),
        ),
        Measurement("shots", "shots", CHANGES),
    ),
    columns=(
        Column("parent", str, "`clip_id` of the slice that this is a piece of", (There(),)),
        Column(
            "sampled_frames",
            list[int],
            "frames of the slice that `cut_distances` compares, n + 1 of them",
            (Holds("series_fits", "there is a number between each two sampled frames", checks.series_fits),),
        ),
        measured(
            "cut_distances",
            "LPIPS (or `picture-change`) from each sampled frame of the slice to the next, n of them",
            "shots_scorer",
            lowest=0,
            kind=list[float],
        ),
        scorer("shots_scorer", "cut_distances"),
        measured(
            "cut_probabilities",
            "the most probable end of a shot, 0 to 1, between each two `sampled_frames` of the slice; null unless "
            "`curation.shot_boundaries` is on",
            "shot_boundaries_scorer",
            lowest=0,
            highest=1,
            kind=list[float],
        ),
        scorer("shot_boundaries_scorer", "cut_probabilities"),
    ),
)

_MOTION_BOUNDS: dict[Bound, Wording] = {
    "minimum": Wording(
        "still",
        "less motion than the rule about `motion` or `motion_cropped` asks for",
        "motion {score} is below {limit:g}: almost a still picture",
        4,
    ),
    "maximum": Wording(
        "shaking",
        "more motion than the rule about `motion` or `motion_cropped` allows",
        "motion {score} is above {limit:g}: shaking or flicker",
        3,
    ),
}
_NO_MOTION = Wording("no_motion", "too few frames to measure motion", "no two sampled frames, so no motion to measure")

_MOTION = measured("motion", "mean of the `cut_distances` that lie within the shot", "motion_scorer", lowest=0)
MOTION = CurationStep(
    name="motion",
    description="Mean LPIPS of each shot: nearly still and shaking shots fall out.",
    about="Shots with their motion.",
    body="ops.curation.steps.motion:motion",
    settings=("rules.motion", "shots", "sampling"),
    score=Score(
        _MOTION,
        "shots",
        title="motion, mean {scorer}",
        short="motion",
        beyond=_MOTION_BOUNDS,
        logarithmic=True,
        unmeasured=_NO_MOTION,
    ),
    columns=(_MOTION, scorer("motion_scorer", "motion")),
)

_CENTRAL_TEXT = measured(
    "central_text", "largest share of a frame under text that no allowed crop removes", "text_crop_scorer"
)
TEXT_CROP = CurationStep(
    name="text_crop",
    description="Text near an edge, such as subtitles, is cropped away; nothing is discarded.",
    about="`crop` is set here, and with it `clip_id` becomes that of the cropped clip.",
    body="ops.curation.steps.text_crop:text_crop",
    settings=("text_crop", "rules.central_text", "sampling"),
    measures=(
        Measurement(
            "text_crop",
            "text_crop",
            (
                ScorerChoice("rapidocr", "ops.curation.scorers.rapidocr:RapidOcr"),
                ScorerChoice("easyocr", "ops.curation.scorers.easyocr:EasyOcr"),
                ScorerChoice("none", "ops.curation.scorers.no_text:NoText"),
            ),
        ),
    ),
    score=Score(
        _CENTRAL_TEXT,
        "text_crop",
        title="text in the middle, share of the picture",
        short="text in the middle",
        beyond={
            "maximum": Wording(
                "much_text",
                "more text that no crop removes than `curation.rules.central_text.maximum`",
                "text in the middle: share {score} is above {limit:g}",
                3,
            )
        },
    ),
    columns=(
        Column(
            "text_boxes",
            str,
            "JSON: for each frame looked at, the boxes of text [x0, x1, y0, y1]",
            (Holds("boxes_are_boxes", "boxes of text have four sides", checks.boxes_are_boxes),),
        ),
        _CENTRAL_TEXT,
        scorer("text_crop_scorer", "text_boxes"),
    ),
)

AESTHETICS = scored_step(
    "aesthetics",
    description="An aesthetic score of the cropped frames, and the rule that decides by it.",
    about="Clips with an aesthetic score.",
    scorers=(
        ScorerChoice("laion-v2", "ops.curation.scorers.laion:Laion"),
        ScorerChoice("colourfulness", "ops.curation.scorers.colourfulness:Colourfulness"),
    ),
    score=Score(
        measured("aesthetic", "aesthetic score, higher is better; its scale is the scorer's", "aesthetics_scorer"),
        "aesthetics",
        title="aesthetics, {scorer}",
        short="aesthetics",
        beyond={
            "minimum": Wording(
                "low_aesthetics",
                "less than `curation.rules.aesthetic.minimum`",
                "{scorer} {score} is below {limit:g}",
                2,
            )
        },
        of_pictures=True,
    ),
)

_LOW_QUALITY = "on the wrong side of the rule about `technical`"
TECHNICAL_QUALITY = scored_step(
    "technical_quality",
    description="A technical quality score (blur, noise, compression), and the rule that decides by it.",
    about="Clips with a technical score.",
    body="ops.curation.steps.technical_quality:technical_quality",
    scorers=(
        ScorerChoice("dover", "ops.curation.scorers.dover:DoverScorer"),
        ScorerChoice("brisque", "ops.curation.scorers.brisque:BrisqueScorer", lower_is_better=True),
        ScorerChoice("niqe", "ops.curation.scorers.niqe:NiqeScorer", lower_is_better=True),
        ScorerChoice("blur-and-blocks", "ops.curation.scorers.blur_and_blocks:BlurAndBlocks", lower_is_better=True),
    ),
    score=Score(
        measured(
            "technical",
            "technical quality; for `dover` higher is better, for every other scorer lower",
            "technical_quality_scorer",
        ),
        "technical_quality",
        title="technical quality, {scorer}",
        short="technical quality",
        beyond={
            "minimum": Wording("low_quality", _LOW_QUALITY, "{scorer} {score} is below {limit:g}", 3),
            "maximum": Wording("low_quality", _LOW_QUALITY, "{scorer} {score} is above {limit:g}", 2),
        },
        of_pictures=True,
    ),
    more=(
        Column(
            "technical_scaled",
            float,
            "DOVER's `technical` in standard deviations from the mean of KoNViD-1k, as its authors compare scores: "
            "(`technical` - 0.1107) / 0.07355; null for other scorers",
            (
                Holds(
                    "scaled_with_score",
                    "a scaled score stands beside a score of DOVER",
                    checks.stands_beside("technical_scaled", "technical"),
                ),
            ),
        ),
    ),
)

SAFETY = scored_step(
    "safety",
    description="How probably the frames may be shown at work, and the rule that decides by it; nothing is looked at "
    "unless `curation.safety` is on.",
    about="Clips with a safety score, if `curation.safety.enabled` asks for one.",
    scorers=(ScorerChoice("open-nsfw", "ops.curation.scorers.open_nsfw:OpenNsfwScorer"),),
    score=Score(
        measured(
            "safety",
            "how probably it may be shown at work, 0 to 1, of a clip the least of its frames; null unless "
            "`curation.safety` is on",
            "safety_scorer",
            lowest=0,
            highest=1,
        ),
        "safety",
        title="safety, {scorer}",
        short="safety",
        beyond={
            "minimum": Wording(
                "unsafe", "less than `curation.rules.safety.minimum`", "{scorer} {score} is below {limit:g}", 3
            )
        },
        of_pictures=True,
    ),
)

_MOTION_CROPPED = measured("motion_cropped", "`motion`, measured inside `crop`", "motion_recheck_scorer", lowest=0)
MOTION_RECHECK = CurationStep(
    name="motion_recheck",
    description="Motion once more on the cropped clip: moving subtitles can hide a still picture.",
    about="Motion again, on the cropped clip.",
    body="ops.curation.steps.motion_recheck:motion_recheck",
    settings=("rules.motion_cropped", "shots", "sampling"),
    measures=(Measurement("motion_recheck", "shots", CHANGES, cropped_only=True),),
    score=Score(
        _MOTION_CROPPED,
        "shots",
        title="motion after cropping, mean {scorer}",
        short="motion in the crop",
        beyond=_MOTION_BOUNDS,
        logarithmic=True,
        unmeasured=_NO_MOTION,
    ),
    columns=(_MOTION_CROPPED, scorer("motion_recheck_scorer", "motion_cropped")),
)

NEAR_DUPLICATES = CurationStep(
    name="near_duplicates",
    description="Of clips that show the same, by perceptual hashes of their frames, the one of the highest resolution "
    "stays.",
    about="Of clips that show the same, only the one with the most pixels is kept, or else the longest. Two do if "
    "their hashes differ in at most `curation.near_duplicates.max_distance` bits of 64, in every frame that is hashed: "
    "a film in another size or encoding is found; a mirrored or otherwise cropped one, or one cut at another place, is "
    "not. `curation.near_duplicates.enabled=false` leaves them all in.",
    body="ops.curation.steps.near_duplicates:near_duplicates",
    settings=("near_duplicates", "sampling"),
    measures=(
        Measurement(
            "near_duplicates",
            "near_duplicates",
            (ScorerChoice("phash", "ops.curation.scorers.phash:PerceptualHash"),),
        ),
    ),
    columns=(
        Column(
            "perceptual_hash",
            list[str],
            "hashes of frames spread over the clip, 16 hexadecimal digits each; one of a picture",
            (Holds("hashes_are_hashes", "a perceptual hash has hexadecimal digits", checks.hashes_are_hashes),),
            "near_duplicates_scorer",
        ),
        scorer(
            "near_duplicates_scorer",
            "perceptual_hash",
            Holds(
                "hashes_are_told",
                "a perceptual hash says who measured it",
                checks.is_told("perceptual_hash", "near_duplicates_scorer"),
            ),
        ),
        Column(
            "duplicate_of",
            str,
            "`clip_id` of the better clip (`source_id` of the better picture) that shows the same, or null",
            (Matches(DIGITS, "clips and pictures are named by 16 digits"),),
        ),
    ),
)

CURATED_CLIPS = CurationStep(
    name="curated_clips",
    description="All clips with every score and the final decision.",
    about="All clips with all scores and the final decision; guarded by a blocking check.",
    body="ops.curation.steps.curated_clips:curated_clips",
    settings=("exclude",),
    columns=(),
)

CHAIN = chained(
    (
        *(RAW_VIDEOS, CLIPS, SHOTS, MOTION, TEXT_CROP),
        *(AESTHETICS, TECHNICAL_QUALITY, SAFETY),
        *(MOTION_RECHECK, NEAR_DUPLICATES, CURATED_CLIPS),
    )
)
"""From the files to the curated clips. The cheap measures come first, for what is out is looked at no more."""
