import pytest

from ops.sampling.request import MAX_PROMPT_CHARACTERS, Request, SamplingError


def request(**changes) -> Request:
    usual = {
        "prompt": "a cat",
        "seed": 0,
        "steps": 5,
        "guidance": 3.0,
        "frames": 5,
        "height": 32,
        "width": 48,
        "fps": 8,
    }
    return Request(**{**usual, **changes})


def test_a_good_request_passes_unchanged() -> None:
    assert request().checked() == (request(), [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": " \n\t "}, "empty"),
        ({"height": 40}, "height is 40, but must be a multiple of 16: use 32 or 48"),
        ({"width": 0}, "width is 0.*use 16 or 32"),
        ({"frames": 16}, r"frames is 16, but must be 1 \+ 4n: use 13 or 17"),
        ({"frames": 0}, "use 1 or 5"),
        ({"steps": 0}, "between 1 and 1000"),
        ({"fps": 0}, "above 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(changes: dict, message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        request(**changes).checked()


def test_a_prompt_of_ten_thousand_characters_is_cut_with_a_note() -> None:
    checked, notes = request(prompt="x" * 10_000).checked()
    assert len(checked.prompt) == MAX_PROMPT_CHARACTERS
    assert notes == ["the prompt has 10000 characters; only the first 8000 were read"]
