"""Writes docs/data.md: every column of every table, from the schemas in the code and `ops/data/dictionary.py`.

Run `python docs/data_contract.py` after changing a schema; a test compares the file with what this prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ops.curation import tables as curation
from ops.curation.rules.reasons import MEANINGS as MEANINGS_OF_REASONS
from ops.curation.rules.reasons import Reason
from ops.data import captions, latents, samples, text_embeddings
from ops.data.dictionary import meaning, type_name

PAGE = Path(__file__).with_name("data.md")

INTRODUCTION = """\
# Tables and columns

Made by `python docs/data_contract.py` from the schemas in the code; do not edit it by hand.

Everything that a dataset step makes is a Parquet table (or a folder of them) in `data/`, under DVC. Read one with
`pandas.read_parquet("data/curated_clips.parquet")`.

* **A clip is a reference**: a source, two frame numbers and a crop. No video is cut or encoded again.
* **Rejected rows stay.** `rejected_by` names the step that threw a row out and `reason` says why in a sentence; both
  are null for a row that is kept. Later steps copy rejected rows and leave their own columns null. To count, group by
  `reason_code`, which is one of a [fixed list](#reasons).
* **Frame numbers** count decoded frames from 0, in the order in which a player shows them; an end is exclusive.
* **Times** are those of the time stamps: where the rate varies, `frame_times` says when each frame is shown.
* **Sizes** are pixels of the picture as a player shows it: turned and mirrored as the file asks, with square pixels.
* **Every table is checked** by a Great Expectations suite before the next step reads it; `var/checks/` says what was
  expected and which rows failed.
* **Scores are raw** and carry who measured them; thresholds decide separately, so changing one measures nothing anew.

## What soraflow reads

`sources.videos` and `sources.images` name one of

* a folder, read recursively: mp4, m4v, mkv, webm, mov, qt, 3gp, 3g2, avi, gif; jpg, jpeg, jpe, jfif, png, webp, in
  small letters or capitals;
* a manifest: `.txt` with a path a line, or `.jsonl` with `{"path": "a.mp4", "caption": "a dog"}` a line, both
  relative to the manifest's own folder;
* `package:NAME`, the media files of an installed package;

or a list of such collections, each with more to say: `{path: films, licence: CC0-1.0}`, and for images `collection:`
`captioned` (the default), `text` (pictures with writing in them) or `people`. A file that two collections hold belongs
to the first.

Each collection has rules of its own below `curation.images`, besides those that pictures share with clips: `min_side`,
`min_aesthetic`, `max_watermark` and `english_only`. Where the reports are silent the defaults are LAION's for its
aesthetic subset: people have sides of 512 pixels or more and a watermark less probable than 0.5, by the `pwatermark`
(0 to 1) in the `.json` beside the file or in its line of the manifest. soraflow carries no detector of watermarks: a
picture of which nothing says it is rejected, unless `max_watermark` is null. Of pictures in `text`, what is written in
them is read (PP-OCRv6) and put into their captions; by default they and their captions have to be English, which is
judged by letters and common words, without a model. Captions of `people` must speak of somebody.

The `licence` of a file is looked for in the `.json` beside it, in its line of the manifest (key `licence`), in its
collection of the recipe, and in the package's metadata; it goes with everything that is made from the file. It stays
null where nothing names it. `curation.exclude_licences: ["CC-BY-NC*", unknown]` rejects sources unopened, with the code
`licence`; `release.exclude_licences` closes the release's gate on models that were made from such data, or with scorers
whose weights are under such a licence (`release.on_excluded_licence: warn` only says so). The model card lists both.

Every other file of such a folder is counted by kind: videos and images of formats that soraflow does not read, captions
that belong to no file, archives, files without an extension, and others. The count, with what would make them usable,
is part of the summary that ends a run, and lies with the asset `raw_videos` or `raw_images` in the Dagster page.

A caption is looked for beside the file (of `a.mp4` in `a.mp4.txt`, `a.txt` or `a.caption`, the whole text; or in
`a.mp4.json` or `a.json`; extensions may be in capitals), then in the manifest, then in the file that `sources.captions`
names (`{"a.mp4": "a dog", "b.mp4": ["a cat", "a black cat"]}`; keys are paths or file names). Names are compared as
people read them: an `é` that is one character meets one that is two. JSON may hold a text, a list of texts, or an
object with one of these under `caption`, `captions`, `cap` or `text`. Of several captions the `sidecar` captioner takes
one, by seed. Symbolic links are followed inside the folder.

## What a file's pixels and times mean

Scorers, training, exports, previews and reports see what a person sees on a good player, at the moment promised.

| of a video | is read |
|---|---|
| matrix, range, depth | as the file says; unnamed, BT.709 from 1280 columns or 577 lines on and BT.601 below |
| HDR (PQ, HLG) | as sRGB: 203 cd/m² is white, what is brighter is rolled off, BT.2020 becomes BT.709 |
| primaries of SDR | as stored, also those of wide gamuts (`wide_gamut`) |
| pixels that are not square | with as many lines as stored, columns stretched or shrunk |
| display matrix | turned by right angles and mirrored |
| interlaced frames | each line of the bottom field is kept between its neighbours, which takes combs away |
| alpha | on white, as of photos |
| variable frame rate | by time stamps: slices, samples and windows are seconds, not counts |
| late and negative starts, edit lists | from the first frame that is shown on |

Photos are turned by EXIF and taken from their ICC profile to sRGB. What soraflow writes as MP4 is tagged with its
colours, and uses the matrix that players take for its size.

`raw_videos` says what was found, and `curation.exclude_videos: [interlaced, hdr]` rejects videos by it, with the code
`excluded_kind`: `interlaced`, `hdr`, `wide_gamut`, `transparent`, `non_square_pixels` or `variable_frame_rate`. Nothing
is measured anew for another choice.

Each item goes into the bucket whose ratio is nearest and is cut to its shape. What would lose more than
1 - `dataset.min_kept_share` of its picture (0.5) is dropped, and `buckets.parquet` counts it; `kept_share` there says
how much of the pictures each bucket keeps.

## Who writes captions

`captions.captioner` is one of

* `sidecar`: captions that came with the files;
* `endpoint`: a vision-language model behind an OpenAI-compatible server, such as vLLM, at `captions.endpoint` under the
  name `captions.model`; its key is read from `SORAFLOW_CAPTION_KEY`. `captions.requests` says how many requests run at
  once, how long one may take, how often it is tried and what a million tokens cost. Busy, silent or broken servers are
  asked again after growing pauses (`Retry-After` is obeyed); a server that refuses everybody ends the step;
* `transformers`: a model that runs here, from the folder `captions.model` (Hugging Face's layout, safetensors), with
  the batch size, dtype and device of `captions.local`.

A model sees `captions.frames` frames of a clip, of at most `captions.side` pixels. It is asked `prompt` about a video,
`image_prompt` about an image, and `text_prompt` about an image of the collection `text`, with the caption that came
with it and the text that was read in it. Captions that came with images of `captions.keep_given` are taken as they are.
What a model wrote is kept in `var/captions/` by model and prompts, so that a stopped run goes on where it was and
nothing is paid for twice. Every caption becomes one line and loses the 27 openings ("The video shows …") that the paper
strips.

Training may say more than the caption: `denoiser.caption_phrases` adds a phrase to samples whose score is high or low,
such as "this video has high aesthetic quality". Each sample has up to `denoiser.phrase_draws` wordings, all of which
`text_embeddings` holds, and every step draws one. Held-out samples keep their plain caption. With
`text_encoder.clean_captions`, captions and prompts are lower-cased and cleaned before they are encoded; for an encoder
that never learnt ideographs (every one but mT5) these go, too. A caption that keeps less than
`text_encoder.min_readable_share` of its letters, such as one in Chinese before T5, says nothing to that encoder: its
item is left out of the training set, with that reason in [buckets](#buckets) and in the funnel. A prompt of which
nothing is left is refused, and one that loses as much is made with a note.

## Looking at what was kept

```sh
soraflow curate audit --sample 40
soraflow curate report
```

`soraflow curate audit` serves a page on this machine with a random sample of clips, half of them kept and half
rejected, in turns from each step. Press A for a clip that you would train on and R for one that you would not; what the
filter decided shows once you have. The page gives the filter's precision with its 95 % interval (Wilson's; rejected
clips are weighted by how many they stand for), and its sliders show what other limits would keep and how good that
would be, together with the command that applies them. A clip that an earlier rule had rejected has no later scores:
it counts as not measured, never as kept.

Verdicts are lines of `var/audit/verdicts.jsonl`, added and never changed: `clip_id`, `verdict` (`accept`, `reject`, or
`undo` of the clip's verdict before), `time`, `version` (DVC's hash of `curated_clips`) and `rejected_by` (what the
filter had decided). They belong to the clip: a later audit that draws it again takes them over, whatever the limits.

`soraflow curate report` writes `var/curation_report.html`, one file with the funnel and what each step has cost, the
histogram of each score with its limits, the precision by the verdicts given on this version of the table, and contact
sheets of kept clips and images and of rejected ones for each reason, with crop boxes and cut points drawn in.

## Rules, and what another one would change

A score says nothing about keep or drop. `curation.rules` does: a list of scores with their bounds, in the order in
which they are measured, and the first that says no is the reason. A clip exactly at a bound stays. The rules about
`aesthetic`, `technical` and `safety` hold for images, too.

| score | bounds | decides at |
|---|---|---|
| `motion` | `minimum`, `maximum` | motion |
| `central_text` | `maximum` | text_crop; no preset has this rule |
| `aesthetic` | `minimum` | aesthetics |
| `technical` | `minimum` (dover) or `maximum` (every other scorer) | technical_quality |
| `safety` | `minimum` | safety; no preset has this rule, see [curation.md](curation.md#safety) |
| `motion_cropped` | `minimum`, `maximum` | motion_recheck |

```sh
soraflow run --set curation.rules.aesthetic.minimum=10
soraflow run --set curation.rules.central_text.maximum=0.1
soraflow run --set curation.rules.motion_cropped=null
```

change a rule, add one and leave one out. Only the rule's step and those after it run again, on the scores that are
there; what a looser rule lets through and was never measured is measured then.

Every curation leaves a record in `var/curation_runs/`, one of its clips and one of its images: rules and settings, the
funnel (in and out of each step, errors, hours, reasons), what looking at the files and measuring has cost so far, and
the histogram of each score.

```sh
soraflow curate runs
soraflow curate compare
```

lists them, and shows what differs between the last two of clips (of images with `--images`), or between two that are
named by the beginning of their name or of the version of `curated_clips` or `curated_images`.
`var/curation_comparison.html` has the histograms of both over each other.
"""

EXPORTS = """\
## Exports

For other programs; made from what the tables say, and not under DVC. Each folder has a `manifest.json` with the kind
of export, the DVC versions of the tables (`dataset`), and size and sha256 of every file. `complete` is false while an
export is under way. The same command again goes on where it stopped, writes nothing that is there unchanged, and
deletes what it wrote before and does not need any more.

`soraflow export annotations --to FOLDER` writes what the loader of Open-Sora Plan reads: `videos_1.json` and
`images_1.json`, lists of all kept clips and images of both splits, and `merge_data.txt` with a line
`data_root,annotation_path` for each. They refer to the source files, which have to be `.mp4` or `.jpg`: that loader
stops at anything else. It decodes by itself, so that interlaced, HDR, transparent and mirrored videos, and those whose
pixels are not square, are left out and counted, too; and it counts frames, so that the steps of a clip whose rate
varies are even on average only (a note says how many there are).

| key | meaning |
|---|---|
| `path` | the file, relative to the data root; `.mp4` or `.jpg`, others are counted in `left_out` |
| `cap` | the caption |
| `resolution` | `height` and `width` after the crop |
| `num_frames`, `fps` | frames of the clip, and frames a second of the source (of the clip, where the rate varies) |
| `cut` | [first frame, frame after the last] |
| `crop` | [x0, x1, y0, y1], to be applied to the decoded frame; absent if all of it is used |
| `aesthetic` | only if the scorer is `laion-v2`, by whose scale the loader extends captions |
| `tech` | only if the scorer is `dover` |
| `motion` | mean LPIPS distance, inside the crop |
| `licence` | of the source; absent if nothing names it |

`soraflow export webdataset --to FOLDER` writes the training set as tar shards of one split, kind and bucket, such as
`train/video-17x48x64-00000.tar`, with at most `--samples-per-shard` samples. They hold the pixels that training sees,
cropped and resized, and need no source file. The same dataset gives the same bytes.

| member | meaning |
|---|---|
| `<sample_id>.mp4` | a film at `dataset.fps`: H.264, 4:2:0, so it loses a little |
| `<sample_id>.png` | a picture, without loss |
| `<sample_id>.txt` | the caption |
| `<sample_id>.json` | `fps`, `captioner`, `scores` (each a `value` and its `scorer`), `source` (the file), and more |

What that JSON holds besides is called as in [training_set](#training_set) and means the same.
"""

REASONS = """\
Every `reason_code` of the tables above. One bad input costs its own row only: it is looked at in another process
that is killed after `curation.time_limit_seconds` (`too_slow`), cannot hold more data than `curation.memory_limit_gib`
(`out_of_memory`), and may end by itself (`crashed`). What ends in one of these three ways, or with an error (`failed`),
is tried `curation.max_attempts` times, and then parked: [interruptions.md](interruptions.md) says when it is tried
again, and how to ask for that."""


@dataclass(frozen=True)
class Table:
    """`base` is the table whose columns this one has, too."""

    name: str
    path: str
    schema: pa.Schema
    about: str
    base: str | None = None


CHAPTERS = {
    "Curation": (
        Table("raw_videos", "data/raw_videos.parquet", curation.RAW_VIDEOS, "One row a video file."),
        Table(
            "clips",
            "data/clips.parquet",
            curation.CLIPS,
            "One row a slice of at most `curation.clips.max_seconds`.",
        ),
        Table(
            "shots",
            "data/shots.parquet",
            curation.SHOTS,
            "Slices split at jump cuts: several rows may share a `parent`.",
            "clips",
        ),
        Table("motion", "data/motion.parquet", curation.MOTION, "Shots with their motion.", "shots"),
        Table(
            "text_crop",
            "data/text_crop.parquet",
            curation.TEXT_CROP,
            "`crop` is set here, and with it `clip_id` becomes that of the cropped clip.",
            "motion",
        ),
        Table(
            "aesthetics",
            "data/aesthetics.parquet",
            curation.AESTHETICS,
            "Clips with an aesthetic score.",
            "text_crop",
        ),
        Table(
            "technical_quality",
            "data/technical_quality.parquet",
            curation.TECHNICAL_QUALITY,
            "Clips with a technical score.",
            "aesthetics",
        ),
        Table(
            "safety",
            "data/safety.parquet",
            curation.SAFETY,
            "Clips with a safety score, if `curation.safety.enabled` asks for one.",
            "technical_quality",
        ),
        Table(
            "motion_recheck",
            "data/motion_recheck.parquet",
            curation.MOTION_RECHECK,
            "Motion again, on the cropped clip.",
            "safety",
        ),
        Table(
            "near_duplicates",
            "data/near_duplicates.parquet",
            curation.NEAR_DUPLICATES,
            "Of clips that show the same, only the one with the most pixels is kept, or else the longest. Two do if "
            "their hashes differ in at most `curation.near_duplicates.max_distance` bits of 64, in every frame that is "
            "hashed: a film in another size or encoding is found; a mirrored or otherwise cropped one, or one cut at "
            "another place, is not. `curation.near_duplicates.enabled=false` leaves them all in.",
            "motion_recheck",
        ),
        Table(
            "curated_clips",
            "data/curated_clips.parquet",
            curation.NEAR_DUPLICATES,
            "All clips with all scores and the final decision; guarded by a blocking check.",
            "near_duplicates",
        ),
        Table("raw_images", "data/raw_images.parquet", curation.RAW_IMAGES, "One row an image file."),
        Table(
            "curated_images",
            "data/curated_images.parquet",
            curation.CURATED_IMAGES,
            "Images with their scores and the final decision. Of pictures whose hashes differ in at most "
            "`curation.near_duplicates.max_distance` bits only the one with the most pixels is kept.",
            "raw_images",
        ),
    ),
    "Captions and training set": (
        Table(
            "captions",
            "data/captions.parquet",
            captions.SCHEMA,
            "One row a kept clip or image; guarded by a blocking check.",
        ),
        Table(
            "training_set",
            "data/training_set/samples.parquet",
            samples.SAMPLES,
            "One row a sample, which is what a training step reads; guarded by a blocking check.",
        ),
        Table(
            "buckets",
            "data/training_set/buckets.parquet",
            samples.BUCKETS,
            "One row a bucket and split, and one row a kind and reason for items that fit no bucket.",
        ),
    ),
    "Caches": (
        Table(
            "latents",
            "var/artifacts/latents/<fingerprint>/index.parquet",
            latents.INDEX,
            "One row a sample. Its shard holds `<sample_id>.mean` and `<sample_id>.log_variance`, float32 "
            "[C, t, h, w].",
        ),
        Table(
            "text_embeddings",
            "var/artifacts/text_embeddings/<fingerprint>/index.parquet",
            text_embeddings.INDEX,
            "One row a caption, and one for the empty caption. Its shard holds `<key>`, [tokens, width].",
        ),
    ),
}


def page() -> str:
    """The whole of docs/data.md.

    Raises:
        KeyError: a column has no meaning yet.
    """
    parts = [INTRODUCTION]
    known = {table.name: table for tables in CHAPTERS.values() for table in tables}
    for chapter, tables in CHAPTERS.items():
        parts.append(f"## {chapter}\n")
        parts += [_section(table, known) for table in tables]
        if chapter == "Curation":
            parts.append(_reasons())
    return "\n".join([*parts, EXPORTS]).rstrip() + "\n"


def _reasons() -> str:
    rows = [f"| `{reason}` | {MEANINGS_OF_REASONS[reason]} |" for reason in Reason]
    return "\n".join(["### Reasons\n", REASONS, "", "| code | meaning |", "|---|---|", *rows, ""])


def _section(table: Table, known: dict[str, Table]) -> str:
    inherited = known[table.base].schema.names if table.base else []
    lines = [f"### {table.name}\n", f"`{table.path}`. {table.about}", ""]
    added = [field for field in table.schema if field.name not in inherited]
    if table.base:
        lines += [f"The columns of [{table.base}](#{table.base})" + (", and:" if added else "."), ""]
    if added:
        rows = [f"| `{field.name}` | {type_name(field.type)} | {meaning(table.name, field.name)} |" for field in added]
        lines += ["| column | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
