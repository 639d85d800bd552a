import pytest

from ops.data.captioning.text import MAX_CHARACTERS, OPENINGS, cut, tidy, without_opening


def test_there_are_the_27_openings_of_the_paper_and_none_begins_another():
    assert len(OPENINGS) == len(set(OPENINGS)) == 27
    assert all(opening.endswith(" ") for opening in OPENINGS)
    assert not [(a, b) for a in OPENINGS for b in OPENINGS if a != b and b.startswith(a)]


@pytest.mark.parametrize("opening", OPENINGS)
def test_an_opening_goes_and_the_rest_begins_with_a_capital(opening: str):
    assert without_opening(f"{opening}a grey rabbit in a meadow") == "A grey rabbit in a meadow"


@pytest.mark.parametrize(
    "caption",
    [
        "A rabbit",
        "the video shows a rabbit",
        "The video showsa rabbit",
        "a man in the video",
        "In the videos, a man",
    ],
)
def test_other_beginnings_stay_as_they_are(caption: str):
    assert without_opening(caption) == caption


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("  two \n lines\t", "two lines"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("e\u0301", "é"),
        ("line\u2028end", "line end"),
        (" \n\t ", ""),
        ("In the video, \nélan", "Élan"),
        ("In the video, the video shows a cat", "A cat"),
        ("The video is The video shows ", "The video shows"),
        ("half \ud800 of a character", "half of a character"),
    ],
)
def test_a_tidy_caption_is_one_clean_line(written: str, tidied: str):
    assert tidy(written) == tidied


def test_a_long_caption_ends_with_a_whole_word():
    caption = "word " * 2000
    short = cut(caption)
    assert MAX_CHARACTERS - 5 < len(short) <= MAX_CHARACTERS
    assert short.endswith("word")
    assert cut("x" * 10_000) == "x" * MAX_CHARACTERS
    assert cut("short") == "short"
