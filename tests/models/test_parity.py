"""The released models' numbers, in float32 on the CPU, at the tolerances of the cases."""

import pytest
import torch
from torch import Tensor

from models import released
from models.wfvae.wavelets import filters

WFVAE_TOLERANCE = 2e-5
DENOISER_TOLERANCE = 5e-5


def close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "name",
    ["wfvae_layernorm_video", "wfvae_layernorm_image", "wfvae_groupnorm_nearest", "wfvae_16ch"],
)
@torch.no_grad()
def test_wfvae(parity_case, name):
    case = parity_case(name)
    vae, expected = case.model(), case.expected
    posterior, encoded = vae.encode(case.drawn("input"), return_coefficients=True)
    video, decoded = vae.decode(posterior.mode(), return_coefficients=True)
    parameters = torch.cat([posterior.mean, posterior.log_variance], dim=1)
    close(parameters, expected["posterior_parameters"], WFVAE_TOLERANCE)
    close(video, expected["reconstruction"], WFVAE_TOLERANCE)
    for coefficients, side in ((encoded, "encoder"), (decoded, "decoder")):
        close(coefficients.level2, expected[f"{side}_l1"], WFVAE_TOLERANCE)
        close(coefficients.level3, expected[f"{side}_l2"], WFVAE_TOLERANCE)


@torch.no_grad()
def test_discriminator(parity_case):
    case = parity_case("discriminator3d")
    close(case.model()(case.drawn("input")), case.expected["logits"], WFVAE_TOLERANCE)


@pytest.mark.parametrize("name", ["dit_t2v_sparse", "dit_t2v_padded_latents", "dit_t2v_dense", "dit_inpaint"])
@torch.no_grad()
def test_denoiser(parity_case, name):
    case = parity_case(name)
    facts, latent, text = case.facts, case.drawn("input"), case.drawn("caption").squeeze(1)
    text_mask = torch.zeros(text.shape[:2])
    for row, length in zip(text_mask, facts["caption_lengths"], strict=True):
        row[:length] = 1
    latent_mask = None
    if facts["valid_latent_extent_thw"] is not None:
        latent_mask = torch.zeros(len(latent), *latent.shape[2:])
        for row, (t, h, w) in zip(latent_mask, facts["valid_latent_extent_thw"], strict=True):
            row[:t, :h, :w] = 1
    conditions = {}
    if facts["model"] == "OpenSoraInpaint_v1_3":
        latent, condition_latent, condition_mask = latent.split([8, 8, 4], dim=1)
        conditions = {"condition_latent": condition_latent, "condition_mask": condition_mask}
    output = case.model()(latent, torch.tensor(facts["timestep"]), text, text_mask, latent_mask, **conditions)
    close(output, case.expected["output"], DENOISER_TOLERANCE)


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("OpenSoraT2V_v1_3-2B/122", "OpenSoraT2V_v1_3"),
        ("OpenSoraInpaint_v1_3-2B/122", "OpenSoraInpaint_v1_3"),
        ("WFVAE-S-8", "WFVAEModel"),
        ("WFVAE-L-16", "WFVAEModel"),
    ],
)
def test_full_size_state_dicts(full_size, name, class_name):
    expected = full_size[name]
    with torch.device("meta"):
        module = released.build(class_name, expected["config"])
    entries = released.dump(module)
    assert {key: list(value.shape) for key, value in entries.items()} == expected["state_dict_shapes"]
    parameters = sum(value.numel() for value in module.parameters())
    if class_name == "WFVAEModel":  # the reference counts the filters of its encoder's two 3D transforms as parameters
        parameters += 2 * filters("thw").numel()
    assert parameters == expected["parameters"]
