"""The fixed list of reasons why curation leaves something out. Tables hold a code, and a sentence with its numbers."""

from __future__ import annotations

from enum import StrEnum

from ops.catalogue.lookup import SCORES


class Reason(StrEnum):
    """Those that belong to no score: a rule about a score has its own, which the step that measures it declares.

    Codes are data: a new one may be added, but none is renamed or used for something else.
    """

    BAD_NAME = "bad_name"
    BROKEN_LINK = "broken_link"
    REPEATED_FOLDER = "repeated_folder"
    OUTSIDE = "outside"
    NOT_A_FILE = "not_a_file"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    LICENCE = "licence"

    EMPTY = "empty"
    UNKNOWN_FORMAT = "unknown_format"
    NO_VIDEO = "no_video"
    NO_FRAMES = "no_frames"
    DAMAGED = "damaged"
    CUT_SHORT = "cut_short"
    SIZE_CHANGES = "size_changes"
    TOO_LARGE = "too_large"
    BAD_TIMES = "bad_times"
    DUPLICATE = "duplicate"
    EXCLUDED_KIND = "excluded_kind"

    FAILED = "failed"
    CRASHED = "crashed"
    TOO_SLOW = "too_slow"
    OUT_OF_MEMORY = "out_of_memory"

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NEAR_DUPLICATE = "near_duplicate"
    TOO_SMALL = "too_small"
    WATERMARK = "watermark"
    NOT_ENGLISH = "not_english"
    NO_PEOPLE = "no_people"
    NO_TEXT = "no_text"
    EXCLUDED = "excluded"


MEANINGS: dict[str, str] = {
    Reason.BAD_NAME: "the file's name is not UTF-8",
    Reason.BROKEN_LINK: "a link that leads nowhere, or in a circle",
    Reason.REPEATED_FOLDER: "a link to a folder that is read under another name",
    Reason.OUTSIDE: "leads out of the folder of sources",
    Reason.NOT_A_FILE: "a folder, pipe, socket or device",
    Reason.MISSING: "named in the manifest, or seen a moment ago, but not there",
    Reason.UNREADABLE: "may not be read",
    Reason.LICENCE: "under a licence that `curation.exclude_licences` names",
    Reason.EMPTY: "a file without content",
    Reason.UNKNOWN_FORMAT: "damaged at its beginning, cut short, or of no admitted format",
    Reason.NO_VIDEO: "holds no video stream",
    Reason.NO_FRAMES: "no picture can be decoded",
    Reason.DAMAGED: "decoding stops with an error",
    Reason.CUT_SHORT: "holds less than it announces",
    Reason.SIZE_CHANGES: "the picture size changes on the way",
    Reason.TOO_LARGE: "a picture has more pixels than anybody films",
    Reason.BAD_TIMES: "time stamps say less than a frame an hour, or more than 10,000 a second",
    Reason.DUPLICATE: "the same content as another file",
    Reason.EXCLUDED_KIND: "a video of a kind that `curation.exclude_videos` names",
    Reason.FAILED: "looking at it failed with an error",
    Reason.CRASHED: "each time, looking at it ended the process",
    Reason.TOO_SLOW: "not done within `curation.time_limit_seconds`",
    Reason.OUT_OF_MEMORY: "needs more than `curation.memory_limit_gib`",
    Reason.TOO_SHORT: "fewer frames than `curation.shots.min_frames`",
    Reason.TOO_LONG: "more frames than `curation.shots.max_frames`",
    **{wording.code: wording.meaning for score in SCORES.values() for wording in score.wordings},
    Reason.NEAR_DUPLICATE: "shows the same as a better clip, which `duplicate_of` names",
    Reason.TOO_SMALL: "an image with a shorter side than `curation.images.min_side`, or than its collection's",
    Reason.WATERMARK: "an image with a watermark, or of which nothing says that it has none, where its collection asks",
    Reason.NOT_ENGLISH: "an image whose caption or writing is not English, where its collection asks for that",
    Reason.NO_PEOPLE: "an image of the collection `people` whose caption names nobody",
    Reason.NO_TEXT: "an image of the collection `text` in which less than `curation.images.text` asks can be read",
    Reason.EXCLUDED: "named in `curation.exclude`, with a reason of its own",
}
"""Every code that a table may hold, in the order of the funnel."""
