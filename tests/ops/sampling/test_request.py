from pathlib import Path

import pytest

from ops.sampling.request import MAX_PROMPT_CHARACTERS, Given, GivenFile, Request, SamplingError

END = Given("continuation", (GivenFile(Path("film.mp4"), "a"),), 9)
ENDS = Given("transition", (GivenFile(Path("first.png"), "a"), GivenFile(Path("last.png"), "b")))


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
        ({"sampler": "plms"}, r"sampler is 'plms', but must be one of ddim, euler_ancestral, dpm_solver\+\+, unipc"),
        ({"guidance_rescale": 1.5}, "guidance_rescale is 1.5, but must lie between 0 and 1"),
        ({"chunk": 6}, r"chunk is 6, but must be 1 \+ 4n: use 5 or 9"),
        ({"frames": 17, "chunk": 9, "overlap": 4}, r"overlap is 4, but must be 1 \+ 4n: use 1 or 5"),
        ({"frames": 17, "chunk": 9, "overlap": 9}, "overlap is 9, but must leave some of a chunk's 9 frames to make"),
        ({"overlap": 6}, r"overlap is 6, but must be 1 \+ 4n: use 5 or 9"),
        ({"frames": 17, "chunk": 9, "given": END}, "chunk is 9, but 9 are given: to have some made use 13 or more"),
        ({"frames": 17, "chunk": 9, "given": ENDS}, "a transition's first and last frame must lie in one chunk"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(changes: dict, message: str) -> None:
    with pytest.raises(SamplingError, match=message):
        request(**changes).checked()


def test_half_a_chunk_is_given_to_the_next_unless_more_or_less_is_asked_for() -> None:
    checked, _ = request(frames=201, chunk=93).checked()
    assert checked.overlap == 45  # the whole latent frames of its first half
    assert request(frames=201, chunk=93, overlap=13).checked()[0].overlap == 13
    assert request(frames=93, chunk=93).checked()[0].overlap is None


def test_so_many_variations_have_the_seeds_that_follow() -> None:
    assert [each.seed for each in request(seed=7).variations(3)] == [7, 8, 9]
    with pytest.raises(SamplingError, match="count is 0, but must be at least 1"):
        request().variations(0)


def test_what_is_written_down_is_read_back() -> None:
    for asked in (request(), request(sampler="unipc", guidance_rescale=0.7, frames=17, chunk=9).checked()[0]):
        assert Request.of_json(asked.as_json(), None) == asked
    with pytest.raises(SamplingError, match="other keys than this soraflow knows: fsp"):
        Request.of_json({**request().as_json(), "fsp": 8}, None)
    told = request().as_json()
    del told["seed"]
    with pytest.raises(SamplingError, match="seed"):
        Request.of_json(told, None)


def test_a_prompt_of_ten_thousand_characters_is_cut_with_a_note() -> None:
    checked, notes = request(prompt="x" * 10_000).checked()
    assert len(checked.prompt) == MAX_PROMPT_CHARACTERS
    assert notes == ["the prompt has 10000 characters; only the first 8000 were read"]
