"""The structure controller: silent until trained, alone in being trained, causal, and refused where it does not fit."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from models.control import StructureConditionedDenoiser, StructureConfig, StructureController
from models.control.structure_encoder import StructureEncoder
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.dit.block import modulated

BASE = DenoiserConfig(layers=6, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=2)
GRID = (2, 4, 6)


def made(**choices: int) -> StructureConditionedDenoiser:
    config = StructureConfig.of(BASE, encoder_width=4, **({"blocks": 2} | choices))
    return StructureConditionedDenoiser(SkiparseDenoiser(BASE), StructureController(config))


def inputs() -> tuple[torch.Tensor, ...]:
    return torch.randn(2, 4, *GRID), torch.tensor([7, 900]), torch.randn(2, 3, 16)


def structures() -> torch.Tensor:
    return torch.rand(2, 3, 5, 32, 48) * 2 - 1


def trained(model: StructureConditionedDenoiser) -> StructureConditionedDenoiser:
    for projector in model.controller.projectors:
        torch.nn.init.normal_(projector.out.weight, std=0.2)
    return model


@pytest.mark.parametrize("choices", [{}, {"projector_layers": 2}, {"blocks": 6}, {"blocks": 5}])
@torch.no_grad()
def test_untrained_controller_changes_no_bit(choices):
    model, arguments = made(**choices), inputs()
    assert torch.equal(model(*arguments, structure=structures()), model.base(*arguments))


@torch.no_grad()
def test_trained_controller_follows_the_structure():
    model, arguments = trained(made()), inputs()
    first, second = (model(*arguments, structure=structures()) for _ in range(2))
    assert first.shape == arguments[0].shape
    assert not torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("chosen", range(BASE.layers))
@torch.no_grad()
def test_each_block_gets_its_own_addition(chosen):
    """What the next block, or the head, is given: X_j + P_j(R), where R comes out of the controller's last block."""
    model = made()
    torch.nn.init.normal_(model.controller.projectors[chosen].out.weight)
    features, before, after = [], [], []
    model.controller.blocks[-1].register_forward_hook(lambda *call: features.append(call[-1]))
    model.base.blocks[chosen].register_forward_hook(lambda *call: before.append(call[-1]))
    blocks = [*model.base.blocks, model.base.project_out]
    blocks[chosen + 1].register_forward_pre_hook(lambda _, x: after.append(x[0]))
    arguments = inputs()
    model(*arguments, structure=structures())
    expected = before[0] + model.controller.projectors[chosen](features[0])
    if chosen + 1 == BASE.layers:
        embedding, _ = model.base.timestep(arguments[1])
        shift, scale = (model.base.modulation_out + embedding.unsqueeze(1)).unsqueeze(2).unbind(1)
        expected = modulated(expected, shift, scale)
    torch.testing.assert_close(after[0], expected)


def test_only_the_controller_is_trained():
    model = made()
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {"controller"}
    before = {name: value.clone() for name, value in model.base.state_dict().items()}
    arguments, structure = inputs(), structures()
    target = torch.randn_like(arguments[0])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(30):
        loss = F.mse_loss(model(*arguments, structure=structure), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.grad is None for p in model.base.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.controller.parameters())
    assert losses[-1] < 0.9 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in model.base.state_dict().items())


def test_gradients_are_the_same_when_the_base_is_recomputed():
    arguments, structure, model = inputs(), structures(), trained(made()).train()
    gradients = []
    for recompute in (False, True):
        model.base.gradient_checkpointing = recompute
        model.zero_grad()
        model(*arguments, structure=structure).square().mean().backward()
        gradients.append([p.grad.clone() for p in model.controller.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(recomputed, plain)


@torch.no_grad()
def test_encoder_is_causal_and_takes_images():
    encoder = StructureEncoder(3, 4, 24)
    video = torch.randn(1, 3, 9, 32, 48)
    changed = video.clone()
    changed[:, :, 5:] += 1
    per_frame = (4 // 2) * (6 // 2)
    tokens, others = encoder(video), encoder(changed)
    assert tokens.shape == (1, 3 * per_frame, 24)
    torch.testing.assert_close(tokens[:, : 2 * per_frame], others[:, : 2 * per_frame])
    assert not torch.allclose(tokens[:, 2 * per_frame :], others[:, 2 * per_frame :], atol=1e-3)
    torch.testing.assert_close(encoder(video[:, :, :1]), tokens[:, :per_frame], rtol=0, atol=1e-5)


@torch.no_grad()
def test_weights_come_back(tmp_path):
    model, arguments, structure = trained(made(projector_layers=2)), inputs(), structures()
    expected = model(*arguments, structure=structure)
    model.controller.save(tmp_path / "controller.safetensors")
    back = StructureController.read(tmp_path / "controller.safetensors")
    assert back.config == model.controller.config
    assert torch.equal(StructureConditionedDenoiser(model.base, back)(*arguments, structure=structure), expected)


def test_only_a_controllers_file_is_read(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"path is .*other.safetensors.* must be a controller's file"):
        StructureController.read(tmp_path / "other.safetensors")


@torch.no_grad()
def test_compiled_without_graph_breaks():
    model, arguments, structure = trained(made()).eval(), inputs(), structures()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*arguments, structure=structure), model(*arguments, structure=structure))


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (torch.zeros(2, 3, 8, 32, 48), r"structure has shape .*, but must be \[2, 3, 5, 32, 48\], as latent is"),
        (torch.zeros(2, 1, 5, 32, 48), r"structure has shape \[2, 1, 5, 32, 48\], but must be \[2, 3, 5, 32, 48\]"),
        (torch.full((2, 3, 5, 32, 48), 255.0), r"structure holds 255 to 255, but must lie within -1 to 1"),
        (torch.full((2, 3, 5, 32, 48), torch.nan), r"structure holds nan"),
    ],
)
def test_structure_refused(structure, message):
    with pytest.raises(ValueError, match=message):
        made()(*inputs(), structure=structure)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks": 0}, "blocks is 0, but must be at least 1"),
        ({"blocks": 7}, "blocks is 7, but must be at most layers, 6"),
        ({"projector_layers": 3}, "projector_layers is 3, but must be 1 or 2"),
    ],
)
def test_configuration_refused(change, message):
    with pytest.raises(ValueError, match=message):
        StructureConfig.of(BASE, **change)


def test_only_a_base_of_the_same_shape():
    other = StructureController(StructureConfig(layers=6, heads=1, head_width=12, blocks=1, encoder_width=4))
    with pytest.raises(ValueError, match="the controller's heads is 1, but must be the base's, 2"):
        StructureConditionedDenoiser(SkiparseDenoiser(BASE), other)
