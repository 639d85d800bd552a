"""The aliases of the registry, in a real MLflow store, against a model in plain numbers."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ops.config import resolve
from ops.release.champion import promote
from ops.release.registry import CANDIDATE, CHAMPION, KEY, PREVIOUS, Registry, UnknownVersion
from ops.release.rollback import rollback
from ops.runtime.project import Project

KEYS = ("one", "two", "three")
PICK = st.integers(0, 1000)


class AliasStates(RuleBasedStateMachine):
    """Each run of it has a registered model of its own in one store: a new store takes seconds."""

    names = count()

    def __init__(self, root: Path, recipe: Any, logged_model: str) -> None:
        super().__init__()
        release = recipe.release.model_copy(update={"registered_model": f"model {next(self.names)}"})
        self.project = Project(root, recipe=recipe.model_copy(update={"release": release}))
        self.logged_model = logged_model

    @initialize()
    def begin(self) -> None:
        self.registry = Registry(self.project)
        self.keys: list[str] = []
        self.tags: dict[int, str] = {}
        self.aliases: dict[str, int] = {}
        self.register("one")
        self.register("two")

    def chosen(self, pick: int) -> int:
        return pick % len(self.keys) + 1

    @precondition(lambda self: len(self.keys) < len(KEYS))
    @rule(key=st.sampled_from(KEYS))
    def register(self, key: str) -> None:
        version = self.registry.register(key, self.logged_model, {"by": key})
        if key not in self.keys:
            self.keys.append(key)
        assert version.number == self.keys.index(key) + 1

    @rule(pick=PICK)
    def stand_as_candidate(self, pick: int) -> None:
        number = self.chosen(pick)
        if self.aliases.get(CHAMPION) != number:
            self.registry.point(CANDIDATE, self.registry.version(number))
            self.aliases[CANDIDATE] = number

    @rule(pick=PICK)
    def become_champion(self, pick: int) -> None:
        number, champion = self.chosen(pick), self.registry.aliased(CHAMPION)
        if self.aliases.get(CHAMPION) == number:
            return
        promote(self.registry, self.registry.version(number), champion)
        if champion:
            self.aliases[PREVIOUS] = self.aliases[CHAMPION]
        self.aliases[CHAMPION] = number
        if self.aliases.get(CANDIDATE) == number:
            del self.aliases[CANDIDATE]

    @rule()
    def go_back(self) -> None:
        if PREVIOUS not in self.aliases:
            with pytest.raises(UnknownVersion):
                rollback(self.project)
            return
        champion, previous = self.aliases[CHAMPION], self.aliases[PREVIOUS]
        assert rollback(self.project) == (previous, champion)
        self.aliases |= {CHAMPION: previous, PREVIOUS: champion}

    @precondition(lambda self: not self.tags)
    @rule(pick=PICK, value=st.sampled_from(("x", "y")))
    def tag(self, pick: int, value: str) -> None:
        number = self.chosen(pick)
        assert self.registry.tag(self.registry.version(number), {"note": value}).tags["note"] == value
        self.tags[number] = value

    @rule(alias=st.sampled_from((CHAMPION, CANDIDATE, PREVIOUS)))
    def ask_for(self, alias: str) -> None:
        if alias in self.aliases:
            assert self.registry.version(alias).number == self.aliases[alias]
        else:
            with pytest.raises(UnknownVersion, match=r"versions: 1|no model has been released"):
                self.registry.version(alias)

    @invariant()
    def versions_and_aliases_are_those_of_the_model(self) -> None:
        found = Registry(self.project).versions()
        assert [version.number for version in found] == list(range(1, len(self.keys) + 1))
        assert [version.tags[KEY] for version in found] == self.keys
        assert {version.number: version.tags["note"] for version in found if "note" in version.tags} == self.tags
        assert {alias: version.number for version in found for alias in version.aliases} == self.aliases


@pytest.mark.costly
def test_aliases_are_where_releases_and_rollbacks_leave_them(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    recipe = resolve(checkout, "tiny", {})
    model = Registry(Project(tmp_path, recipe=recipe)).client.create_logged_model("0").model_id
    run_state_machine_as_test(
        lambda: AliasStates(tmp_path, recipe, model), settings=settings(max_examples=5, stateful_step_count=10)
    )
