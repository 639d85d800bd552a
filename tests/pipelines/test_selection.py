"""What `--select` means: the words of the README and of the help, against the graph."""

from __future__ import annotations

import pytest

from ops.config import ConfigError
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, STEPS
from pipelines.lineage_run import selected


def keys(selection: str) -> set[str]:
    return {key.to_user_string() for key in selected(selection)}


def test_a_plus_is_everything_above(project: Project) -> None:
    assert keys("+training_set") == {*STEPS} - {"dataset_report"}
    assert keys("+curated_clips") == {*CLIP_STEPS}
    assert keys("1+training_set") == {"training_set", "captions", "curated_clips", "curated_images"}
    assert keys("raw_images+1") == {"raw_images", "curated_images", "dataset_report"}
    assert "champion" in keys("raw_images+")
    assert keys("latents") == {"latents"}
    assert keys(" latents, text_embeddings ") == {"latents", "text_embeddings"}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("+latents", '+key:"latents"'),
        ("+latents", "*latents"),
        ("curated_*", 'key:"curated_clips" or key:"curated_images"'),
        ("group:vae", 'group:"vae"'),
        ("*", 'key:"*"'),
    ],
)
def test_short_forms_mean_what_the_page_means(project: Project, short: str, long: str) -> None:
    assert keys(short) == keys(long) != set()


@pytest.mark.parametrize("selection", ["nonsense", "+nonsense", "latents,+nonsense+2"])
def test_an_unknown_asset_lists_those_that_exist(project: Project, selection: str) -> None:
    with pytest.raises(ConfigError, match=r"nonsense.*' selects nothing; the assets are: aesthetics, .*, wfvae"):
        selected(selection)


def test_what_cannot_be_parsed_is_said(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"--select: 'latents and' is no selection of assets"):
        selected("latents and")
