"""The Latte denoiser: its layers by the sheet, who sees whom, images beside videos, masks."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.latte import LatteConfig, LatteDenoiser
from models.latte.positions import spatial_positions, temporal_positions


def inputs(frames: int = 3, images: int = 0, batch: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    latent = torch.randn(batch, 4, frames + images, 6, 10, generator=generator)
    captions = (batch, 1 + images) if images else (batch,)
    text = torch.randn(*captions, 5, 16, generator=generator)
    return [latent, torch.tensor([999, 3][:batch]), text]


def attended(layer: nn.Module, x: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Softmax attention of two heads, without any of the fast paths."""
    q, k, v = (
        part(y).unflatten(-1, (2, 12)).movedim(-2, -3)
        for part, y in ((layer.query, x), (layer.key, source), (layer.value, source))
    )
    weights = (q @ k.transpose(-1, -2) * 12**-0.5).softmax(dim=-1)
    return layer.out((weights @ v).movedim(-3, -2).flatten(-2))


def norm(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-6).sqrt()


def by_the_sheet(model: LatteDenoiser, latent, timestep, text, images: int = 0) -> torch.Tensor:
    """The forward pass of one sample, [C, F, H, W], frame by frame and place by place."""
    frames, height, width = latent.shape[1], latent.shape[2] // 2, latent.shape[3] // 2
    moving = frames - images
    config = model.config
    x = F.conv2d(latent.transpose(0, 1), model.patch_embed.weight, model.patch_embed.bias, 2).flatten(2).transpose(1, 2)
    x = x + spatial_positions((height, width), config.width, config.latent_side, x.device)
    embedding, modulation = model.timestep(timestep[None])
    captions = model.text_projection(text if images else text[None])
    for layer, (spatial, temporal) in enumerate(zip(model.spatial_blocks, model.temporal_blocks, strict=True)):
        b1, s1, g1, b2, s2, g2 = spatial.modulation + modulation[0]
        out = []
        for f in range(frames):
            y, caption = x[f], captions[max(f - moving + 1, 0)]
            h = norm(y) * (1 + s1) + b1
            y = y + g1 * attended(spatial.self_attention, h, h)
            y = y + attended(spatial.cross_attention, y, caption)
            out.append(y + g2 * spatial.feed_forward(norm(y) * (1 + s2) + b2))
        x = torch.stack(out)
        if layer == 0:
            x[:moving] += temporal_positions(moving, config.width, config.latent_frames, x.device)[:, None]
        b1, s1, g1, b2, s2, g2 = temporal.modulation + modulation[0]
        for n in range(height * width):
            y = x[:moving, n]
            h = norm(y) * (1 + s1) + b1
            y = y + g1 * attended(temporal.self_attention, h, h)
            x[:moving, n] = y + g2 * temporal.feed_forward(norm(y) * (1 + s2) + b2)
    shift, scale = model.modulation_out + embedding
    y = model.project_out(norm(x) * (1 + scale) + shift)
    return y.view(frames, height, width, 2, 2, 8).permute(5, 0, 1, 3, 2, 4).reshape(8, frames, 2 * height, 2 * width)


@pytest.mark.parametrize("images", [0, 2])
@pytest.mark.parametrize("frames", [1, 3])
@torch.no_grad()
def test_forward_by_the_sheet(tiny, frames, images):
    model = tiny()
    latent, timestep, text = inputs(frames, images)
    output = model(latent, timestep, text, images=images)
    assert output.shape == (2, 8, frames + images, 6, 10)
    for i in range(2):
        expected = by_the_sheet(model, latent[i], timestep[i], text[i], images)
        torch.testing.assert_close(output[i], expected, rtol=0, atol=2e-5)


def test_published_shape():
    with torch.device("meta"):
        model = LatteDenoiser(LatteConfig())
    d = 1152
    attention, forward = 4 * (d * d + d), 8 * d * d + 5 * d
    spatial, temporal = 2 * attention + forward + 6 * d, attention + forward + 6 * d
    timestep = (256 * d + d) + (d * d + d) + (6 * d * d + 6 * d)
    text = (4096 * d + d) + (d * d + d)
    ends = (4 * 4 * d + d) + 2 * d + (32 * d + 32)
    size = sum(parameter.numel() for parameter in model.parameters())
    assert size == 28 * (spatial + temporal) + timestep + text + ends
    assert (len(model.spatial_blocks), len(model.temporal_blocks)) == (28, 28)
    assert list(model.buffers()) == []


@torch.no_grad()
def test_images_and_video_do_not_see_each_other(tiny):
    model = tiny()
    latent, timestep, text = inputs(3, 2)
    before = model(latent, timestep, text, images=2)
    other = latent.clone()
    other[:, :, :3] += 1
    torch.testing.assert_close(model(other, timestep, text, images=2)[:, :, 3:], before[:, :, 3:], rtol=0, atol=1e-5)
    other = latent.clone()
    other[:, :, 3] += 1
    after = model(other, timestep, text, images=2)
    torch.testing.assert_close(after[:, :, [0, 1, 2, 4]], before[:, :, [0, 1, 2, 4]], rtol=0, atol=1e-5)
    assert not torch.allclose(after[:, :, 3], before[:, :, 3], atol=1e-2)


