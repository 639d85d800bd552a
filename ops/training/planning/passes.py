"""What the forward and backward passes of a rank hold and compute, measured on the real model without content.

The model is built at full size of tensors that have a shape and a type and no memory, and the real objective is run on
it: what it keeps for the backward pass, and for how long, is counted and not reckoned. A model of three billion
parameters takes some seconds; what was measured is kept in the project's `var/plans/`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from models.adapters import LowRank, add_adapters
from models.control.image_condition import MASK_CHANNELS, ImageConditionedDenoiser
from models.dit.denoiser import SkiparseDenoiser
from models.dit.sequence import SequenceGroup
from models.pixels import to_video
from models.video_denoiser import VideoDenoiser
from ops.config import Denoiser, Diffusion, Lora, Optimizer
from ops.data.buckets import Bucket
from ops.runtime.files import digest, replacing, sha256
from ops.training import networks
from ops.training.data.clips import Clips
from ops.training.methods.method import Draw
from ops.training.objectives import diffusion
from ops.training.objectives.critic import Critic
from ops.training.objectives.reconstruction import Reconstruction
from ops.training.planning.cases import AnyCase, Case, DenoiserCase, EncodingCase, Moment, Passes, VaeCase
from ops.training.planning.flops import counter, denoiser_flops
from ops.training.planning.live_bytes import LiveBytes

CPU = torch.device("cpu")
MEASURED_BY = ("models", "ops/training/networks.py", "ops/training/planning", "ops/training/objectives")
"""The code that decides what is measured."""


def measured(case: AnyCase, kept: Path | None = None) -> Passes:
    """The passes of a case. `kept` is a folder in which measurements lie, for the next process that asks."""
    path = kept / f"{digest({**case.model_dump(mode='json'), 'by': _measured_by()})}.json" if kept else None
    if path and path.is_file():
        return Passes.model_validate_json(path.read_text(encoding="utf-8"))
    found = _measured(case)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(found.model_dump_json(), encoding="utf-8")
    return found


@cache
def _measured_by() -> str:
    root = Path(__file__).resolve().parents[3]
    places = [root / place for place in MEASURED_BY]
    files = sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*.py")))
    return digest({"torch": torch.__version__, **{str(file.relative_to(root)): sha256(file) for file in files}})


@cache
def _measured(case: AnyCase) -> Passes:
    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        if isinstance(case, EncodingCase):
            return _of_encoding(case)
        return _of_denoiser(case) if isinstance(case, DenoiserCase) else _of_vae(case)


def trained_numbers(case: DenoiserCase | VaeCase) -> tuple[int, int]:
    """How many numbers are trained, of the model and beside it; nothing is run for that."""
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        model = _denoiser(case) if isinstance(case, DenoiserCase) else networks.vae(case.model)
        critic = networks.discriminator(case.losses) if isinstance(case, VaeCase) and case.adversarial else nn.Module()
    one, other = (sum(each.numel() for each in _trained(module)) for module in (model, critic))
    return one, other


def _denoiser(case: DenoiserCase) -> VideoDenoiser:
    settings = Denoiser(architecture=case.architecture, model=case.model, diffusion=_diffusion(case))
    largest = Bucket(case.frames, case.height, case.width)
    if case.lora:
        return _adapted(case.lora, lambda: networks.denoiser(settings, case.channels, case.text_width, largest))
    model = networks.denoiser(settings, case.channels, case.text_width, largest)
    if case.conditioned and isinstance(model, SkiparseDenoiser):
        return ImageConditionedDenoiser(model.config)
    return model


def _adapted(lora: Lora, make: Callable[[], VideoDenoiser]) -> VideoDenoiser:
    """With adapters. peft moves what it makes to where the weights lie, which tensors without memory do not bear: so
    they are laid in by their shapes alone, and then all parameters are made anew where this is called."""
    with unset_fake_temporarily(), torch.device("meta"):
        model = make()
        add_adapters(model, LowRank(lora.rank, lora.alpha, lora.targets, base=""))
    for module in model.modules():
        for name, each in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(each.shape), each.requires_grad))
    return model


def _diffusion(case: DenoiserCase) -> Diffusion:
    if case.architecture == "skiparse":
        return Diffusion()
    return Diffusion(prediction="epsilon", zero_terminal_snr=False, min_snr_gamma=None)


def _of_denoiser(case: DenoiserCase) -> Passes:
    with _made_in(_dtype(case)):
        model = _denoiser(case)
    model.gradient_checkpointing = case.recomputed
    group = SequenceGroup(case.ranks_of_a_video, 0, torch.empty_like)
    noise = diffusion.scheduler(_diffusion(case))
    called = group.calling(model)
    if case.images:
        called = partial(called, images=case.images)
    if case.conditioned:
        sizes = {"condition_latent": case.channels, "condition_mask": MASK_CHANNELS}
        with _made_in(_dtype(case)):
            given = {name: torch.zeros(case.samples, channels, *case.latent) for name, channels in sizes.items()}
        called = partial(called, **given)

    def loss() -> Tensor:
        latent = torch.zeros(case.samples, case.channels, *case.latent)
        captions = (case.samples, 1 + case.images) if case.images else (case.samples,)
        text = torch.zeros(*captions, case.text_tokens, case.text_width)
        timesteps = torch.zeros(case.samples, dtype=torch.long)
        return diffusion.element_losses(
            called, noise, latent, torch.zeros_like(latent), timesteps, text, None, _dtype(case)
        ).sum.mean()

    with LiveBytes() as live:
        moments = _moments(model, loss, live)
    return Passes(**_size(model), moments=tuple(moments), flops=denoiser_flops(case), frozen=_frozen_bytes(model))


def _of_vae(case: VaeCase) -> Passes:
    with _made_in(_dtype(case)):
        model = networks.vae(case.model)
    lpips = _lpips(case.losses.lpips_net) if case.losses.lpips_weight else None
    critic = (
        Critic(case.losses, Optimizer(learning_rate=1.0), networks.discriminator(case.losses))
        if case.adversarial
        else None
    )
    objective = Reconstruction(case.losses, case.views, lpips, critic, CPU, _dtype(case))
    draw = Draw(seed=0, step=case.losses.discriminator_start, first_position=0, batch_size=case.samples)
    zoom = case.views.zoom
    shape = (case.samples, case.frames, zoom * case.height, zoom * case.width, 3)

    def loss() -> Tensor:
        names = ("",) * case.samples
        return objective.loss(model, Clips(names, torch.zeros(shape, dtype=torch.uint8)), draw)[0]

    learned = 0
    with LiveBytes() as live, counter() as flops:
        moments = _moments(model, loss, live)
        if critic:
            live.take_peak()
            critic.after_step()
            learned = live.take_peak()
    weights = _bytes(critic.network) if critic else 0
    return Passes(
        **_size(model),
        moments=tuple(moments),
        flops=flops.get_total_flops(),
        frozen=_bytes(lpips) if lpips else 0,
        companions=4 * weights,
        companions_live=max(0, learned - 3 * weights),
    )


def _of_encoding(case: EncodingCase) -> Passes:
    with _made_in(_dtype(case)):
        model = networks.vae(case.model).eval().requires_grad_(False)
    pixels = torch.zeros(case.frames, case.height, case.width, 3, dtype=torch.uint8)
    with torch.no_grad(), LiveBytes() as live, counter() as flops:
        model.encode(to_video(pixels)[None].to(_dtype(case)))
    return Passes(
        parameters=0,
        largest=0,
        moments=(Moment(gradients=0, live=live.take_peak()),),
        flops=flops.get_total_flops(),
        frozen=_bytes(model),
    )


def _moments(model: nn.Module, loss: Callable[[], Tensor], live: LiveBytes) -> list[Moment]:
    """Of the passes, as they are where each gradient is taken away as soon as it is whole."""
    moments: list[Moment] = []
    made = 0

    def taken(parameter: Tensor) -> None:
        nonlocal made
        moments.append(Moment(gradients=made, live=live.take_peak()))
        made += parameter.numel() * parameter.element_size()
        parameter.grad = None

    hooks = [each.register_post_accumulate_grad_hook(taken) for each in _trained(model)]
    torch.autograd.backward(loss())
    moments.append(Moment(gradients=made, live=live.take_peak()))
    for hook in hooks:
        hook.remove()
    return moments


@contextmanager
def _made_in(dtype: torch.dtype) -> Iterator[None]:
    """Weights that are made meanwhile are of this type: they cannot be converted, having no content."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _lpips(net: str) -> nn.Module:
    """The network of the loss, without its weights."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision deprecated the argument with which lpips asks for no weights
        model: nn.Module = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    return model.eval().requires_grad_(False)


def _dtype(case: Case) -> torch.dtype:
    found: torch.dtype = getattr(torch, case.precision)
    return found


def _size(model: nn.Module) -> dict[str, int]:
    sizes = [parameter.numel() for parameter in _trained(model)]
    return {"parameters": sum(sizes), "largest": max(sizes)}


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _frozen_bytes(model: nn.Module) -> int:
    """Of the model's weights that are not trained. In half precision the average keeps them in float32 besides."""
    frozen = [each for each in model.parameters() if not each.requires_grad]
    wide = torch.float32.itemsize
    return sum(each.numel() * (each.element_size() + wide * (each.element_size() < wide)) for each in frozen)


def _bytes(module: nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in (*module.parameters(), *module.buffers()))
