from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ops.config import CaptionPhrase, Denoiser, resolve
from ops.data import text_encoder
from ops.data.captioning.phrases import all_wordings, wordings
from ops.data.captions import captions
from ops.data.samples import SAMPLES, training_samples
from ops.data.training_set import training_set
from ops.runtime import tables
from ops.runtime.project import Project

HIGH = CaptionPhrase(score="aesthetic", scorer="laion-v2", minimum=5.75, phrases=("a fine {kind}.", "nice {kind}."))
LOW = CaptionPhrase(score="aesthetic", scorer="laion-v2", maximum=4.25, phrases=("a dull {kind}.",))
SHARP = CaptionPhrase(score="technical", scorer="dover", minimum=0.1, phrases=("A sharp scene,",), place="before")
RULES = Denoiser(caption_phrases=(HIGH, LOW, SHARP), phrase_draws=20)


def sample(aesthetic: float | None, scorer: str | None = "laion-v2", **columns: Any) -> Any:
    row = {"sample_id": "a", "kind": "video", "caption": "a dog", "aesthetic": aesthetic, "aesthetics_scorer": scorer}
    return {**row, "technical": None, "technical_quality_scorer": None, **columns}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            sample(5.75),
            {"a fine video. a dog", "a dog a fine video.", "nice video. a dog", "a dog nice video."},
        ),
        (sample(4.25, kind="image"), {"a dull image. a dog", "a dog a dull image."}),
        (sample(5.74), {"a dog"}),
        (sample(4.26), {"a dog"}),
        (sample(None), {"a dog"}),
        (sample(60.0, "colourfulness"), {"a dog"}),
        (sample(5.0, technical=0.1, technical_quality_scorer="dover"), {"A sharp scene, a dog"}),
        (sample(5.0, technical=0.1, technical_quality_scorer="brisque"), {"a dog"}),
    ],
)
def test_a_score_is_told_by_the_first_rule_that_holds(row: Any, expected: set[str]):
    found = wordings(row, RULES)
    assert set(found) == expected
    assert len(found) == len(expected)


def test_draws_are_few_differ_from_sample_to_sample_and_stay():
    few = RULES.model_copy(update={"phrase_draws": 2})
    rows = [sample(6.0, sample_id=str(number)) for number in range(40)]
    drawn = [wordings(row, few) for row in rows]
    assert drawn == [wordings(row, few) for row in rows]
    assert {len(set(each)) for each in drawn} == {2}
    counts = Counter(text for each in drawn for text in each)
    assert len(counts) == 4
    assert min(counts.values()) > 8


def test_plain_captions_are_always_encoded_too():
    assert all_wordings([sample(6.0), sample(5.0, caption="a cat")], RULES) == {
        "a dog",
        "a cat",
        *wordings(sample(6.0), RULES),
    }


def test_a_rule_without_a_bound_is_an_error():
    with pytest.raises(ValueError, match="needs a minimum, a maximum, or both"):
        CaptionPhrase(score="aesthetic", scorer="laion-v2", phrases=("x",))


def test_the_recipe_of_v1_3_has_ten_phrases_each_as_its_loader(checkout):
    settings = resolve(checkout, "v1_3", {})
    high, low = settings.denoiser.caption_phrases
    assert (high.minimum, high.maximum, low.minimum, low.maximum) == (5.75, None, None, 4.25)
    assert len(set(high.phrases)) == len(set(low.phrases)) == 10
    assert settings.text_encoder.clean_captions


def test_samples_carry_the_scores_that_rules_ask_for(curated: Project):
    captions(curated)
    training_set(curated)
    video = training_samples(curated, kinds=("video",))[0]
    assert (video["aesthetic"], video["aesthetics_scorer"]) == (20.0, "colourfulness")
    assert (video["technical"], video["technical_quality_scorer"]) == (5.0, "niqe")


def test_the_encoder_reads_clean_captions_if_the_recipe_asks_for_it(world):
    """The empty caption and all others keep their own names; only what is encoded is cleaned."""
    import torch

    path = world.project.root / "params.yaml"
    plain = text_encoder.PromptEncoder(world.project)
    text = path.read_text()
    assert "text_encoder" not in text
    path.write_text(text + "\ntext_encoder: {clean_captions: true}\n")
    cleaning = text_encoder.PromptEncoder(Project(world.project.root))
    (cleaned,) = cleaning(["See https://x.com: A (grey) RABBIT..."])
    (expected,) = plain(["see a grey rabbit"])
    assert torch.equal(cleaned.embedding, expected.embedding)
    assert text_encoder.version(Project(world.project.root)) != text_encoder.version(world.project)


def test_all_wordings_of_the_training_set_are_encoded(world):
    """All that a step may say is among the embeddings."""
    from ops.data.text_embeddings import TextSet, make_text

    path = world.dataset.folder / "samples.parquet"
    rows = tables.read(path)
    tables.write(path, [{**row, "aesthetic": 6.0, "aesthetics_scorer": "laion-v2"} for row in rows], SAMPLES)
    rule = "{score: aesthetic, scorer: laion-v2, minimum: 5.75, phrases: [a fine film, a nice film]}"
    params = world.project.root / "params.yaml"
    params.write_text(params.read_text().replace("denoiser: {", f"denoiser: {{caption_phrases: [{rule}], "))
    project = Project(world.project.root)
    assert len(project.settings.denoiser.caption_phrases) == 1
    texts = TextSet(make_text(project))
    for row in training_samples(project, version=world.dataset.hash):
        said = wordings(row, project.settings.denoiser)
        assert len(said) == 4
        assert all(wording in texts for wording in (*said, row["caption"]))
