"""The columns of what comes after curation: captions, the training set, and the caches made of it."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from ops.catalogue import Kind, checks
from ops.catalogue.columns import KIND, LICENCE, PATH, REASON, REJECTED_BY, ROOT, SHA256, SOURCE_ID
from ops.data.captioning.text import OPENINGS
from ops.runtime.columns import Between, Column, Holds, Lacks, Matches, OneOf, ScoredBy, Table, There, columns_of

Split = Literal["train", "held_out"]

_ITEM_ID = Column("item_id", str, "what it belongs to: `clip_id` of a clip, `source_id` of an image")
_CAPTION = Column("caption", str, "the caption")
_SPLIT = "`train` or `held_out`; a source is never in both"
_CUT = "for which trainings: `dataset` as the recipe has it, or what their own `dataset` sets otherwise"
_BUCKET = "frames x height x width of its samples, such as `17x48x64`"


def _not_negative(name: str) -> Between:
    return Between(f"{name} is not negative", minimum=0)


CAPTIONS = Table(
    "captions",
    "data/captions.parquet",
    "One row a kept clip or image; guarded by a blocking check.",
    (
        _ITEM_ID,
        KIND,
        Column(
            "caption",
            str,
            "the caption",
            (
                Matches(r"^\S[^\x00-\x1f\x7f]*$", "captions are one clean line"),
                Lacks(
                    rf"^(?:{'|'.join(opening.rstrip() for opening in OPENINGS)}) ", "captions begin with the content"
                ),
            ),
        ),
        Column(
            "captioner",
            str,
            "JSON: who wrote it (for `endpoint` and `transformers` with the model and the version of the prompts)",
        ),
        Column("origin", str, "name of the captioner"),
        Column("note", str, "what was changed, such as a cut to the longest length allowed"),
        Column(
            "input_tokens",
            int,
            "tokens that the model was given, pictures included; null if nothing says it",
            (_not_negative("input_tokens"),),
        ),
        Column(
            "output_tokens",
            int,
            "tokens that the model wrote; null if nothing says it",
            (_not_negative("output_tokens"),),
        ),
        Column(
            "cost",
            float,
            "of the two, by `captions.requests.input_price` and `output_price`; null without prices",
            (_not_negative("cost"),),
        ),
        Column("rejected_by", str, REJECTED_BY.meaning),
        Column("reason", str, REASON.meaning),
    ),
)


class Sample(TypedDict):
    """What training reads: a row of `training_set`, which has these fields as its columns.

    `frames`, `height`, `width` are the bucket's; `frame_indices` count the source's decoded frames ([0] for an image);
    `crop` is [x0, x1, y0, y1] in pixels of the upright frame.
    """

    sample_id: Annotated[str, "16 digits: hash of item, frames, bucket and cut"]
    item_id: Annotated[str, _ITEM_ID]
    source_id: Annotated[str, SOURCE_ID]
    kind: Annotated[Kind, KIND]
    split: Annotated[Split, _SPLIT, OneOf(["train", "held_out"], "every sample is in a split")]
    cut: Annotated[str, _CUT, There()]
    bucket: Annotated[str, _BUCKET]
    frames: Annotated[int, "frames of the bucket"]
    height: Annotated[int, "height of the bucket"]
    width: Annotated[int, "width of the bucket"]
    root: Annotated[str, ROOT]
    path: Annotated[str, PATH]
    sha256: Annotated[str, SHA256]
    licence: Annotated[str | None, LICENCE]
    frame_indices: Annotated[list[int], "frames of the source that make the sample, in order; [0] for an image"]
    crop: Annotated[list[int] | None, "[x0, x1, y0, y1] of what is used, ends exclusive; null means all of it"]
    caption: Annotated[str, _CAPTION]
    aesthetic: Annotated[
        float | None, "aesthetic score, higher is better; its scale is the scorer's", ScoredBy("aesthetics_scorer")
    ]
    aesthetics_scorer: Annotated[str | None, "name of the scorer of `aesthetic`"]
    technical: Annotated[
        float | None,
        "technical quality; for `dover` higher is better, for every other scorer lower",
        ScoredBy("technical_quality_scorer"),
    ]
    technical_quality_scorer: Annotated[str | None, "name of the scorer of `technical`"]


TRAINING_SET = Table(
    "training_set",
    "data/training_set/samples.parquet",
    "One row a sample, which is what a training step reads; guarded by a blocking check.",
    columns_of(Sample),
)
SAMPLE_SCORES = {column.name: column.scored_by for column in TRAINING_SET.columns if column.scored_by}
"""Score of a sample → the column that names its scorer. They may add a phrase to a caption."""

BUCKETS = Table(
    "buckets",
    "data/training_set/buckets.parquet",
    "One row a cut, bucket and split, and one row a cut, kind and reason for items that fit no bucket.",
    (
        Column("cut", str, _CUT, (There(),)),
        Column(
            "bucket",
            str,
            "frames x height x width, such as `17x48x64`; null in rows of dropped items",
            (Matches(r"^\d+x\d+x\d+$", "a bucket's name is its size"),),
        ),
        KIND,
        Column("split", str, _SPLIT, (OneOf(["train", "held_out"], "there are two splits"),)),
        Column("samples", int, "samples in the bucket; 0 in rows of dropped items", (There(),)),
        Column(
            "items",
            int,
            "clips or images that they come from, or that were dropped",
            (There(), Between("a row stands for items", minimum=1)),
        ),
        Column(
            "enlarged",
            int,
            "samples that are smaller than the bucket and have to be enlarged",
            (
                Holds(
                    "enlarged_are_samples", "no more samples are enlarged than there are", checks.enlarged_are_samples
                ),
            ),
        ),
        Column(
            "kept_share",
            float,
            "share of their pictures that the crop to the bucket's shape keeps, on average",
            (Between("a bucket keeps a share of pictures", minimum=0, maximum=1),),
        ),
        Column(
            "least_kept_share",
            float,
            "the same of the sample that loses most",
            (Between("no sample loses all", minimum=0, maximum=1),),
        ),
        Column("reason", str, "why the items fit no bucket; null in rows of buckets"),
        Column(
            "dropped",
            list[str],
            "`item_id` of each item dropped for `reason`",
            (
                Holds(
                    "bucket_or_reason",
                    "items are in a bucket that holds samples, or dropped for a reason",
                    checks.bucket_or_reason,
                ),
            ),
        ),
    ),
)

_SHARD = Column("shard", str, "the safetensors file, beside the index")
LATENTS = Table(
    "latents",
    "var/artifacts/latents/<fingerprint>/index.parquet",
    "One row a sample; none where `latents.mode` is `online`. Its shard holds `<sample_id>.mean` and "
    "`<sample_id>.log_variance`, [C, t, h, w].",
    (
        TRAINING_SET.column("sample_id"),
        KIND,
        TRAINING_SET.column("split"),
        TRAINING_SET.column("bucket"),
        _SHARD,
        Column("shape", list[int], "shape of the latent: channels, frames, height, width"),
    ),
)
TEXT_EMBEDDINGS = Table(
    "text_embeddings",
    "var/artifacts/text_embeddings/<fingerprint>/index.parquet",
    "One row a caption, and one for the empty caption; none where `text_embeddings.mode` is `online`. Its shard holds "
    "`<key>`, [tokens, width].",
    (
        Column("key", str, "name of the tensor: first 32 digits of the caption's sha256"),
        _CAPTION,
        _SHARD,
        Column("cleaned", str, "what the encoder was given in its place, where cleaning changes it"),
        Column("tokens", int, "tokens of the caption, as encoded"),
        Column("truncated", bool, "whether the caption was longer than the encoder reads"),
    ),
)
