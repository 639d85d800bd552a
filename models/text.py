"""The text encoder as the denoiser sees it."""

from __future__ import annotations

from torch import Tensor, nn


class TextEncoder(nn.Module):
    """A transformers encoder (T5, mT5, BERT, …) reduced to its last hidden state."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids [B, L] and their mask [B, L] (1 = token, 0 = padding) → embeddings [B, L, D].

        Positions of padding hold numbers without meaning; pass the mask on to the denoiser. Raises ValueError when
        the two shapes differ.
        """
        if input_ids.ndim != 2 or attention_mask.shape != input_ids.shape:
            raise ValueError(
                f"attention_mask has shape {list(attention_mask.shape)}, but must be that of input_ids, "
                f"{list(input_ids.shape)}, with two axes"
            )
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
