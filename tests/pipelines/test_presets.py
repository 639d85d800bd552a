"""What each shipped preset needs before its first step, walked without walking the preset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ops import weights
from ops.config import Settings, presets, resolve
from ops.runtime.device import Accelerator
from ops.steps import STEPS
from ops.training.loop.engine_config import configuration_of
from ops.training.readiness import NotReady, require_sources
from ops.training.trainings import asset_of, trainings
from pipelines.terminal.weights import needed

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Needs:
    """`own`: sources that the user has to name. `packages` come with the extra `demo`."""

    accelerator: Accelerator
    ranks: int
    weights: set[str]
    packages: frozenset[str] = frozenset()
    own: bool = False
    server: str | None = None
    ranks_of_vae: int | None = None
    """Where they are fewer than those of the recipe."""


OF_THE_PAPERS = {"lpips-alex", "easyocr", "clip-vit-l14", "laion-v2", "dover", "lpips-vgg"}
SERVER = "http://127.0.0.1:8000/v1"
PACKAGES = frozenset({"scikit-video", "scikit-image"})
NEEDS = {
    "demo": Needs("cpu", 2, {"lpips-alex", "rapidocr-det", "brisque", "minilm-l6"}, PACKAGES),
    "finetune": Needs("cuda", 1, {"lpips-alex", "mt5-xxl"}, own=True),
    "shapes": Needs("cpu", 1, {"lpips-alex", "minilm-l6"}),
    "tiny": Needs("cpu", 1, {"lpips-alex", "rapidocr-det", "brisque", "minilm-l6"}, PACKAGES),
    "v1_1": Needs("cuda", 80, {*OF_THE_PAPERS, "t5-v1_1-xxl"}, own=True, server=SERVER, ranks_of_vae=8),
    "v1_3": Needs("npu", 256, {*OF_THE_PAPERS, "mt5-xxl"}, own=True, server=SERVER, ranks_of_vae=8),
}


def everything(recipe: Settings) -> set[str]:
    return {*STEPS, *(asset_of(stage.name, stage.kind) for stage in recipe.stages)}


@pytest.mark.parametrize("preset", presets(ROOT))
def test_a_preset_needs_this(preset: str) -> None:
    recipe = resolve(ROOT, preset, {})
    of_all, vae = recipe.launch.nodes * recipe.launch.ranks_per_node, recipe.vae.launch.over(recipe.launch)
    sources = [collection.path for collection in (*recipe.sources.videos, *recipe.sources.images)]
    found = Needs(
        accelerator=recipe.launch.accelerator,
        ranks=of_all,
        weights=set(needed(recipe)),
        packages=frozenset(path.removeprefix("package:") for path in sources if path.startswith("package:")),
        own=not sources,
        server=recipe.captions.endpoint,
        ranks_of_vae=ranks if (ranks := vae.nodes * vae.ranks_per_node) != of_all else None,
    )
    assert found == NEEDS[preset]


@pytest.mark.parametrize("preset", presets(ROOT))
def test_weights_that_a_preset_needs_can_be_had(preset: str) -> None:
    """Each is in the registry, with where to get it."""
    entries = {entry.name: entry for entry in weights.entries()}
    for name in needed(resolve(ROOT, preset, {})):
        assert entries[name].package or entries[name].hub or entries[name].where


@pytest.mark.parametrize("preset", presets(ROOT))
def test_sources_that_a_preset_lacks_are_asked_for_before_anything_runs(preset: str) -> None:
    recipe = resolve(ROOT, preset, {})
    if not NEEDS[preset].own:
        require_sources(recipe, everything(recipe))
        return
    with pytest.raises(NotReady) as refused:
        require_sources(recipe, everything(recipe))
    for stage in recipe.stages:
        assert f"stage '{stage.name}' will have no" in str(refused.value)
    assert "name a folder there" in str(refused.value)


@pytest.mark.parametrize("preset", presets(ROOT))
def test_batches_of_a_preset_spread_over_its_ranks(preset: str) -> None:
    """Of a denoiser that can be trained, and of the VAE, which may have a launch of its own."""
    recipe = resolve(ROOT, preset, {})
    for each in trainings(recipe).values():
        if each.kind == "vae" or recipe.denoiser.architecture == "skiparse":
            assert configuration_of(each, ROOT, each.launch.nodes * each.launch.ranks_per_node)
