"""A version in MLflow's registry is what another recipe starts from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ops.config import ConfigError
from ops.release.champion import release_candidate
from ops.release.registry import Registry
from ops.runtime.project import Project
from ops.training import assets, base
from ops.weights.content import weights_hash

pytestmark = pytest.mark.slow


def reads(project: Project, **sections: Any) -> Project:
    path = project.root / "params.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, changes in sections.items():
        tree[name] = {**tree.get(name, {}), **changes}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return Project(project.root)


def test_a_recipe_starts_from_the_champion_of_another(scored: Any) -> None:
    project = reads(scored.project, release={"copy_weights": True})
    release_candidate(project)
    parts = Registry(project).version("champion").parts
    name = "models:/squares@champion"
    project = reads(project, vae={"released": name}, denoiser={"released": name})
    made, vae = base.make_base(project), assets.train(project, "wfvae")
    assert (made.results.source, made.results.shift, made.results.scale) == (name, parts.shift, parts.scale)
    assert weights_hash(made.folder / "released") == weights_hash(project.root / parts.denoiser)
    assert made.results.vae == weights_hash(vae.folder / vae.results.released) == weights_hash(project.root / parts.vae)
    with pytest.raises(ConfigError, match=r"denoiser\.released is 'models:/squares/7', but MLflow has no such version"):
        base.make_base(reads(project, denoiser={"released": "models:/squares/7"}))


def test_a_version_without_its_weights_says_how_to_have_them(scored: Any) -> None:
    release_candidate(scored.project)
    with pytest.raises(ConfigError, match=r"not in the registry: release\.copy_weights is off.*--set release\.copy"):
        base.make_base(reads(scored.project, denoiser={"released": "models:/squares/1"}))
