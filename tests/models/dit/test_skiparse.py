"""The sparse patterns: which token goes where, that nothing is lost, and who attends to whom."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dit.skiparse import Pattern, join, layer_pattern, pad, padding, split

SPARSE = [Pattern.SINGLE_SKIP, Pattern.GROUP_SKIP]
patterns = st.sampled_from(SPARSE)
ratios = st.integers(2, 5)


def places(tokens: int, pattern: Pattern, k: int) -> torch.Tensor:
    """[k, S/k]: the tokens of each sub-sequence, by putting token numbers through `split`."""
    numbers = torch.arange(tokens).view(1, tokens, 1, 1)
    return split(numbers, pattern, k)[0, :, :, 0].T


@given(patterns, ratios, st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None)
def test_join_inverts_split(pattern, k, squares, heads):
    x = torch.randn(2, squares * k * k, heads, 5)
    parts = split(x, pattern, k)
    assert parts.shape == (2, squares * k, k * heads, 5)
    assert torch.equal(join(parts, pattern, k), x)


@given(patterns, ratios, st.integers(1, 4))
@settings(deadline=None)
def test_sub_sequences_partition_the_tokens(pattern, k, squares):
    tokens = squares * k * k
    found = places(tokens, pattern, k)
    assert found.shape == (k, tokens // k)
    assert found.flatten().sort().values.tolist() == list(range(tokens))


@given(ratios, st.integers(1, 4))
@settings(deadline=None)
def test_places_of_single_skip(k, squares):
    found = places(squares * k * k, Pattern.SINGLE_SKIP, k)
    for i in range(k):
        for g in range(squares * k):
            assert found[i, g] == g * k + i


@given(ratios, st.integers(1, 4))
@settings(deadline=None)
def test_places_of_group_skip(k, squares):
    found = places(squares * k * k, Pattern.GROUP_SKIP, k)
    for m in range(k):
        for n in range(squares):
            for j in range(k):
                assert found[m, n * k + j] == (n * k + m) * k + j


@given(patterns, ratios)
@settings(max_examples=10, deadline=None)
def test_heads_stay_with_their_sub_sequence(pattern, k):
    x = torch.randn(1, k * k, 3, 2)
    parts = split(x, pattern, k)
    for head in range(3):
        alone = split(x[:, :, head : head + 1], pattern, k)
        assert torch.equal(parts[:, :, head::3], alone)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_both_patterns_in_turn_connect_every_pair(k):
    """Two sparse layers are enough: a token of the same single-skip part lies in every group of the other."""
    tokens = 2 * k * k
    reach = torch.eye(tokens)
    for pattern in SPARSE:
        part = torch.empty(tokens, dtype=torch.long)
        for number, members in enumerate(places(tokens, pattern, k)):
            part[members] = number
        reach = reach @ (part[:, None] == part[None, :]).float()
    assert bool((reach > 0).all())


def test_pattern_of_each_layer():
    found = [layer_pattern(i, 32, 4) for i in range(32)]
    assert all(found[i] is Pattern.DENSE for i in (0, 1, 30, 31))
    assert all(found[i] is (Pattern.GROUP_SKIP if i % 2 else Pattern.SINGLE_SKIP) for i in range(2, 30))


@pytest.mark.parametrize(
    ("layers", "sparse"), [(1, []), (4, []), (5, [2]), (6, [2, 3]), (7, [2, 3, 4])], ids=lambda x: str(x)
)
def test_ends_are_dense_at_any_depth(layers, sparse):
    found = [i for i in range(layers) if layer_pattern(i, layers, 2) is not Pattern.DENSE]
    assert found == sparse


def test_ratio_of_one_is_dense():
    assert {layer_pattern(i, 32, 1) for i in range(32)} == {Pattern.DENSE}


@given(st.integers(1, 60), ratios)
@settings(deadline=None)
def test_padding_reaches_the_next_multiple_of_the_square(tokens, k):
    missing = padding(tokens, k)
    assert 0 <= missing < k * k
    assert (tokens + missing) % (k * k) == 0
    padded = pad(torch.ones(1, tokens, 2), k, value=-1.0)
    assert padded[0, :, 0].tolist() == [1.0] * tokens + [-1.0] * missing
