"""Artifacts against a model of them, through any order of works that are done, found, cut short and removed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ops.runtime.artifacts import Identity, MissingArtifact, Results, Work, current, entries, find
from ops.runtime.project import Project

ASSETS = ("vae", "samples")
VERSIONS = ("v1", "v2")
Key = tuple[str, str, int]
"""Asset, version of what it is made from, setting."""


class Setting(Identity):
    steps: int


class Found(Results):
    loss: float


KEYS = st.tuples(st.sampled_from(ASSETS), st.sampled_from(("d1", "d2")), st.integers(1, 2))


class ArtifactStates(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.project = Project(Path(self.folder.name))
        self.made: dict[Key, tuple[str, float]] = {}
        """What is whole: version and loss."""
        self.current: dict[str, Key] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def work(self, key: Key) -> Work[Found]:
        asset, dataset, steps = key
        return Work(self.project, asset, {"training_set": dataset}, Setting(steps=steps), Found)

    @rule(key=KEYS, version=st.sampled_from(VERSIONS), loss=st.floats(0, 9))
    def finish(self, key: Key, version: str, loss: float) -> None:
        done = self.work(key).finish(version, Found(loss=loss))
        assert (done.version, done.results.loss) == (version, loss)
        self.made[key], self.current[key[0]] = (version, loss), key

    @rule(key=KEYS)
    def cut_short(self, key: Key) -> None:
        """Killed before its end: files lie there, and nothing says that they are whole."""
        folder = self.work(key).folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "half").touch()

    @rule(key=KEYS)
    def look_for(self, key: Key) -> None:
        found = self.work(key).finished()
        assert (found is None) == (key not in self.made)
        if found:
            assert (found.version, found.results.loss) == self.made[key]
            self.current[key[0]] = key

    @precondition(lambda self: set(self.made) - set(self.current.values()))
    @rule()
    def look_for_an_earlier_one(self) -> None:
        self.look_for(max(set(self.made) - set(self.current.values())))

    @precondition(lambda self: set(self.made) - set(self.current.values()))
    @rule()
    def remove(self) -> None:
        """What is not current may be deleted."""
        key = min(set(self.made) - set(self.current.values()))
        shutil.rmtree(self.work(key).folder)
        del self.made[key]

    @invariant()
    def looking_changes_nothing(self) -> None:
        for key in self.made:
            found = self.work(key).made()
            assert found is not None
            assert (found.version, found.results.loss) == self.made[key]

    @invariant()
    def the_current_one_is_what_was_made_or_found_last(self) -> None:
        for asset in ASSETS:
            if asset not in self.current:
                with pytest.raises(MissingArtifact, match=f"'{asset}' has not been made yet"):
                    current(self.project, asset, Found)
                continue
            key, found = self.current[asset], current(self.project, asset, Found)
            assert found.fingerprint == self.work(key).fingerprint
            assert (found.inputs, found.settings) == ({"training_set": key[1]}, {"steps": key[2]})

    @invariant()
    def each_is_found_by_its_version(self) -> None:
        for asset in ASSETS:
            for version in VERSIONS:
                keys = [key for key, (of, _) in self.made.items() if (key[0], of) == (asset, version)]
                expected = {self.work(key).fingerprint for key in keys}
                assert {each.fingerprint for each in entries(self.project, asset, version)} == expected
                found = find(self.project, asset, version, Found)
                assert (found.fingerprint if found else None) in (expected or {None})


TestArtifacts = ArtifactStates.TestCase
TestArtifacts.settings = settings(max_examples=25, stateful_step_count=15)
