from itertools import pairwise

import pytest

from ops.sampling.chunks import chunks_of
from ops.sampling.request import Request

REQUEST = Request("a cat", seed=3, steps=5, guidance=3.0, frames=93, height=32, width=48, fps=8)


@pytest.mark.parametrize(
    ("frames", "chunk", "overlap", "given"),
    [
        (93, None, None, [0]),
        (93, 93, None, [0]),
        (29, 93, None, [0]),
        (141, 93, 45, [0, 45]),
        (185, 93, 45, [0, 45, 49]),  # of the last, 44 are left to make, so that 49 are given
        (17, 9, 1, [0, 1]),
        (13, 9, 1, [0, 5]),
        (801, 9, 5, [0] + [5] * 198),
    ],
)
def test_chunks_of_one_length_make_all_frames(frames, chunk, overlap, given) -> None:
    request, _ = Request(**{**vars(REQUEST), "frames": frames, "chunk": chunk, "overlap": overlap}).checked()
    chunks = chunks_of(request)
    assert [each.given for each in chunks] == given
    assert {each.request.frames for each in chunks} == {min(frames, chunk or frames)}
    assert sum(each.request.frames - each.given for each in chunks) == frames
    assert all(each.given % 4 == 1 for each in chunks[1:])


def test_the_first_chunk_is_the_short_video_and_each_has_a_seed_of_its_own() -> None:
    def chunks(seed: int) -> list[Request]:
        request = Request(**{**vars(REQUEST), "frames": 41, "chunk": 9, "overlap": 1, "seed": seed})
        return [each.request for each in chunks_of(request.checked()[0])]

    assert chunks(3)[0] == Request(**{**vars(REQUEST), "frames": 9})
    assert chunks(3) == chunks(3)
    seeds = [each.seed for seed in (3, 4) for each in chunks(seed)]
    assert len(set(seeds)) == len(seeds) == 10
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert all(one.prompt == other.prompt for one, other in pairwise(chunks(3)))
