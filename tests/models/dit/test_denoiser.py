"""The denoiser against plain attention with masks, its masks, its switches and its refusals."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.dit import DenoiserConfig, SkiparseDenoiser
from models.dit.absolute import LOUDNESS, absolute_table
from models.dit.attention import SelfAttention, SelfContext
from models.dit.masks import pattern_bias, text_bias, token_bias
from models.dit.rope import rotary_table, rotate
from models.dit.skiparse import Pattern


def tiny(**changes) -> SkiparseDenoiser:
    torch.manual_seed(0)
    small = {"layers": 6, "heads": 2, "head_width": 12, "in_channels": 4, "text_width": 16, "sparse_ratio": 2}
    return SkiparseDenoiser(DenoiserConfig(**(small | changes)))


def inputs(batch: int = 2, grid: tuple[int, int, int] = (3, 6, 10), tokens: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(batch, 4, *grid, generator=generator)
    text = torch.randn(batch, tokens, 16, generator=generator)
    return [latent, torch.tensor([999, 3, 500][:batch]), text]


def may_attend(tokens: int, pattern: Pattern, k: int) -> torch.Tensor:
    """[S, S] by the sheet: same remainder of k, or same group of k among k² tokens."""
    p = torch.arange(tokens)
    part = {Pattern.DENSE: p * 0, Pattern.SINGLE_SKIP: p % k, Pattern.GROUP_SKIP: p // k % k}[pattern]
    return part[:, None] == part[None, :]


@pytest.mark.parametrize("pattern", list(Pattern))
@pytest.mark.parametrize(("grid", "k"), [((2, 4, 4), 2), ((2, 3, 5), 2), ((1, 3, 5), 3), ((3, 2, 3), 4)])
@torch.no_grad()
def test_sparse_attention_is_dense_attention_with_a_mask(pattern, grid, k):
    attention = SelfAttention(heads=2, head_width=12)
    tokens = grid[0] * grid[1] * grid[2]
    x = torch.randn(2, tokens, 24)
    table = rotary_table(grid, (1.0, 1.0, 1.0), 12, x.device)
    bias = pattern_bias(None, tokens, pattern, k, 2, x)
    actual = attention(x, pattern, SelfContext(table, k, {pattern: bias}))

    q, key, v = attention.project(x, x)
    q, key, v = (y.transpose(1, 2) for y in (rotate(q, table), rotate(key, table), v))
    expected = F.scaled_dot_product_attention(q, key, v, may_attend(tokens, pattern, k))
    torch.testing.assert_close(actual, attention.out(expected.transpose(1, 2).flatten(2)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@torch.no_grad()
def test_any_ratio_with_the_same_weights(k):
    model = tiny(sparse_ratio=1)
    dense = model(*inputs())
    model.sparse_ratio = k
    sparse = model(*inputs())
    assert sparse.shape == inputs()[0].shape
    assert torch.equal(dense, sparse) == (k == 1)


@torch.no_grad()
def test_samples_of_a_batch_are_independent():
    model = tiny()
    latent, timestep, text = inputs()
    both = model(latent, timestep, text)
    for i in range(2):
        alone = model(latent[i : i + 1], timestep[i : i + 1], text[i : i + 1])
        torch.testing.assert_close(both[i : i + 1], alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_hidden_text_does_not_matter_and_shown_text_does():
    model = tiny()
    latent, timestep, text = inputs()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    changed = text.clone()
    changed[0, 3:] += 10
    torch.testing.assert_close(model(latent, timestep, text, mask), model(latent, timestep, changed, mask))
    assert not torch.allclose(model(latent, timestep, text), model(latent, timestep, changed), atol=1e-3)


@torch.no_grad()
def test_hidden_latents_do_not_reach_the_others():
    model = tiny()
    latent, timestep, text = inputs(grid=(3, 8, 8))
    mask = torch.ones(2, 3, 8, 8)
    mask[0, 2] = 0
    changed = latent.clone()
    changed[0, :, 2] += 10
    before = model(latent, timestep, text, latent_mask=mask)
    after = model(changed, timestep, text, latent_mask=mask)
    torch.testing.assert_close(after[0, :, :2], before[0, :, :2], rtol=0, atol=1e-5)
    torch.testing.assert_close(after[1], before[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("grid", "biased"), [((2, 4, 8), 0), ((1, 6, 6), 2)])
@torch.no_grad()
def test_attention_gets_a_mask_only_where_something_is_masked(monkeypatch, grid, biased):
    """Masks of ones leave all calls to the fast kernels; padding a sparse pattern takes a mask in its layers alone."""
    seen = []
    real = F.scaled_dot_product_attention

    def spy(q, k, v, mask):
        seen.append(mask)
        return real(q, k, v, mask)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    latent, timestep, text = inputs(grid=grid)
    tiny()(latent, timestep, text, torch.ones(2, 5), torch.ones(2, *grid))
    assert len(seen) == 12
    assert sum(mask is not None for mask in seen) == biased


def test_biases():
    text = text_bias(torch.tensor([[1, 0]]), torch.float32)
    assert text.tolist() == [[[[0.0, -10000.0]]]]
    assert text_bias(torch.ones(1, 2), torch.float32) is None
    mask = torch.zeros(1, 1, 4, 4)
    mask[0, 0, 1, 1] = 1
    assert token_bias(mask, 2, torch.float32).tolist() == [[0.0, -10000.0, -10000.0, -10000.0]]
    padded = pattern_bias(torch.zeros(1, 3), 3, Pattern.SINGLE_SKIP, 2, 1, mask)
    assert padded.tolist() == [[[[0.0, 0.0]], [[0.0, -9980.0]]]]


def test_gradient_checkpointing_changes_no_gradient():
    gradients = []
    for recompute in (False, True):
        model = tiny().train()
        model.gradient_checkpointing = recompute
        model(*inputs()).square().mean().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


@torch.no_grad()
def test_compiled_without_graph_breaks():
    model = tiny().eval()
    latent, timestep, text = inputs()
    mask = torch.ones(2, 5)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(latent, timestep, text, mask), model(latent, timestep, text, mask))


@torch.no_grad()
def test_bfloat16_stays_near():
    model = tiny()
    exact = model(*inputs())
    latent, timestep, text = inputs()
    rounded = model.bfloat16()(latent.bfloat16(), timestep, text.bfloat16())
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_initialisation():
    model = tiny(heads=8, head_width=48)
    tables = [model.modulation_out, *(block.modulation for block in model.blocks)]
    for table in tables:
        assert 0.8 / 384**0.5 < table.std() < 1.2 / 384**0.5
    linear = nn.Linear(384, 384)
    assert abs(model.blocks[0].self_attention.query.weight.std() - linear.weight.std()) < 0.002


def test_it_learns():
    """60 steps towards a fixed velocity: a block order, sign or gate gone wrong stops this."""
    model = tiny(heads=4, head_width=24)
    latent, timestep, text = inputs()
    target = torch.randn(latent.shape, generator=torch.Generator().manual_seed(4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(60):
        loss = F.mse_loss(model(latent, timestep, text), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent": torch.zeros(2, 3, 3, 6, 10)}, r"latent has shape .* must be \[B, 4, T, H, W\]"),
        ({"latent": torch.zeros(2, 4, 3, 5, 10)}, r"latent is 5x10, but both sides must be even.*multiples of 16"),
        ({"timestep": torch.tensor([1000, 0])}, r"timestep holds 0 to 1000, but must lie within 0 to 999"),
        ({"timestep": torch.tensor([-1.0, 0.0])}, r"timestep holds -1 to 0"),
        ({"timestep": torch.tensor([float("nan"), 0.0])}, r"timestep holds nan"),
        ({"timestep": torch.tensor(5)}, r"timestep has shape \[\], but must be \[2\]"),
        ({"text": torch.zeros(2, 5, 8)}, r"text has shape .* must be \[2, L, 16\]"),
        ({"text": torch.zeros(1, 5, 16)}, r"text has shape"),
        ({"text_mask": torch.ones(2, 4)}, r"text_mask has shape \[2, 4\], but must be \[2, 5\]"),
        ({"latent_mask": torch.ones(2, 3, 3, 5)}, r"latent_mask has shape .* must be \[2, 3, 6, 10\]"),
    ],
)
def test_input_refused(change, message):
    latent, timestep, text = inputs()
    arguments = {"latent": latent, "timestep": timestep, "text": text} | change
    with pytest.raises(ValueError, match=message):
        tiny()(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_width": 32}, "head_width is 32, but must be a multiple of 6"),
        ({"layers": 0}, "layers is 0, but must be at least 1"),
        ({"position_scale_t": 0.0}, "position_scale_t is 0.0, but must be positive"),
    ],
)
def test_configuration_refused(change, message):
    with pytest.raises(ValueError, match=message):
        DenoiserConfig(**change)


@torch.no_grad()
def test_only_absolute_positions_tell_equal_tokens_apart():
    """Of a latent that is the same everywhere, relative positions alone give the same everywhere."""
    _, timestep, text = inputs(batch=1)
    same = torch.ones(1, 4, 3, 6, 10)
    relative, absolute = tiny().eval(), tiny(absolute_positions=True).eval()
    assert relative.state_dict().keys() == absolute.state_dict().keys()
    places = relative(same, timestep[:1], text).unflatten(3, (3, 2)).unflatten(5, (5, 2))
    assert torch.allclose(places, places[:, :, :1, :1, :, :1].expand_as(places), atol=1e-5)
    patches = absolute(same, timestep[:1], text)[:, :, :, ::2, ::2].flatten(2)
    assert torch.cdist(patches[0].T, patches[0].T).add(torch.eye(45)).min() > 1e-4


def test_every_place_has_a_code_of_its_own_far_from_all_others():
    table = absolute_table((3, 4, 5), 96, torch.device("cpu"))
    assert torch.allclose(table.norm(dim=1), torch.full((60,), LOUDNESS * 48**0.5))
    likeness = table @ table.T / table.norm(dim=1)[0] ** 2
    assert likeness.fill_diagonal_(0).abs().max() < 0.5
    part = absolute_table((2, 4, 5), 96, torch.device("cpu"))
    assert torch.equal(table[:40], part)  # a longer video begins like a shorter one
