"""WordPiece ids and texts, by the vocabulary of `bert-base-uncased`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.weights.surroundings import Surroundings

ENTRY = "minilm-l6"
"""The sentence embedder's vocabulary is this very one."""


class WordPieces:
    """Raises MissingWeights where the vocabulary is not."""

    def __init__(self, project: Surroundings) -> None:
        from transformers import BertTokenizer

        self._tokenizer = BertTokenizer.from_pretrained(weights.ensure(project, ENTRY))

    def ids(self, text: str, length: int) -> list[int]:
        """With those of beginning and end; cut and filled by zeros to `length`."""
        found: list[int] = self._tokenizer(text, padding="max_length", truncation=True, max_length=length)["input_ids"]
        return found

    def text(self, ids: Sequence[int]) -> str:
        """Without what is no word; ids that the vocabulary does not hold are none. Spaces before marks are left out."""
        words = [number for number in ids if number < len(self._tokenizer)]
        found: str = self._tokenizer.decode(words, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        return found
