import torch

from ops.sampling.guidance import batched, guided

NEGATIVE = torch.randn(2, 4, 2, 4, 6, generator=torch.Generator().manual_seed(0))
PROMPT = NEGATIVE + 0.3 * torch.randn(2, 4, 2, 4, 6, generator=torch.Generator().manual_seed(1))


def test_guidance_goes_on_from_the_negative_over_the_prompt() -> None:
    torch.testing.assert_close(guided(NEGATIVE, PROMPT, 3.0), NEGATIVE + 3 * (PROMPT - NEGATIVE))
    assert torch.equal(guided(NEGATIVE, PROMPT, 1.0, 0.0), NEGATIVE + (PROMPT - NEGATIVE))


def test_rescaled_each_sample_has_the_spread_of_the_prompt() -> None:
    """By the definition: with φ = 1 the standard deviation is that of the prompt's prediction, with 0.7 it lies 0.7 of
    the way to it."""
    plain, whole, part = (guided(NEGATIVE, PROMPT, 7.5, rescale) for rescale in (0.0, 1.0, 0.7))
    for sample in range(2):
        wanted, found = PROMPT[sample].std(), plain[sample].std()
        assert found > 1.5 * wanted
        torch.testing.assert_close(whole[sample].std(), wanted)
        torch.testing.assert_close(part[sample].std(), 0.7 * wanted + 0.3 * found)
        torch.testing.assert_close(whole[sample], plain[sample] * (wanted / found))


def test_texts_of_several_lengths_are_padded_on_the_right() -> None:
    long, short = torch.ones(3, 2), torch.ones(1, 2)
    text, mask = batched([long, short])
    assert text.shape == (2, 3, 2)
    assert mask.tolist() == [[True] * 3, [True, False, False]]
    text, mask = batched([long, short], tokens=5)
    assert text.shape == (2, 5, 2)
    assert mask.sum(1).tolist() == [3, 1]
    assert text[1, 1:].abs().sum() == 0
