"""Finished weights in the place of a denoiser's training: what they are, whether they fit, in which units they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from models import released
from models.control.image_condition import ImageConditionedDenoiser
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.config import ConfigError
from ops.data.latent_making import make_latents
from ops.data.latent_moments import LatentError
from ops.data.latents import LatentsResults, vae_of
from ops.runtime.artifacts import current
from ops.runtime.files import digest
from ops.runtime.project import Project
from ops.training import assets, base
from ops.training.assets import stage_work
from ops.training.results import Trained
from ops.training.trainings import trainings
from ops.weights.content import weights_hash


def reads(project: Project, **changes: Any) -> Project:
    """The project with other settings of the denoiser and stages."""
    path = project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["denoiser"] = {**recipe["denoiser"], **changes.pop("denoiser", {})}
    path.write_text(yaml.safe_dump({**recipe, **changes}), encoding="utf-8")
    return Project(project.root)


def best_of(project: Project) -> Path:
    made = current(project, "denoiser_video", Trained)
    return made.folder / made.results.released


def test_what_soraflow_trained_tells_all_that_a_stage_has_to_know(world: Any) -> None:
    """The first stage starts from it, with latents in its units, whatever this training set would measure."""
    folder, measured = best_of(world.project), current(world.project, "latents", LatentsResults)
    project = reads(world.project, denoiser={"released": str(folder)})
    made = base.make_base(project)
    assert (made.results.shift, made.results.scale) == (measured.results.shift, measured.results.scale)
    kept = released.from_pretrained(made.folder / made.results.released).state_dict()
    assert all(torch.equal(kept[name], each) for name, each in released.from_pretrained(folder).state_dict().items())
    assert weights_hash(made.folder / made.results.released) == weights_hash(folder), "the same bytes"
    assert base.make_base(project) == made

    latents = make_latents(project, digest("training_set"))
    assert latents.inputs["denoiser_released"] == made.version
    assert (latents.results.shift, latents.results.scale) == (made.results.shift, made.results.scale)
    assert vae_of(latents)[0] == "wfvae"
    first, second = (each for each in trainings(project.settings).values() if each.kind != "vae")
    work, init_from = stage_work(project, first)
    assert init_from is not None
    assert init_from.folder == made.folder / made.results.released
    assert work.inputs["denoiser_released"] == made.version
    assert not second.released, "a further stage starts from the one before"


def test_of_other_weights_the_recipe_says_the_units(world: Any, tmp_path: Path) -> None:
    released.save_pretrained(released.from_pretrained(best_of(world.project)), tmp_path / "bought")
    with pytest.raises(ConfigError, match=r"set denoiser\.released_scale \(0\.18215 for weights of Open-Sora Plan\)"):
        base.make_base(reads(world.project, denoiser={"released": str(tmp_path / "bought")}))
    told = {"released": str(tmp_path / "bought"), "released_scale": 0.5}
    project = reads(world.project, denoiser=told)
    assert base.make_base(project).results.scale == (0.5,) * 4
    latents = make_latents(project, digest("training_set"))
    assert (latents.results.shift, latents.results.scale) == ((0.0,) * 4, (0.5,) * 4)
    with pytest.raises(ConfigError, match=r"released_scale is 0\.5, but '.*' tells the units of its latents: rem"):
        base.make_base(reads(world.project, denoiser={**told, "released": str(best_of(world.project))}))


def test_weights_that_do_not_fit_say_what_to_set(world: Any, tmp_path: Path) -> None:
    folder = best_of(world.project)
    shape = {"layers": 3, "heads": 2, "head_width": 18, "absolute_positions": True}
    project = reads(world.project, denoiser={"released": str(folder), "model": shape})
    with pytest.raises(ConfigError) as refused:
        base.make_base(project)
    wanted = ("model.layers=2 (is 3)", "model.head_width=12 (is 18)", "model.absolute_positions=false (is True)")
    for words in wanted:
        assert f"set denoiser.{words}" in str(refused.value)
    diffusion = {"prediction": "epsilon", "zero_terminal_snr": False}
    project = reads(world.project, denoiser={"released": str(folder), "model": {}, "diffusion": diffusion})
    with pytest.raises(ConfigError, match=r"set denoiser\.diffusion\.prediction=v_prediction \(is epsilon\)"):
        base.make_base(reads(world.project, denoiser={"model": {"layers": 2, "heads": 2, "head_width": 12}}))
    start = released.from_pretrained(folder)
    released.save_pretrained(ImageConditionedDenoiser(start.config), tmp_path / "given")
    with pytest.raises(ConfigError, match="a OpenSoraInpaint_v1_3, but must be a denoiser of text to video"):
        base.make_base(reads(world.project, denoiser={"released": str(tmp_path / "given"), "released_scale": 1.0}))
    with pytest.raises(ConfigError, match=r"is no folder in .*, and no weights are called 'bougth'.*models:/NAME@"):
        base.make_base(reads(world.project, denoiser={"released": "bougth"}))


def test_latents_of_another_vae_mean_nothing_to_them(world: Any) -> None:
    project = reads(world.project, denoiser={"released": str(best_of(world.project))})
    base.make_base(project)
    shape = project.settings.vae.model.model_dump()
    released.save_pretrained(WFVAE(WFVAEConfig(**shape)), project.root / "another")
    project = reads(project, vae={"released": "another", "model": shape})
    assets.train(project, "wfvae")
    with pytest.raises(LatentError, match=r"another VAE made than wfvae .*: name its own in vae\.released"):
        make_latents(project, digest("training_set"))
