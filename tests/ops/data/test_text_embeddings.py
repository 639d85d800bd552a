import pytest
import torch

from ops.config import ConfigError
from ops.data import text_encoder
from ops.data.samples import SAMPLES, training_samples
from ops.data.text_embeddings import TextError, TextResults, TextSet, make_text
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.runtime.project import Project


def test_every_caption_and_the_empty_one_is_there_at_its_real_length(trained_world) -> None:
    project = trained_world.project
    artifact = current(project, "text_embeddings", TextResults)
    texts = TextSet(artifact)
    assert len(texts) == 6 == artifact.results.captions
    assert texts[""].shape == (2, 384)  # the two marks that BERT puts around nothing
    assert texts["picture 0"].shape == (4, 384)
    assert not torch.equal(texts["a film with number 0"], texts["a film with number 1"])
    assert make_text(project) == artifact


def test_what_cleaning_changes_stands_in_the_index(world) -> None:
    samples = training_samples(world.project)
    said = ["A Film!", "\u5154\u5b50 film", "\u5154\u5b50", *(row["caption"] for row in samples[3:])]
    rows = [{**row, "caption": caption} for row, caption in zip(samples, said, strict=True)]
    tables.write(world.dataset.folder / "samples.parquet", rows, SAMPLES)
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "text_encoder: {clean_captions: true}\n")
    artifact = make_text(Project(world.project.root))
    index = {row["caption"]: row["cleaned"] for row in tables.read(artifact.folder / "index.parquet")}
    assert (index["A Film!"], index["\u5154\u5b50 film"], index["\u5154\u5b50"]) == ("a film!", "film", "")
    assert index[""] is None
    assert artifact.results.emptied == 1


def test_the_share_that_must_be_readable_makes_no_other_encoder(world) -> None:
    before = text_encoder.version(world.project)
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "text_encoder: {min_readable_share: 0.9}\n")
    assert text_encoder.version(Project(world.project.root)) == before


def test_an_embedding_does_not_depend_on_its_batch(trained_world) -> None:
    encode = text_encoder.PromptEncoder(trained_world.project)
    long = "a very long caption about many films and what they show, one after the other"
    alone, (beside, _) = encode(["picture 0"])[0], encode(["picture 0", long])
    assert torch.allclose(alone.embedding, beside.embedding, atol=1e-5)


def test_a_long_text_is_cut_and_marked(trained_world) -> None:
    short, exact, long = text_encoder.PromptEncoder(trained_world.project)(["word", "word " * 62, "word " * 5000])
    assert [short.truncated, exact.truncated, long.truncated] == [False, False, True]
    assert len(exact.embedding) == len(long.embedding) == 64


def test_a_missing_caption_is_named(trained_world) -> None:
    with pytest.raises(TextError, match="no embedding of the caption 'nobody said this'"):
        TextSet(current(trained_world.project, "text_embeddings", TextResults))["nobody said this"]


def test_a_wrong_width_names_the_setting(world) -> None:
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "text_encoder: {width: 768}\n")
    with pytest.raises(ConfigError, match=r"text_encoder.width is 768, but .* gives 384"):
        text_encoder.PromptEncoder(Project(world.project.root))


def test_the_version_depends_on_the_settings(world) -> None:
    before = text_encoder.version(world.project)
    path = world.project.root / "params.yaml"
    path.write_text(path.read_text() + "text_encoder: {max_tokens: 32}\n")
    assert text_encoder.version(Project(world.project.root)) != before
