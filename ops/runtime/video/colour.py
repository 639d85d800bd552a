"""What the numbers of a decoded frame stand for, also where its file does not say: matrix, range, primaries, transfer.

Codes are those of ITU-T H.273, as FFmpeg has them; the names of the tables are FFmpeg's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

BT709, BT470BG, SMPTE170M, BT2020 = 1, 5, 6, 9
"""Matrices. BT.601 has two codes, for 625 and 525 lines."""
PQ, HLG = 16, 18
"""Transfers of HDR: SMPTE ST 2084 and ARIB STD-B67."""
LIMITED, FULL = 1, 2
"""Ranges: 16 to 235 (chroma to 240) in steps of 8 bits, and 0 to 255."""

MATRICES = {
    **{0: "rgb", BT709: "bt709", 4: "fcc", BT470BG: "bt470bg", SMPTE170M: "smpte170m", 7: "smpte240m", 8: "ycgco"},
    **{BT2020: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c"},
    **{14: "ictcp", 15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro"},
}
PRIMARIES = {
    **{1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020"},
    **{10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213"},
}
TRANSFERS = {
    **{1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100"},
    **{10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12"},
    **{PQ: "smpte2084", 17: "smpte428", HLG: "arib-std-b67"},
}
RANGES = {LIMITED: "limited", FULL: "full"}
_UNSAID = (0, 2, 3)
"""Matrices that say nothing of a YUV frame: RGB, unspecified and reserved."""


def declare_matrix(frame: av.VideoFrame) -> None:
    """Give a frame of YUV whose file names no matrix the one that players take."""
    if frame.colorspace in _UNSAID and not (frame.format.is_rgb or frame.format.has_palette):
        frame.colorspace = BT2020 if is_hdr(frame) else usual_matrix(frame.width, frame.height)


def usual_matrix(width: int, height: int) -> int:
    """What an unnamed matrix is taken for, by the stored size: BT.709 for high definition, BT.601 below. The limits are
    mpv's; other players differ between 576 and 720 lines only."""
    return BT709 if width >= 1280 or height > 576 else SMPTE170M


def is_hdr(frame: av.VideoFrame) -> bool:
    return frame.color_trc in (PQ, HLG)
