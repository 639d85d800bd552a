"""High dynamic range to the standard one: PQ and HLG (ITU-R BT.2100) as sRGB.

White of ordinary things, 203 cd/m² by ITU-R BT.2408, becomes white. What is brighter (lamps, glints, the sun) is
rolled off into the little room above `KNEE`, the brightest of the three channels deciding for all, so that hues stay.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ops.runtime.video.colour import BT470BG, BT709, BT2020, HLG, PQ, SMPTE170M

WHITE = 203.0
"""cd/m²."""
PEAK = 1000.0
"""cd/m² of the display that HLG is made for; what is brighter in PQ becomes white."""
KNEE = 0.82
"""Share of white's light up to which nothing changes."""
_STEPS = 4096

_TO_BT709 = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
"""Linear RGB of other primaries (BT.2020, Display P3) to those of BT.709, all with the white D65 (ITU-R BT.2087)."""
_WEIGHTS = {BT709: (0.2126, 0.0722), BT470BG: (0.299, 0.114), SMPTE170M: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
"""Of red and blue in luma."""
_LUMINANCE = np.array((0.2627, 0.6780, 0.0593), np.float32)
"""Of BT.2020."""


def signal_of(yuv: np.ndarray, full_range: bool, matrix: int) -> np.ndarray:
    """uint16 [H, W, 3] Y'CbCr of 16 bits → uint16 [H, W, 3] R'G'B' of full range. swscale's own arithmetic is half a
    percent off here, which PQ makes visible in the dark."""
    red, blue = _WEIGHTS.get(matrix, _WEIGHTS[BT2020])
    black, luma, chroma = (0, 65535, 65535) if full_range else (16 << 8, 219 << 8, 224 << 8)
    u, v = (yuv[..., 1] - np.float32(1 << 15)) / chroma, (yuv[..., 2] - np.float32(1 << 15)) / chroma
    y = (yuv[..., 0] - np.float32(black)) / luma
    rgb = np.empty(yuv.shape, np.float32)
    rgb[..., 0] = y + 2 * (1 - red) * v
    rgb[..., 1] = y - 2 * (red * (1 - red) * v + blue * (1 - blue) * u) / (1 - red - blue)
    rgb[..., 2] = y + 2 * (1 - blue) * u
    return (rgb.clip(0, 1) * 65535 + 0.5).astype(np.uint16)


def to_sdr(rgb: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """uint16 [H, W, 3], full range, of `PQ` or `HLG` → uint8 [H, W, 3] sRGB. Primaries that are not named are those of
    BT.2020."""
    light = _light_of(transfer)[rgb]
    if transfer == HLG:  # the signal is the scene's light: a display of `PEAK` brightens it by a system gamma of 1.2
        light *= (PEAK / WHITE) * np.maximum(light @ _LUMINANCE, 1e-6)[..., None] ** 0.2
    matrix = _TO_BT709.get(9 if primaries in (0, 2) else primaries)
    if matrix is not None:
        light = np.maximum(light @ np.array(matrix, np.float32).T, 0.0)
    brightest = light.max(axis=-1, keepdims=True)
    light *= _rolled_off(brightest) / np.maximum(brightest, 1e-6)
    # equal steps of a square root are fine enough in the dark, where sRGB is steep
    picture: np.ndarray = _srgb()[(np.sqrt(light) * (_STEPS - 1) + 0.5).astype(np.int32)]
    return picture


def _rolled_off(light: np.ndarray) -> np.ndarray:
    """[0, ∞) → [0, 1], where white is 1: the same up to the knee, then Reinhard's curve, which ends at `PEAK`."""
    room, most = 1 - KNEE, (PEAK / WHITE - KNEE) / (1 - KNEE)
    above = np.clip((light - KNEE) / room, 0.0, most)
    rolled: np.ndarray = np.minimum(light, KNEE) + room * above * (1 + above / most**2) / (1 + above)
    return rolled


@cache
def _light_of(transfer: int) -> np.ndarray:
    """float32 [65536]: light of a signal, as a share of white for PQ, of the scene's most for HLG."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        light = 10000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _srgb() -> np.ndarray:
    """uint8 [_STEPS]: sRGB of the square root of light."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)
