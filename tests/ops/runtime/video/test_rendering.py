"""Pictures of films whose colours, shapes and turns are known by formula, never by a converter's help."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ops.curation.clip import Clip
from ops.curation.decoding import held_frames
from ops.curation.decoding.frames import decoded, frames_at
from ops.curation.sources.probe import probe
from ops.runtime.video.colour import HLG, PQ, usual_matrix
from ops.runtime.video.orientation import Orientation
from ops.runtime.video.rendering import Renderer

PATCHES = np.array(
    [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (128, 128, 128),
        (200, 120, 80),
        (60, 140, 180),
    ],
    float,
)
MATRIX = {"bt601": (6, 0.299, 0.114), "bt709": (1, 0.2126, 0.0722), "bt2020": (9, 0.2627, 0.0593)}
"""Code, and weights of red and blue."""
TO_BT2020 = np.array(((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)))


def chart(width: int = 160, height: int = 32) -> np.ndarray:
    """float [height, width, 3]: vertical stripes of `PATCHES`."""
    return PATCHES[np.arange(width) * len(PATCHES) // width][None].repeat(height, axis=0)


def planes(rgb: np.ndarray, matrix: str, full: bool, bits: int) -> list[np.ndarray]:
    """Y, Cb and Cr of 4:2:0."""
    _, kr, kb = MATRIX[matrix]
    r, g, b = np.moveaxis(rgb / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    colours = [(b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))]
    step, most = 2 ** (bits - 8), 2**bits - 1
    luma = y * most if full else (16 + 219 * y) * step
    halves = [each.reshape(each.shape[0] // 2, 2, -1, 2).mean((1, 3)) for each in colours]
    chroma = [half * (most if full else 224 * step) + 128 * step for half in halves]
    return [np.clip(np.round(plane), 0, most) for plane in (luma, *chroma)]


def write_planes(
    path: Path, stored: Sequence[np.ndarray], bits: int, *, full: bool = False, tags: tuple[int, int, int] | None = None
) -> Path:
    """A lossless film of two equal frames; `tags` are the codes of matrix, primaries and transfer, if the file says."""
    height, width = stored[0].shape
    form, number = ("yuv420p", np.uint8) if bits == 8 else ("yuv420p10le", np.dtype("<u2"))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, form
        context = stream.codec_context
        context.color_range = 2 if full else 1 if tags else 0
        if tags:
            context.colorspace, context.color_primaries, context.color_trc = tags
        for _ in range(2):
            frame = av.VideoFrame(width, height, form)
            for plane, values in zip(frame.planes, stored, strict=True):
                lines = np.zeros((len(values), plane.line_size // np.dtype(number).itemsize), number)
                lines[:, : values.shape[1]] = values
                plane.update(lines.tobytes())
            frame.color_range = context.color_range
            if tags:
                frame.colorspace, frame.color_primaries, frame.color_trc = tags
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def off(picture: np.ndarray) -> np.ndarray:
    """By how much the middle of each patch is off, the worst channel of each."""
    height, width = picture.shape[:2]
    middles = ((np.arange(len(PATCHES)) + 0.5) * width / len(PATCHES)).astype(int)
    return np.abs(picture[height // 2, middles].astype(float) - PATCHES).max(axis=1)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRIX)
def test_colours_are_those_that_the_file_names(tmp_path: Path, matrix: str, full: bool, bits: int) -> None:
    code = MATRIX[matrix][0]
    tags = (code, code, {"bt2020": 14}.get(matrix, code))
    path = write_planes(tmp_path / "a.mp4", planes(chart(), matrix, full, bits), bits, full=full, tags=tags)
    assert off(next(frames_at(path, [1]))[1]).max() <= 3
    assert off(next(frames_at(path, [1], short_side=16))[1]).max() <= 3
    row = probe(path)
    assert (row["colour_matrix"], row["colour_range"]) == (
        {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}[matrix],
        "full" if full else "limited",
    )


@pytest.mark.parametrize(
    ("size", "matrix"), [((160, 32), "bt601"), ((1024, 32), "bt601"), ((1280, 16), "bt709"), ((48, 578), "bt709")]
)
def test_an_unnamed_matrix_is_the_one_of_the_size(tmp_path: Path, size: tuple[int, int], matrix: str) -> None:
    path = write_planes(tmp_path / "a.mp4", planes(chart(*size), matrix, False, 8), 8)
    assert usual_matrix(*size) == MATRIX[matrix][0]
    assert off(next(frames_at(path, [1]))[1]).max() <= 3
    (first, *_) = decoded(path)
    assert off(Renderer().upright(first)).max() <= 3
    assert probe(path)["colour_matrix"] is None


def linear(rgb: np.ndarray) -> np.ndarray:
    share = rgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def pq(light: np.ndarray) -> np.ndarray:
    """cd/m² → signal."""
    root = (light / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * root) / (1 + 2392 / 128 * root)) ** (2523 / 32)


def hlg(light: np.ndarray) -> np.ndarray:
    """cd/m² on a display of 1000 → signal."""
    shown = light / 1000
    luminance = np.maximum(shown @ np.array(MATRIX_2020), 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


MATRIX_2020 = (0.2627, 0.6780, 0.0593)


@pytest.mark.parametrize(("transfer", "encode"), [(PQ, pq), (HLG, hlg)])
def test_hdr_is_mapped_to_what_sdr_shows(tmp_path: Path, transfer: int, encode: Any) -> None:
    light = 203 * np.maximum(linear(chart()) @ TO_BT2020.T, 0)
    stored = planes(255 * encode(light), "bt2020", False, 10)
    path = write_planes(tmp_path / "a.mp4", stored, 10, tags=(9, 9, transfer))
    assert off(next(frames_at(path, [1]))[1]).max() <= 12
    assert off(next(frames_at(path, [1], short_side=16))[1]).max() <= 12
    assert probe(path)["colour_transfer"] in ("smpte2084", "arib-std-b67")


def test_what_is_brighter_than_white_keeps_its_order_and_its_hue(tmp_path: Path) -> None:
    light = np.zeros((32, 160, 3))
    light[:] = np.geomspace(150, 4000, 160)[:, None]
    light[16:] *= (1.0, 0.5, 0.25)
    path = write_planes(tmp_path / "a.mp4", planes(255 * pq(light), "bt2020", False, 10), 10, tags=(9, 9, PQ))
    picture = next(frames_at(path, [0]))[1].astype(int)
    white = picture[4, 4:-4]
    assert (np.diff(white.mean(axis=1)) >= -1).all()
    assert white[0].max() < 240
    assert white[-1].min() >= 254
    coloured = picture[28, 4:-4]
    assert (coloured[:, 0] > coloured[:, 1] + 30).all()
    assert (coloured[:, 1] > coloured[:, 2] + 20).all()


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [("a.mov", "qtrle", "argb"), ("a.mkv", "ffv1", "yuva420p"), ("a.webm", "libvpx-vp9", "yuva420p")],
)
def test_transparent_films_lie_on_white(tmp_path: Path, name: str, codec: str, form: str) -> None:
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[:] = (200, 40, 0, 255)
    picture[:, 16:32, 3], picture[:, 32:48, 3] = 0, 128
    with av.open(str(tmp_path / name), "w") as container:
        options = {"lossless": "1"} if codec == "libvpx-vp9" else {}
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=form)))
        container.mux(stream.encode())
    row = probe(tmp_path / name)
    assert (row["transparent"], row["frames"]) == (True, 2)
    _, shown = next(frames_at(tmp_path / name, [1]))
    for column, wanted in ((8, (200, 40, 0)), (24, (255, 255, 255)), (40, (227, 147, 127))):
        assert np.abs(shown[24, column].astype(int) - wanted).max() <= 4
    _, small = next(frames_at(tmp_path / name, [1], short_side=12))
    assert np.abs(small[6, 6].astype(int) - 255).max() <= 2


def pasted(path: Path, pictures: Sequence[np.ndarray], **about: Any) -> Path:
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "preset": "ultrafast", **about.get("options", {})}
        stream: Any = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if "shape" in about:
            stream.codec_context.sample_aspect_ratio = about["shape"]
        if "matrix" in about:
            stream.set_display_matrix(about["matrix"])
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


ONE = 1 << 16
TURNS = {
    "as it is": ((ONE, 0, 0, ONE), lambda p: p, 0, False),
    "clockwise": ((0, ONE, -ONE, 0), lambda p: np.rot90(p, -1), 90, False),
    "half": ((-ONE, 0, 0, -ONE), lambda p: np.rot90(p, 2), 180, False),
    "counter-clockwise": ((0, -ONE, ONE, 0), lambda p: np.rot90(p), 270, False),
    "mirrored": ((-ONE, 0, 0, ONE), lambda p: p[:, ::-1], 0, True),
    "upside down": ((ONE, 0, 0, -ONE), lambda p: p[::-1], 180, True),
    "transposed": ((0, ONE, ONE, 0), lambda p: p.swapaxes(0, 1), 270, True),
    "transposed otherwise": ((0, -ONE, -ONE, 0), lambda p: np.rot90(p.swapaxes(0, 1), 2), 90, True),
}


@pytest.mark.parametrize("turn", TURNS)
def test_every_display_matrix_is_obeyed(tmp_path: Path, videos, turn: str) -> None:
    (a, b, c, d), wanted, clockwise, mirrored = TURNS[turn]
    picture = videos.scene(3, 64, 48)
    plain = next(frames_at(pasted(tmp_path / "plain.mp4", [picture]), [0]))[1]
    path = pasted(tmp_path / "a.mp4", [picture], matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    _, shown = next(frames_at(path, [0]))
    np.testing.assert_array_equal(shown, wanted(plain))
    row = probe(path)
    assert (row["rotation"], row["mirrored"]) == (clockwise, mirrored)
    assert (row["height"], row["width"]) == shown.shape[:2]
    before = plain[:, ::-1] if mirrored else plain
    np.testing.assert_array_equal(shown, np.rot90(before, -clockwise // 90))


def test_an_orientation_is_undone_by_its_size_alone() -> None:
    assert Orientation(transposed=True).size(64, 48) == (48, 64)
    assert Orientation(left_right=True).size(64, 48) == (64, 48)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("shape", [Fraction(64, 45), Fraction(4, 3), Fraction(8, 9), Fraction(16, 15)])
def test_discs_are_round(tmp_path: Path, name: str, shape: Fraction) -> None:
    y, x = np.mgrid[:96, :144]
    picture = np.full((96, 144, 3), 40, np.uint8)
    picture[((x - 71.5) * float(shape)) ** 2 + (y - 47.5) ** 2 < 32**2] = 230
    path = pasted(tmp_path / name, [picture], shape=shape)
    row, (_, shown) = probe(path), next(frames_at(path, [0]))
    assert (row["height"], row["width"]) == shown.shape[:2] == (96, round(144 * shape))
    assert row["sample_aspect_ratio"] == pytest.approx(float(shape), abs=1e-6)
    rows, columns = np.nonzero(shown[..., 0] > 135)
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=1)


@pytest.mark.parametrize(("shape", "width"), [(Fraction(1279, 1280), 144), (Fraction(9, 1), 144)])
def test_shapes_that_no_camera_has_are_square(tmp_path: Path, shape: Fraction, width: int) -> None:
    path = pasted(tmp_path / "a.mp4", [np.full((96, 144, 3), 40, np.uint8)], shape=shape)
    assert (probe(path)["width"], probe(path)["sample_aspect_ratio"]) == (width, 1)


def moving_bar(moments: Sequence[int]) -> list[np.ndarray]:
    """A bar that moves 8 pixels a moment, at these moments."""
    pictures = []
    for moment in moments:
        picture = np.full((96, 160, 3), 40, np.uint8)
        picture[16:80, 8 * moment : 8 * moment + 40] = 230
        pictures.append(picture)
    return pictures


def combs(picture: np.ndarray) -> float:
    """Mean distance of a line from the mean of its neighbours."""
    lines = picture.astype(float).mean(axis=-1)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean())


def test_interlaced_frames_lose_their_combs_and_show_one_moment(tmp_path: Path) -> None:
    fields = moving_bar(range(10))
    woven = [np.where(np.arange(96)[:, None, None] % 2 == 0, *fields[n : n + 2]) for n in range(0, 10, 2)]
    path = pasted(tmp_path / "a.mp4", woven, options={"x264-params": "tff=1"})
    _, shown = next(frames_at(path, [2]))
    assert combs(woven[2]) > 5
    assert combs(shown) < 2.5  # the ends of the bar are lines of their own
    columns = np.nonzero(shown[48, :, 0] > 135)[0]
    assert (columns.min(), columns.max()) == (32, 71)
    row = probe(path)
    assert (row["interlaced"], row["field_order"]) == (True, "top_first")
    plain = probe(pasted(tmp_path / "b.mp4", fields))
    assert (plain["interlaced"], plain["field_order"]) == (False, "progressive")


def test_interlaced_frames_of_still_pictures_keep_their_details(tmp_path: Path, videos) -> None:
    picture = videos.scene(5, 160, 96)
    path = pasted(tmp_path / "a.mp4", [picture] * 3, options={"x264-params": "tff=1"})
    plain = pasted(tmp_path / "b.mp4", [picture] * 3)
    (_, woven), (_, whole) = (next(frames_at(each, [1])) for each in (path, plain))
    assert np.abs(woven.astype(int) - whole).mean() < 1


def test_scorers_see_what_training_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a film that is HDR, and of one with odd pixels that is turned; also when its frames are reduced to be held."""
    light = 203 * np.maximum(linear(chart()) @ TO_BT2020.T, 0)
    films = [write_planes(tmp_path / "a.mp4", planes(255 * pq(light), "bt2020", False, 10), 10, tags=(9, 9, PQ))]
    turned = {"shape": Fraction(4, 3), "matrix": (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)}
    films.append(pasted(tmp_path / "b.mp4", moving_bar([2, 3]), **turned))
    for path in films:
        row = probe(path)
        clip = Clip(row["sha256"], 0, 2, None, row["fps"], row["width"], row["height"])
        for largest, tolerance in ((held_frames.LARGEST_HELD, 0), (16, 2)):
            monkeypatch.setattr(held_frames, "LARGEST_HELD", largest)
            held = held_frames.HeldFrames(short_side=720)
            for index, frame in enumerate(decoded(path)):
                held.hold(index, frame)
            for index, picture in frames_at(path, range(2)):
                seen = held.picture(index, clip, 720, "rgb24")
                assert seen.shape == picture.shape == (row["height"], row["width"], 3)
                assert np.abs(seen.astype(int) - picture).max() <= tolerance
