"""Which rank holds what: every small case, and the layouts of the published trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.dit.skiparse import padding
from models.dit.token_share import TokenShare

CASES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "parity" / "sequence_parallel.json").read_text())


@pytest.mark.parametrize("ranks", range(1, 10))
def test_every_token_is_held_once_in_order(ranks: int) -> None:
    for tokens in range(1, 50):
        share = TokenShare(tokens, ranks)
        runs = [share.run(rank) for rank in range(ranks)]
        assert [token for run in runs for token in run] == list(range(tokens))
        assert max(map(len, runs)) == share.each
        assert share.each * ranks == tokens + share.padding
        assert share.padding < ranks


@pytest.mark.parametrize("tokens_of_a_frame", [1, 3, 4, 15])
def test_the_frames_of_a_run_are_those_that_it_touches(tokens_of_a_frame: int) -> None:
    for frames in range(1, 9):
        for ranks in range(1, 9):
            share = TokenShare(frames * tokens_of_a_frame, ranks)
            for rank in range(ranks):
                touched = sorted({token // tokens_of_a_frame for token in share.run(rank)})
                assert list(share.frames(rank, tokens_of_a_frame)) == touched


@pytest.mark.parametrize("layout", CASES["layouts"], ids=lambda layout: str(layout["size"]))
def test_ranks_hold_what_those_of_the_published_trainer_hold(layout: dict[str, Any]) -> None:
    size, (_, _, frames, height, width) = layout["size"], layout["latent"]
    of_a_frame = height // 2 * (width // 2)
    latents, text = TokenShare(frames * of_a_frame, size), TokenShare(layout["text_tokens"], size)
    assert latents.tokens == layout["tokens_in_all"]
    for rank in layout["ranks"]:
        assert latents.run(rank["rank"]) == range(*rank["tokens"])
        assert latents.frames(rank["rank"], of_a_frame) == range(*rank["latent_frames"])
        assert text.run(rank["rank"]) == range(*rank["text_tokens"])
    padded = latents.tokens + padding(latents.tokens, layout["sparse_ratio"])
    assert padded == latents.tokens + layout["padding_of_sparse_layers"]
    assert padded // layout["sparse_ratio"] == layout["sub_sequence"]


def test_lengths_that_the_published_trainer_refuses_are_filled_up() -> None:
    """It takes frames and text that the ranks divide, and no others; here at most a place of a rank is empty."""
    refused = {case["because"]: case for case in CASES["sizes_that_must_be_refused"]}
    of_a_frame = 15
    share = TokenShare(refused["frames"]["latent_frames"] * of_a_frame, refused["frames"]["size"])
    assert [len(share.run(rank)) for rank in range(2)] == [38, 37]
    assert list(share.frames(0, of_a_frame)) == [0, 1, 2]
    assert list(share.frames(1, of_a_frame)) == [2, 3, 4]
    text = TokenShare(refused["text"]["text_tokens"], refused["text"]["size"])
    assert [len(text.run(rank)) for rank in range(4)] == [3, 3, 3, 1]
