"""Ids of texts, as the published networks read them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ops import weights
from ops.metrics.appearance_style import MERGES
from ops.metrics.networks.captions import Captions, tag_names
from ops.metrics.networks.clip_words import ClipWords, byte_letters
from ops.metrics.networks.frames import CLIP, for_clip_as_pictures
from ops.metrics.networks.word_pieces import WordPieces


@pytest.fixture
def clip_words(project) -> ClipWords:
    return ClipWords(weights.ensure(project, "clip-words") / MERGES)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a diagram", [320, 22697]),
        ("A  photo of\na CAT", [320, 1125, 539, 320, 2368]),
        ("a dog", [320, 1929]),
        ("", []),
    ],
)
def test_clips_ids_are_openais(clip_words: ClipWords, text: str, ids: list[int]) -> None:
    """Those of CLIP's own examples."""
    found = clip_words.ids(text)
    assert found[: len(ids) + 2] == [49406, *ids, 49407]
    assert found[len(ids) + 2 :] == [0] * (75 - len(ids))


def test_any_text_has_ids_and_long_ones_are_refused(clip_words: ClipWords) -> None:
    assert len(set(byte_letters().values())) == 256
    assert clip_words.ids("猫 naïve 7½ …")[-1] == 0
    with pytest.raises(ValueError, match="76 word pieces; CLIP reads 75"):
        clip_words.ids("cat " * 76)


def test_pictures_for_clip_are_antialiased() -> None:
    """Stripes of one pixel, shrunk by two, become grey."""
    stripes = np.zeros((1, 448, 600, 3), np.uint8)
    stripes[:, :, ::2] = 255
    found = for_clip_as_pictures(stripes)
    assert found.shape == (1, 3, 224, 224)
    mean, deviation = (torch.tensor(each)[:, None, None] for each in CLIP)
    assert ((found[0] * deviation + mean)[:, 8:-8, 8:-8] - 0.5).abs().max() < 0.05


def test_tags_are_read_as_published(project, checkout) -> None:
    folder = checkout / "tests" / "models" / "metrics" / "parity"
    case = json.loads((folder / "tag2text_full.json").read_text())
    with np.load(folder / "tag2text_full.npz") as arrays:
        ids, numbers, counts = (arrays[key] for key in ("tag_token_ids", "tag_numbers", "tag_counts"))
    names = tag_names(weights.ensure(project, "vbench-suite") / "tag_class.py")
    reader = Captions(None, True, WordPieces(project), names)
    starts = np.cumsum([0, *counts[:-1]])
    for row, start, count, told in zip(ids, starts, counts, case["tags"], strict=True):
        tags = [names[number] for number in numbers[start : start + count]]
        assert " | ".join(tags) == told
        assert reader.ids(tags) == row.tolist()


def test_another_file_of_tags_is_refused(tmp_path) -> None:
    file = tmp_path / "tag_class.py"
    file.write_text("tags = ['a', 'b']")
    with pytest.raises(ValueError, match="no list of 3429 tags"):
        tag_names(file)


def test_word_pieces_are_joined_and_what_is_no_word_is_left_out(project) -> None:
    words = WordPieces(project)
    ids = words.ids("a man riding a skateboard, don't stop.", 40)
    assert (ids[0], len(ids), ids[-1]) == (101, 40, 0)
    assert words.text(ids) == "a man riding a skateboard, don't stop."
    assert words.text([30522, 1037, 3861, 1997, 1037, 4937, 102]) == "a picture of a cat"
