"""The released classes: for each, the network that it is here, and how its configuration and its keys translate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn

from models.causal_vae.vae import CausalVideoVAE
from models.control.image_condition import ImageConditionedDenoiser
from models.dit.denoiser import SkiparseDenoiser
from models.latte.denoiser import LatteDenoiser
from models.released.config import (
    DENOISER_UNSEEN,
    DISCRIMINATOR_CLASS,
    INPAINT_CLASS,
    T2V_CLASS,
    WFVAE_CLASS,
    WFVAE_UNSEEN,
    Config,
    read_denoiser,
    read_discriminator,
    read_wfvae,
    write_denoiser,
    write_wfvae,
)
from models.released.config_v1_1 import (
    CAUSAL_VAE_CLASS,
    CAUSAL_VAE_UNSEEN,
    LATTE_CLASS,
    LATTE_UNSEEN,
    read_causal_vae,
    read_latte,
    write_causal_vae,
    write_latte,
)
from models.released.keys import (
    DENOISER_PARTS,
    WFVAE_PARTS,
    denoiser_beginnings,
    released_names,
    wavelet_entries,
    wfvae_beginnings,
)
from models.released.keys_v1_1 import (
    CAUSAL_VAE_PARTS,
    CAUSAL_VAE_UNUSED,
    LATTE_UNUSED,
    causal_vae_beginnings,
    latte_beginnings,
)
from models.wfvae.discriminator import PatchDiscriminator3D
from models.wfvae.vae import WFVAE

Network = TypeVar("Network", bound=nn.Module, covariant=True)


@dataclass(frozen=True, kw_only=True)
class ReleasedClass(Generic[Network]):
    """`network` is what `build` makes of a published configuration, and what the other functions take."""

    name: str
    network: type[Network]
    build: Callable[[Config], Network]
    keys: Callable[[Network], dict[str, str]]
    """Our state-dict key → its released key."""
    config: Callable[[Network], dict[str, object]] | None = None
    """The published configuration; None for a class that is released without one."""
    unseen: frozenset[str] = frozenset()
    """Fields of the configuration that a forward pass does not see."""
    unused: tuple[str, ...] = ()
    """Beginnings of released keys that the network has no use for: neither loaded nor written."""
    constants: Callable[[], dict[str, Tensor]] = dict
    """Entries that are the same in every release, by released key; they may be absent."""

    def names(self, module: nn.Module) -> dict[str, str]:
        """Our state-dict key → its released key, of a network of this class."""
        return self.keys(self._own(module))

    def describe(self, module: nn.Module) -> dict[str, object]:
        """The published configuration of a network of this class. Raises TypeError where it is released without."""
        if self.config is None:
            raise TypeError(f"{type(module).__name__} has no released class with a config.json")
        return self.config(self._own(module))

    def _own(self, module: nn.Module) -> Network:
        if not isinstance(module, self.network):
            raise TypeError(f"{type(module).__name__} is not a {self.network.__name__}, as {self.name} is here")
        return module


def _skiparse(name: str, network: type[SkiparseDenoiser]) -> ReleasedClass[SkiparseDenoiser]:
    return ReleasedClass[SkiparseDenoiser](
        name=name,
        network=network,
        build=lambda config: network(read_denoiser(name, config)),
        keys=lambda model: released_names(model, denoiser_beginnings(model.config), DENOISER_PARTS),
        config=lambda model: write_denoiser(name, model.config, model.sparse_ratio),
        unseen=frozenset(DENOISER_UNSEEN),
    )


RELEASED: tuple[ReleasedClass[nn.Module], ...] = (
    ReleasedClass[WFVAE](
        name=WFVAE_CLASS,
        network=WFVAE,
        build=lambda config: WFVAE(read_wfvae(config)),
        keys=lambda vae: released_names(vae, wfvae_beginnings(vae.config), WFVAE_PARTS),
        config=lambda vae: write_wfvae(vae.config),
        unseen=frozenset(WFVAE_UNSEEN),
        constants=wavelet_entries,
    ),
    _skiparse(T2V_CLASS, SkiparseDenoiser),
    _skiparse(INPAINT_CLASS, ImageConditionedDenoiser),
    ReleasedClass[PatchDiscriminator3D](
        name=DISCRIMINATOR_CLASS,
        network=PatchDiscriminator3D,
        build=lambda config: PatchDiscriminator3D(**read_discriminator(config)),
        keys=lambda critic: released_names(critic, {"layers": "main"}, {}),
    ),
    ReleasedClass[CausalVideoVAE](
        name=CAUSAL_VAE_CLASS,
        network=CausalVideoVAE,
        build=lambda config: CausalVideoVAE(read_causal_vae(config)),
        keys=lambda vae: released_names(vae, causal_vae_beginnings(), CAUSAL_VAE_PARTS),
        config=lambda vae: write_causal_vae(vae.config),
        unseen=frozenset(CAUSAL_VAE_UNSEEN),
        unused=CAUSAL_VAE_UNUSED,
    ),
    ReleasedClass[LatteDenoiser](
        name=LATTE_CLASS,
        network=LatteDenoiser,
        build=lambda config: LatteDenoiser(read_latte(config)),
        keys=lambda model: released_names(model, latte_beginnings(model.config), DENOISER_PARTS),
        config=lambda model: write_latte(model.config),
        unseen=frozenset(LATTE_UNSEEN),
        unused=LATTE_UNUSED,
    ),
)
CLASSES = tuple(released.name for released in RELEASED)


def class_of(module: nn.Module) -> ReleasedClass[nn.Module]:
    """The released class of a network; of a subclass, that of its nearest ancestor. Raises TypeError for none."""
    networks = {released.network: released for released in RELEASED}
    for ancestor in type(module).__mro__:
        if ancestor in networks:
            return networks[ancestor]
    raise TypeError(f"{type(module).__name__} is not a network with released names")
