"""Settings by name: what is told of a recipe, laid over another one, gives that recipe again."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.config import assign, merge
from ops.config.differences import differences
from ops.config.named import by_name

Tree = dict[str, Any]

NAMES = st.sampled_from(("a", "b", "c", "model", "loss_weight", "x2"))
TEXTS = st.text(st.sampled_from("aZé語🐇01.-+:#'\"[]{},&*!|>%@ ~"), max_size=6)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS
LEAVES = SCALARS | st.lists(SCALARS, max_size=3)


@st.composite
def two_of_a_shape(draw: st.DrawFn, depth: int = 2) -> tuple[Tree, Tree]:
    """Two recipes that have the same settings, with values of their own."""
    first, second = {}, {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=2, unique=True)):
        first[name], second[name] = draw(_values(depth))
    return first, second


@st.composite
def _values(draw: st.DrawFn, depth: int) -> tuple[Any, Any]:
    kind = draw(st.sampled_from(("leaf", "group", "items") if depth else ("leaf",)))
    if kind == "leaf":
        return draw(LEAVES), draw(LEAVES)
    if kind == "group":
        return draw(two_of_a_shape(depth - 1))
    names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    pairs = [draw(two_of_a_shape(depth - 1)) for _ in names]
    (firsts, seconds) = zip(*pairs, strict=True)
    return tuple(
        [{"name": name, **settings} for name, settings in zip(names, items, strict=True)] for items in (firsts, seconds)
    )


def same(one: Any, other: Any) -> bool:
    """Equal in value and kind: 1 is neither True nor 1.0."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@settings(max_examples=60)
@given(two_of_a_shape())
def test_every_setting_that_is_told_by_name_can_be_set_by_it(recipes: tuple[Tree, Tree]) -> None:
    base, wanted = recipes
    overrides: Tree = {}
    for name, value in by_name(wanted).items():
        assign(overrides, f"{name}={value}")
    assert same(merge(base, overrides), wanted)


@settings(max_examples=60)
@given(two_of_a_shape())
def test_the_differences_are_what_has_to_be_set_and_nothing_else(recipes: tuple[Tree, Tree]) -> None:
    base, wanted = recipes
    found = differences(base, wanted)
    overrides: Tree = {}
    for name, (old, new) in found.items():
        assert old != new
        group = overrides
        for part in name.split(".")[:-1]:
            group = group.setdefault(part, {})
        group[name.rpartition(".")[2]] = new
    laid = merge(base, overrides)
    assert laid == wanted
    unchanged = by_name(base).keys() - found.keys()
    assert all(by_name(laid)[name] == by_name(base)[name] for name in unchanged if name in by_name(laid))


@settings(max_examples=60)
@given(two_of_a_shape())
def test_laying_settings_over_others_changes_neither(recipes: tuple[Tree, Tree]) -> None:
    base, over = copy.deepcopy(recipes)
    over = {name: value for name, value in over.items() if not isinstance(value, list)}
    once = merge(base, over)
    assert same(base, recipes[0])
    assert same(merge(once, over), once)
    assert same(merge(once, {}), once)
    assert differences(base, base) == {}


@given(st.floats(allow_nan=False))
def test_a_number_is_read_as_that_number(number: float) -> None:
    overrides: Tree = {}
    assign(overrides, f"x={by_name({'x': number})['x']}")
    assert isinstance(overrides["x"], float)
    assert overrides["x"] == number
    assert math.copysign(1, overrides["x"]) == math.copysign(1, number)
