"""Finished weights of a VAE go all the way: latents, stages, scores, summary, trace, card and champion."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from models.released import save_pretrained
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.data.latent_making import make_latents
from ops.release.champion import release_candidate
from ops.release.registry import Registry
from ops.release.trace import Adoption, trace
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.training import assets
from ops.training.results import Adopted
from pipelines.terminal import lineage, summary


@pytest.fixture
def adopted(world, score_world, set_checks):
    """The world again, with a VAE that came from elsewhere."""
    root = world.project.root
    shape = world.project.settings.vae.model.model_dump()
    save_pretrained(WFVAE(WFVAEConfig(**shape)), root / "bought")
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("vae: {", "vae: {released: bought, "))
    new = type(world)(Project(root))
    assets.train(new.project, "wfvae")
    make_latents(new.project)
    new.train_denoiser("image", {2: 0.9})
    new.train_denoiser("video", {2: 0.5, 4: 0.4})
    score_world(new.project)
    set_checks(new.project)
    return new


def printed(show) -> str:
    console = Console(file=StringIO(), width=200)
    show(console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_an_adopted_vae_is_released_shown_and_traced(adopted) -> None:
    project = adopted.project
    vae = current(project, "wfvae", Adopted)
    assert release_candidate(project).results.promoted
    version = Registry(project).version("champion")
    assert (version.parts.vae_asset, version.parts.vae_version) == ("wfvae", vae.version)
    assert version.tags["version.wfvae"] == vae.version
    found = trace(project, 1)
    assert found.adopted == (Adoption("wfvae", vae.version, "bought"),)
    assert [each.asset for each in found.trainings] == ["denoiser_image", "denoiser_video"]
    assert found.settings["vae"]["released"] == "bought"
    card = (project.root / version.folder / "model_card.md").read_text(encoding="utf-8")
    assert "wfvae was not trained: its weights were adopted from bought." in card
    assert "| unknown | adopted weights of wfvae |" in card
    assert "adopted from bought" in printed(lambda console: lineage.show(project, "1", console, False))
    made = {asset: current(project, asset, kind).version for asset, kind in [("wfvae", Adopted)]}
    told = printed(lambda console: summary.draw(summary.Run(project, made), console))
    assert "wfvae adopted from bought, not trained" in told
    assert release_candidate(project).results.version == 1
