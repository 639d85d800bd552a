"""The text encoder of the recipe, loaded from its local folder: prompts in, token embeddings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.config import ConfigError, Precision, TextEncoder
from ops.data.captioning.cleaning import cleaned, readable_share
from ops.runtime.files import digest, sha256
from ops.runtime.project import Project

if TYPE_CHECKING:
    import torch

    from models.text import TextEncoder as Encoder


@dataclass(frozen=True)
class Encoded:
    """One text: its embedding [L, D] in float32 at its real length, whether tokens were cut off, and the text as the
    encoder was given it."""

    embedding: torch.Tensor
    truncated: bool
    read: str


class PromptEncoder:
    """Tokenizer and encoder of these settings, or the recipe's; needs no network and runs no code from the folder."""

    def __init__(self, project: Project, settings: TextEncoder | None = None, precision: Precision = "float32") -> None:
        """`precision` is what it computes in; embeddings come in float32."""
        from transformers import AutoTokenizer

        from ops.runtime.device import accelerator

        self.settings = settings or project.settings.text_encoder
        self.folder = folder(project, self.settings)
        self._device = accelerator(project.accelerator)
        self._tokenizer = AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True)
        self._model = _encoder(self.folder, self.settings.width, precision).to(self._device)

    def __call__(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode texts, cleaned if the recipe asks for that; one longer than `max_tokens` is cut there and marked,
        never refused."""
        import torch

        texts = [as_read(text, self.settings) for text in texts]
        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.settings.max_tokens,
            return_tensors="pt",
        )
        mask = tokens["attention_mask"]
        with torch.no_grad():  # not inference mode: a training saves what it computes of these for its backward pass
            hidden = self._model(tokens["input_ids"].to(self._device), mask.to(self._device)).float().cpu()
        cut = [self._is_cut(text, int(count)) for text, count in zip(texts, mask.sum(1), strict=True)]
        return [
            Encoded(embedding[: int(real.sum())].contiguous(), truncated, text)
            for embedding, real, truncated, text in zip(hidden, mask, cut, texts, strict=True)
        ]

    def _is_cut(self, text: str, tokens: int) -> bool:
        if tokens < self.settings.max_tokens:
            return False
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > self.settings.max_tokens


def as_read(text: str, settings: TextEncoder) -> str:
    """A text as the encoder is given it: cleaned, if the recipe asks for that."""
    return cleaned(text, keep_cjk=_knows_ideographs(settings)) if settings.clean_captions else text


def is_readable(text: str, settings: TextEncoder) -> bool:
    """Whether cleaning leaves the encoder enough of a caption, by `text_encoder.min_readable_share`; nothing is never
    enough."""
    if not settings.clean_captions:
        return True
    share = readable_share(text, keep_cjk=_knows_ideographs(settings))
    return share > 0 and share >= settings.min_readable_share


def _knows_ideographs(settings: TextEncoder) -> bool:
    """mT5 is the only one of the encoders in use that was trained on them."""
    return "mt5" in settings.weights.lower()


def folder(project: Project, settings: TextEncoder) -> Path:
    """Where the encoder's verified files lie.

    Raises:
        MissingWeights: with what to put where.
    """
    from ops.weights import ensure

    return Path(ensure(project, settings.weights))


def version(project: Project, settings: TextEncoder | None = None) -> str:
    """A hash of the encoder's files, as the registry verified them, and of the settings that shape its output."""
    from ops import weights

    settings = settings or project.settings.text_encoder
    root = folder(project, settings)
    files = {file.path: file.sha256 for file in weights.entry(settings.weights).files}
    if None in files.values():  # then the folder's own list pins the rest, and hashing 50 GB again is spared
        files[weights.SUMS] = sha256(root / weights.SUMS)
    shaping = settings.model_dump(mode="json", exclude={"min_readable_share"})  # decides about captions, shapes none
    if not settings.clean_captions:  # models that were made before there was a choice keep their encoder
        del shaping["clean_captions"]
    return digest({"files": files, "settings": shaping})


def parameter_count(project: Project) -> int | None:
    """Of the recipe's encoder, by its shape alone; None where its files are not here."""
    import torch

    from ops import weights

    root = weights.folder_of(project, project.settings.text_encoder.weights)
    if root is None:
        return None
    config, auto = _shape(root)
    with torch.device("meta"):
        return int(auto.from_config(config).num_parameters())


def _shape(root: Path) -> tuple[Any, Any]:
    """The configuration, and the class of the encoder that it is of: T5 and mT5 come without their decoder."""
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

    config = AutoConfig.from_pretrained(str(root), local_files_only=True)
    encoder_only = type(config) in AutoModelForTextEncoding._model_mapping
    return config, AutoModelForTextEncoding if encoder_only else AutoModel


def _encoder(root: Path, width: int, precision: Precision) -> Encoder:
    from transformers.utils.logging import disable_progress_bar

    from models.text import TextEncoder as Encoder

    disable_progress_bar()  # it would draw over ours
    config, auto = _shape(root)
    found = getattr(config, "hidden_size", None) or getattr(config, "d_model", None)
    if found != width:
        raise ConfigError(f"text_encoder.width is {width}, but the encoder in {root} gives {found} channels")
    # read as it computes: 5.7 billion weights in float32 would fill a node's memory once a rank
    model = auto.from_pretrained(str(root), local_files_only=True, dtype=precision)
    return Encoder(model).eval().requires_grad_(False)
