"""Average attention distance: the paper's table, a plain search that agrees, and the closed form."""

from __future__ import annotations

from collections import deque
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.attention_distance import (
    Groups,
    average_distance,
    full_groups,
    skip_window_groups,
    skiparse_groups,
    spatial_temporal_groups,
    sub_sequences,
)
from models.dit import DenoiserConfig
from models.dit.attention import SelfAttention, SelfContext
from models.dit.masks import pattern_bias
from models.dit.rope import rotary_table
from models.dit.skiparse import Pattern

PAPER_GRID = (24, 32, 32)


def searched(groups: Groups) -> float:
    """One breadth-first search a token, over lists of neighbours."""
    together = (groups[:, :, None] == groups[:, None, :]).any(axis=0)
    tokens, total = len(together), 0
    for source in range(tokens):
        hops = {source: 1}  # a token attends to itself
        waiting = deque((int(token), 1) for token in np.flatnonzero(together[source]))
        while waiting:
            token, distance = waiting.popleft()
            if token in hops and (token != source or distance > 1):
                continue
            hops[token] = distance
            waiting.extend((int(near), distance + 1) for near in np.flatnonzero(together[token]) if near not in hops)
        total += sum(hops[token] for token in range(tokens))
    return total / tokens**2


@pytest.mark.parametrize(
    ("groups", "published"),
    [
        (full_groups, 1.000),
        (spatial_temporal_groups, 1.957),
        *((partial(skip_window_groups, k=k), value) for k, value in ((2, 1.500), (4, 1.750), (8, 1.875))),
        *((partial(skiparse_groups, k=k), value) for k, value in ((2, 1.250), (4, 1.563), (8, 1.766))),
    ],
)
def test_the_published_table(groups, published):
    assert average_distance(groups(PAPER_GRID)) == pytest.approx(published, abs=0.0005 + 1e-9)


@pytest.mark.parametrize("k", [2, 3, 4, 5, 8])
def test_skiparse_has_its_closed_form(k):
    grid = (2, k, 3 * k)
    assert average_distance(skiparse_groups(grid, k)) == pytest.approx(2 - 2 / k + 1 / k**2, abs=1e-12)


@pytest.mark.parametrize(
    "groups",
    [
        full_groups((2, 3, 4)),
        spatial_temporal_groups((3, 2, 4)),
        skip_window_groups((2, 4, 4), 4),
        skip_window_groups((1, 5, 5), 3),
        skiparse_groups((2, 4, 4), 2),
        skiparse_groups((1, 5, 7), 3),
        np.stack([np.arange(11) // 2, (np.arange(11) + 1) // 2]),  # a chain, where the ends are ten hops apart
        np.stack([np.arange(24) // 12, np.arange(24) // 3 % 4, np.arange(24) % 3]),  # three kinds
    ],
)
def test_it_agrees_with_a_search_from_each_token(groups):
    assert average_distance(groups) == pytest.approx(searched(groups), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=70))
@settings(deadline=None, max_examples=40)
def test_it_agrees_with_a_search_on_any_groups(labels):
    numbered = [np.unique(row, return_inverse=True)[1] for row in np.array(labels).T]
    connected = np.stack([*numbered, np.zeros(len(labels), dtype=np.int64)])
    connected[2, 1:] = np.arange(1, len(labels)) // 2  # overlapping pairs, so that most draws are connected
    try:
        expected = searched(connected)
    except KeyError:
        with pytest.raises(ValueError, match=r"apart, but must connect"):
            average_distance(connected)
    else:
        assert average_distance(connected) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pattern", [Pattern.SINGLE_SKIP, Pattern.GROUP_SKIP])
@pytest.mark.parametrize("tokens", [32, 27])
def test_groups_are_those_in_which_the_attention_layer_mixes_tokens(pattern, tokens):
    """From the gradient of every output with respect to every input, padding included."""
    config = DenoiserConfig(layers=1, heads=1, head_width=6, in_channels=1, text_width=1)
    attention = SelfAttention(config.heads, config.head_width)
    table = rotary_table((1, 1, tokens), (1.0, 1.0, 1.0), 6, torch.device("cpu"))
    x = torch.randn(1, tokens, 6)
    context = SelfContext(table, 4, {pattern: pattern_bias(None, tokens, pattern, 4, 1, x)})
    slopes = torch.autograd.functional.jacobian(lambda x: attention(x, pattern, context)[0].sum(dim=1), x)
    assert isinstance(slopes, torch.Tensor)
    mixed = slopes[:, 0].abs().sum(dim=-1) > 0
    group = sub_sequences(tokens, pattern, 4)
    assert np.array_equal(mixed.numpy(), group[:, None] == group[None, :])


def test_a_window_as_long_as_a_sub_sequence_would_be_as_near_as_skiparse():
    grid, k = (4, 8, 8), 4
    wide = np.stack([skip_window_groups(grid, k)[0], np.arange(256) // (256 // k)])
    assert average_distance(wide) == average_distance(skiparse_groups(grid, k))


def test_groups_that_never_meet_are_refused():
    with pytest.raises(ValueError, match="leave 8 pairs of tokens apart, but must connect all of them"):
        average_distance(np.array([[0, 0, 1, 1]]))
