from hypothesis import given
from hypothesis import strategies as st

from ops.runtime.flat import flat

NAMES = st.text("abc", min_size=1, max_size=3)
TREES = st.recursive(st.integers() | st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=12)


def test_leaves_go_by_the_way_to_them_and_empty_branches_are_left_out() -> None:
    tree = {"a": {"b": 1, "c": {"d": [2, {"e": 3}]}}, "f": None, "g": {}}
    assert flat(tree) == {"a.b": 1, "a.c.d": [2, {"e": 3}], "f": None}


def test_what_lies_inside_is_for_the_caller_to_say() -> None:
    def inside(value):
        return dict(enumerate(value)) if isinstance(value, list) else None

    assert flat({"a": [7, [8]], "b": {"c": 1}}, inside) == {"a.0": 7, "a.1.0": 8, "b": {"c": 1}}


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_every_leaf_is_found_where_its_key_says(tree) -> None:
    found = flat(tree)
    for way, leaf in found.items():
        place = tree
        for name in way.split("."):
            place = place[name]
        assert place == leaf
        assert not isinstance(place, dict)
    assert len(found) == _count(tree)


def _count(tree) -> int:
    return sum(_count(value) if isinstance(value, dict) else 1 for value in tree.values())
