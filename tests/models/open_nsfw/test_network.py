from __future__ import annotations

import pytest
import torch

from models.open_nsfw import OpenNsfw


def test_it_has_the_published_size() -> None:
    values = OpenNsfw().state_dict().values()
    assert (len(values), sum(value.numel() for value in values)) == (108, 5_891_266)


def test_two_probabilities_of_each_picture() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        found = OpenNsfw().eval()(torch.randn(2, 3, 224, 224))
    assert found.shape == (2, 2)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2))


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 256, 256\), expected \[N, 3, 224, 224\]"):
        OpenNsfw()(torch.zeros(1, 3, 256, 256))