@torch.no_grad()
def test_video_beside_images_is_the_video_alone(tiny):
    model = tiny()
    latent, timestep, text = inputs(3, 4)
    joint = model(latent, timestep, text, images=4)
    alone = model(latent[:, :, :3], timestep, text[:, 0])
    torch.testing.assert_close(joint[:, :, :3], alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_each_image_has_its_own_caption(tiny):
    model = tiny()
    latent, timestep, text = inputs(3, 2)
    before = model(latent, timestep, text, images=2)
    for caption, frames in enumerate(([0, 1, 2], [3], [4])):
        other = text.clone()
        other[:, caption] += 1
        differs = (model(latent, timestep, other, images=2) - before).abs().amax(dim=(0, 1, 3, 4)) > 1e-3
        assert differs.nonzero().flatten().tolist() == frames


@pytest.mark.parametrize("recompute", [False, True])
def test_moments_are_added_beside_images_too(tiny, recompute):
    """The reference leaves them out in joint training without recomputation."""
    model = tiny().train()
    model.gradient_checkpointing = recompute
    latent, timestep, text = inputs(3, 2)
    latent[:, :, 1] = latent[:, :, 0]
    output = model(latent, timestep, text, images=2)
    assert (output[:, :, 1] - output[:, :, 0]).abs().max() > 1e-3


@torch.no_grad()
def test_only_temporal_blocks_connect_frames(tiny):
    model = tiny()
    latent, timestep, text = inputs()
    other = latent.clone()
    other[:, :, 2] += 1
    connected = model(other, timestep, text) - model(latent, timestep, text)
    assert connected[:, :, :2].abs().max() > 1e-4
    for block in model.temporal_blocks:
        block.self_attention.out.weight.zero_()
    apart = model(other, timestep, text) - model(latent, timestep, text)
    assert apart[:, :, :2].abs().max() < 1e-5
    assert apart[:, :, 2].abs().max() > 1e-2


@pytest.mark.parametrize("images", [0, 2])
@torch.no_grad()
def test_hidden_text_does_not_matter_and_shown_text_does(tiny, images):
    model = tiny()
    latent, timestep, text = inputs(3, images)
    mask = torch.ones(text.shape[:-1])
    mask[..., 3:] = 0
    changed = text.clone()
    changed[..., 3:, :] += 10
    hidden = [model(latent, timestep, each, mask, images=images) for each in (text, changed)]
    torch.testing.assert_close(*hidden)
    shown = [model(latent, timestep, each, images=images) for each in (text, changed)]
    assert not torch.allclose(*shown, atol=1e-3)


@torch.no_grad()
def test_hidden_latents_do_not_reach_the_others(tiny):
    model = tiny()
    latent, timestep, text = inputs()
    mask = torch.ones(2, 3, 6, 10)
    mask[0, 2] = 0
    mask[0, :, :, 8:] = 0
    changed = latent + 10 * (1 - mask[:, None])
    before = model(latent, timestep, text, latent_mask=mask)
    after = model(changed, timestep, text, latent_mask=mask)
    visible = mask[:, None].expand_as(before).bool()
    torch.testing.assert_close(after[visible], before[visible], rtol=0, atol=1e-4)
    with_ones = model(latent, timestep, text, torch.ones(2, 5), torch.ones(2, 3, 6, 10))
    torch.testing.assert_close(with_ones, model(latent, timestep, text))


@pytest.mark.parametrize("images", [0, 2])
def test_gradient_checkpointing_changes_no_gradient(tiny, images):
    gradients = []
    for recompute in (False, True):
        model = tiny().train()
        model.gradient_checkpointing = recompute
        model(*inputs(3, images), images=images).square().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, plain in gradients[0].items():
        assert plain.abs().sum() > 0, name
        torch.testing.assert_close(gradients[1][name], plain)


@torch.no_grad()
def test_compiled_without_graph_breaks(tiny):
    model = tiny().eval()
    latent, timestep, text = inputs(3, 2)
    arguments = (latent, timestep, text, torch.ones(2, 3, 5), torch.ones(2, 5, 6, 10), 2)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*arguments), model(*arguments))


@torch.no_grad()
def test_bfloat16_stays_near(tiny):
    model = tiny()
    exact = model(*inputs())
    latent, timestep, text = inputs()
    rounded = model.bfloat16()(latent.bfloat16(), timestep, text.bfloat16())
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_initialisation(tiny):
    model = tiny(heads=8, head_width=48, layers=1)
    blocks = [*model.spatial_blocks, *model.temporal_blocks]
    for table in [model.modulation_out, *(block.modulation for block in blocks)]:
        assert 0.8 / 384**0.5 < table.std() < 1.2 / 384**0.5
