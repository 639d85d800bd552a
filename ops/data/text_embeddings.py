"""The `text_embeddings` asset: what the text encoder makes of what training may say.

`text_embeddings.mode: cached` encodes every distinct text, and the empty one, once and keeps it. `online` keeps none: a
training encodes what a step says, and the asset names the encoder that it has to use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
from pydantic import JsonValue

from ops.catalogue import KINDS
from ops.config import ImageCondition, Mode, Precision, Settings, TextEncoder
from ops.data import tensor_shards, text_encoder
from ops.data.captioning.phrases import all_wordings, generic
from ops.data.columns import TEXT_EMBEDDINGS
from ops.data.samples import each_sample
from ops.data.shard_index import ShardIndex
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Entry, Identity, MissingArtifact, Results, Work
from ops.runtime.files import digest, sha256
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

if TYPE_CHECKING:
    import torch

ASSET = "text_embeddings"
SHARD_CAPTIONS = 256
BATCH = 16
UNCONDITIONAL = ""
"""What a dropped caption becomes, and the negative half of classifier-free guidance."""

INDEX = TEXT_EMBEDDINGS.schema


class TextError(KeyError):
    """A caption without an embedding."""

    def __str__(self) -> str:
        return str(self.args[0])


class TextIdentity(Identity):
    """Of `cached`."""

    captions: str
    """The digest of all texts."""
    encoder: str
    encoder_version: str
    encoder_dtype: Precision = "float32"
    dtype: Precision = "float32"
    shard_captions: int

    def payload(self) -> dict[str, JsonValue]:
        """Without the types where they are those that all were made by before there was a choice."""
        return {
            key: value
            for key, value in super().payload().items()
            if (key, value) not in (("encoder_dtype", "float32"), ("dtype", "float32"))
        }

    def setting(self, key: str) -> str | None:
        named = {"encoder": "text_encoder.weights", "dtype": "text_embeddings.stored_dtype"}
        return {**named, "encoder_dtype": "text_embeddings.encoder_dtype"}.get(key, key)


class OnlineIdentity(Identity):
    """Of `online`."""

    mode: Literal["online"] = "online"
    encoder: str
    encoder_version: str
    encoder_dtype: Precision

    def setting(self, key: str) -> str | None:
        named = {"encoder": "text_encoder.weights", "encoder_version": key}
        return named.get(key, f"text_embeddings.{key}")


class TextResults(Results):
    mode: Mode = "cached"
    """Of `online` nothing but the encoder's name is kept, and no caption is counted."""
    captions: int
    truncated: int
    emptied: int
    """Those of which cleaning leaves the encoder nothing."""
    width: int
    dataset_version: str


def make_text(project: Project, dataset: str | None = None) -> Artifact[TextResults]:
    """What the recipe's mode makes of the captions of a version of the training set (None: the current one).

    The fingerprint holds the caption set (`cached`) and the encoder's files, not the dataset version: a dataset that
    changed in its clips only finds its embeddings here.
    """
    from ops.data.dvc import version

    dataset = dataset or version(project, "training_set")
    work, captions = work_of(project, dataset)
    return work.finished() or encode_all(work, captions, dataset)


def made_for(project: Project, dataset: str) -> Artifact[TextResults]:
    """The embeddings of a version of the training set by the recipe's encoder, whichever are the current ones.

    Raises:
        MissingArtifact: when they have not been made.
    """
    found = work_of(project, dataset)[0].made()
    if found is None:
        raise MissingArtifact(
            f"the captions of training set {dataset} have not been encoded by {project.settings.text_encoder.weights} "
            f"as text_encoder says now: run `soraflow run --select {ASSET}`"
        )
    return found


def work_of(project: Project, dataset: str) -> tuple[Work[TextResults], list[str]]:
    """The work of encoding the captions of a version, and those captions; none of them where that is done online."""
    settings = project.settings.text_embeddings
    encoder, encoder_version = project.settings.text_encoder.weights, text_encoder.version(project)
    if settings.mode == "online":
        online = OnlineIdentity(encoder=encoder, encoder_version=encoder_version, encoder_dtype=settings.encoder_dtype)
        return Work(project, ASSET, {}, online, TextResults), []
    samples = each_sample(project, version=dataset, cuts=project.settings.stage_cuts())
    captions = sorted(all_wordings(samples, project.settings.denoiser) | _of_none(project.settings))
    cached = TextIdentity(
        captions=digest(captions),
        encoder=encoder,
        encoder_version=encoder_version,
        encoder_dtype=settings.encoder_dtype,
        dtype=settings.stored_dtype,
        shard_captions=SHARD_CAPTIONS,
    )
    return Work(project, ASSET, {}, cached, TextResults), captions


def _of_none(settings: Settings) -> set[str]:
    """What is said that no sample's caption says."""
    generics = any(isinstance(stage, ImageCondition) for stage in settings.stages)
    return {UNCONDITIONAL, *(generic(kind) for kind in KINDS if generics)}


def encoder_version_of(made: Entry | Artifact[TextResults]) -> str:
    """Of the encoder that an artifact was made by, or that it names."""
    return str(made.settings["encoder_version"])


def planned(project: Project) -> Work[TextResults]:
    """That of the current training set."""
    from ops.data.dvc import version

    return work_of(project, version(project, "training_set"))[0]


