"""What people prefer, as it is written down and counted."""

from __future__ import annotations

import pytest

from ops.evaluation.preferences import Preference, PreferenceError, Preferences
from ops.runtime.project import Project
from ops.statistics.wilson import wilson


def test_answers_count_whichever_model_was_called_the_first(project: Project) -> None:
    store = Preferences(project)
    store.add("a", "b", "p", "a1", "b1", "second")
    store.add("b", "a", "p", "b2", "a2", "first")
    store.add("a", "b", "p", "a3", "b3", "first")
    store.add("b", "a", "p", "b4", "a4", "neither")
    store.add("a", "c", "p", "a1", "c1", "first")
    assert store.between("a", "b") == Preference(2, 1, 1, 2 / 3, *wilson(2, 3))
    assert store.between("b", "a").counts == (1, 2, 1)
    assert str(store.between("a", "b")) == "67% [21%, 94%], 2 of 3, 1 alike"
    assert str(store.between("c", "b")) == "none judged yet"


def test_the_last_word_about_two_videos_stands_and_may_be_taken_back(project: Project) -> None:
    store = Preferences(project)
    for choice in ("first", "second", "undo", "neither", "second"):
        store.add("a", "b", "p", "a1", "b1", choice)
    store.add("a", "b", "p", "a2", "b2", "first")
    store.add("a", "b", "p", "a2", "b2", "undo")
    assert store.standing("a", "b") == {("a1", "b1"): "second"}


@pytest.mark.parametrize(
    ("wins", "losses", "word"),
    [(0, 0, "cannot tell"), (5, 0, "cannot tell"), (6, 0, "better"), (0, 6, "worse"), (12, 8, "cannot tell")],
)
def test_the_word_needs_six_answers_and_an_interval_beside_one_half(wins: int, losses: int, word: str) -> None:
    assert Preference.of(wins, losses, 3).word == word


def test_a_foreign_line_is_an_error_that_names_it_and_a_torn_one_is_none(project: Project) -> None:
    store = Preferences(project)
    store.add("a", "b", "p", "a1", "b1", "second")
    path = project.var / "preferences.jsonl"
    path.write_text(path.read_text() + '{"first": "a", "sec')
    assert store.between("a", "b").counts == (1, 0, 0)
    path.write_text('{"first": "a"}\n')
    with pytest.raises(PreferenceError, match=r"preferences\.jsonl, line 1: not an answer"):
        store.between("a", "b")
    path.unlink()
    store.add("a", "b", "p", "a1", "b1", "perhaps")  # type: ignore[arg-type]
    with pytest.raises(PreferenceError, match="choice 'perhaps' is not one of"):
        store.between("a", "b")


def test_one_blind_comparison_at_a_time(project: Project) -> None:
    held, other = Preferences(project), Preferences(project)
    with held.writing(), pytest.raises(PreferenceError, match="held by another blind comparison"), other.writing():
        pass
