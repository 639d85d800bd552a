from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ops.curation.scorers.text_recognition import TextReader, TextRecogniser, in_reading_order, read_greedily
from ops.runtime.project import Project

FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def sign(*lines: str) -> Image.Image:
    picture = Image.new("RGB", (800, 100 + 150 * len(lines)), (200, 220, 240))
    draw = ImageDraw.Draw(picture)
    for number, text in enumerate(lines):
        draw.text((60, 60 + 150 * number), text, font=ImageFont.truetype(str(FONT), 48), fill=(30, 20, 20))
    return picture


@pytest.fixture
def read(project: Project) -> TextReader:
    reader: TextReader = TextRecogniser().start(project)
    return reader


def test_a_sign_is_read_line_by_line(read: TextReader):
    lines = read(np.asarray(sign("OPEN ALL NIGHT", "Coffee & Tea 24")))
    assert [line["text"] for line in lines] == ["OPEN ALL NIGHT", "Coffee & Tea 24"]
    assert all(line["confidence"] > 0.95 for line in lines)
    x0, x1, y0, y1 = lines[1]["box"]
    assert 40 < x0 < 70 < 400 < x1 < 560
    assert 190 < y0 < 230 < 250 < y1 < 290


@pytest.mark.parametrize("degrees", [90, -90])
def test_a_line_that_is_turned_by_a_right_angle_is_read(read: TextReader, degrees: int):
    lines = read(np.asarray(sign("OPEN ALL NIGHT").rotate(degrees, expand=True)))
    assert [line["text"] for line in lines] == ["OPEN ALL NIGHT"]


def test_an_empty_picture_says_nothing(read: TextReader):
    assert read(np.full((300, 400, 3), 128, np.uint8)) == []


def test_repetitions_and_gaps_are_taken_out():
    """Columns: a a - a b b, of which each is sure by 0.9; a gap parts the two a."""
    best = [1, 1, 0, 1, 2, 2]
    probability = np.full((6, 3), 0.05)
    probability[range(6), best] = 0.9
    assert read_greedily(probability, ["", "a", "b"]) == ("aab", pytest.approx(0.9))
    assert read_greedily(np.eye(3)[[0, 0]], ["", "a", "b"]) == ("", 0.0)


def test_boxes_are_read_row_by_row():
    left, right, below = (0, 50, 10, 30), (60, 90, 12, 28), (0, 50, 35, 50)
    assert in_reading_order([below, right, left]) == [left, right, below]