def encode_all(work: Work[TextResults], captions: list[str], dataset_version: str) -> Artifact[TextResults]:
    """Write shards and index of `captions` into the work's folder and finish it; resumes at the first missing shard. Of
    `online` there is nothing to write."""
    from safetensors import safe_open

    mode = work.project.settings.text_embeddings.mode
    if mode == "online":
        return work.finish(
            version=digest(work.identity.payload()),
            results=TextResults(
                mode=mode,
                captions=0,
                truncated=0,
                emptied=0,
                width=work.project.settings.text_encoder.width,
                dataset_version=dataset_version,
            ),
        )
    work.folder.mkdir(parents=True, exist_ok=True)
    encoder, settings = _Lazy(work.project), work.project.settings.text_encoder
    truncated = emptied = 0
    progress = Progress.of(work.project, ASSET, len(captions), "captions")
    shards = list(tensor_shards.planned(work.folder, captions, SHARD_CAPTIONS))

    def parts() -> Iterator[pa.Table]:
        nonlocal truncated, emptied
        done = 0
        for path, part in shards:
            if not path.is_file():
                _write_shard(path, part, encoder, work.project.settings.text_embeddings.stored_dtype)
            with safe_open(path, framework="pt") as shard:
                cut = set(filter(None, shard.metadata()["truncated"].split(",")))
                lengths = [shard.get_slice(key(caption)).get_shape()[0] for caption in part]
            rows = [_index_row(path, *each, cut, settings) for each in zip(part, lengths, strict=True)]
            truncated += sum(row["truncated"] for row in rows)
            emptied += sum(row["cleaned"] == "" for row in rows)
            done += len(rows)
            progress.update(done)
            yield tables.of_rows(rows, INDEX)

    tables.write_parts(work.folder / "index.parquet", parts(), INDEX)
    return work.finish(
        version=digest([sha256(path) for path, _ in shards]),
        results=TextResults(
            captions=len(captions),
            truncated=truncated,
            emptied=emptied,
            width=settings.width,
            dataset_version=dataset_version,
        ),
    )


class _Lazy:
    """The encoder, loaded when the first caption needs it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._encoder: text_encoder.PromptEncoder | None = None

    def __call__(self, texts: Sequence[str]) -> list[text_encoder.Encoded]:
        if self._encoder is None:
            precision = self._project.settings.text_embeddings.encoder_dtype
            self._encoder = text_encoder.PromptEncoder(self._project, precision=precision)
        return self._encoder(texts)


def key(caption: str) -> str:
    """The name of a caption's tensor."""
    return hashlib.sha256(caption.encode()).hexdigest()[:32]


def _write_shard(path: Path, captions: Sequence[str], encoder: _Lazy, precision: Precision) -> None:
    import torch

    tensors, cut = {}, []
    for start in range(0, len(captions), BATCH):
        batch = captions[start : start + BATCH]
        for caption, encoded in zip(batch, encoder(batch), strict=True):
            tensors[key(caption)] = encoded.embedding.to(getattr(torch, precision))
            cut += [key(caption)] * encoded.truncated
    tensor_shards.write(path, tensors, {"truncated": ",".join(cut)})


def _index_row(path: Path, caption: str, tokens: int, cut: set[str], settings: TextEncoder) -> Row:
    name, read = key(caption), text_encoder.as_read(caption, settings)
    return {
        "cleaned": None if read == caption else read,
        "key": name,
        "caption": caption,
        "shard": path.name,
        "tokens": tokens,
        "truncated": name in cut,
    }


class TextSet:
    """Reads the embeddings of a `text_embeddings` artifact by caption."""

    def __init__(self, artifact: Artifact[TextResults]) -> None:
        self._shards = tensor_shards.Shards(artifact.folder)
        self._index = ShardIndex(artifact.folder / "index.parquet", "key")
        self.width: int = artifact.results.width

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, caption: str) -> bool:
        return key(caption) in self._index

    def embeddings(self, captions: Sequence[str]) -> list[torch.Tensor]:
        """Those of several captions."""
        return [self[caption] for caption in captions]

    def __getitem__(self, caption: str) -> torch.Tensor:
        """The embedding, float32 [L, D], of a caption at its real length; `""` is the unconditional one."""
        if caption not in self:
            folder = self._shards.folder
            raise TextError(f"no embedding of the caption {caption[:60]!r} in {folder}: make `text_embeddings`")
        (embedding,) = self._shards.get(self._index[key(caption)], key(caption))
        return embedding.float()


class OnlineText:
    """Encodes captions when they are asked for; the unconditional one, which is asked for most, once."""

    def __init__(self, project: Project, artifact: Artifact[TextResults]) -> None:
        """By the encoder that the artifact names.

        Raises:
            TextError: when its files or settings are others now.
        """
        wanted = encoder_version_of(artifact)
        if text_encoder.version(project) != wanted:
            raise TextError(
                f"the text encoder {project.settings.text_encoder.weights} is not that of `{ASSET}` "
                f"{artifact.version} any more: bring its files back (`soraflow weights list`), or make `{ASSET}` again"
            )
        precision = project.settings.text_embeddings.encoder_dtype
        self._encoder = text_encoder.PromptEncoder(project, precision=precision)
        self._unconditional = self._encoder([UNCONDITIONAL])[0].embedding

    def embeddings(self, captions: Sequence[str]) -> list[torch.Tensor]:
        """Float32 [L, D] of each, on the CPU, as `TextSet` gives them."""
        said = list(dict.fromkeys(caption for caption in captions if caption != UNCONDITIONAL))
        found = {UNCONDITIONAL: self._unconditional}
        for start in range(0, len(said), BATCH):
            batch = said[start : start + BATCH]
            found |= {text: each.embedding for text, each in zip(batch, self._encoder(batch), strict=True)}
        return [found[caption] for caption in captions]
