"""The text encoder's wrapper, around a real encoder of random weights."""

import pytest
import torch

from models.text import TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(0)
    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return TextEncoder(T5EncoderModel(config)).eval()


@torch.no_grad()
def test_last_hidden_state(encoder):
    ids, mask = torch.randint(1, 50, (2, 6)), torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    embeddings = encoder(ids, mask)
    assert embeddings.shape == (2, 6, 16)
    ids[1, 3:] = 7
    torch.testing.assert_close(encoder(ids, mask)[1, :3], embeddings[1, :3])


def test_mask_of_another_length(encoder):
    with pytest.raises(ValueError, match=r"attention_mask has shape \[1, 4\], but must be that of input_ids, \[1, 5\]"):
        encoder(torch.ones(1, 5, dtype=torch.long), torch.ones(1, 4, dtype=torch.long))
