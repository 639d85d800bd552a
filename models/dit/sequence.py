"""One sample on several ranks: sequence parallelism by all-to-all (arXiv 2309.14509).

Around attention a rank holds a run of the tokens and all heads of them; within, all tokens and a run of the heads. One
all-to-all changes the one into the other, so that rotary positions and the Skiparse patterns see the whole sequence.
Everything else of a denoiser knows tokens one by one and needs no word from other ranks.

n: ranks of the group · B: batch · S: tokens of the sequence · s: those of a rank, ⌈S/n⌉ · H: heads · E: head width
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from models.dit.token_share import TokenShare

Exchange = Callable[[Tensor], Tensor]


class SequenceGroup:
    """The ranks that compute the same samples together, and what they tell each other; each calls all of it alike.

    Every exchange is differentiable, for the sum of what all ranks make of it. Where each rank's loss is that of the
    whole sample, the mean of the ranks' gradients is therefore the gradient of one rank that holds the sample alone.
    A group of one exchanges nothing. `exchange` [n, …] → [n, …] hands part i to rank i and gives, at place i, what rank
    i had for this one.
    """

    def __init__(self, size: int = 1, rank: int = 0, exchange: Exchange = torch.clone) -> None:
        self.size, self.rank, self._exchange = size, rank, exchange

    @classmethod
    def of(cls, ranks: dist.ProcessGroup) -> SequenceGroup:
        """The ranks of a process group, in its order."""

        def exchange(parts: Tensor) -> Tensor:
            received = torch.empty_like(parts)
            dist.all_to_all_single(received, parts, group=ranks)
            return received

        return cls(dist.get_world_size(ranks), dist.get_rank(ranks), exchange)

    def share(self, tokens: int) -> TokenShare:
        return TokenShare(tokens, self.size)

    def own(self, x: Tensor, tokens: int, first: int = 0) -> Tensor:
        """This rank's run [B, s, …] of a sequence of `tokens`, filled up with zeros.

        `x` [B, any, …] is that part of the sequence, from token `first` on, in which the run lies.
        """
        if self.size == 1:
            return x
        share = self.share(tokens)
        run = share.run(self.rank)
        held = x[:, run.start - first : run.stop - first] if run else x[:, :0]
        return _filled_up(held, share.each)

    def by_heads(self, x_BsHE: Tensor, tokens: int) -> Tensor:
        """All `tokens` S and this rank's heads [B, S, H/n, E] of everybody's run of tokens."""
        if self.size == 1:
            return x_BsHE
        parts = x_BsHE.unflatten(2, (self.size, -1)).movedim(2, 0)
        return self._exchanged(parts).movedim(0, 1).flatten(1, 2)[:, :tokens]

    def by_tokens(self, x_BShE: Tensor) -> Tensor:
        """The inverse of `by_heads`: this rank's run of tokens with all heads, [B, s, H, E]."""
        if self.size == 1:
            return x_BShE
        share = self.share(x_BShE.shape[1])
        parts = _filled_up(x_BShE, share.each * share.ranks).unflatten(1, (self.size, -1)).movedim(1, 0)
        return self._exchanged(parts).movedim(0, 2).flatten(2, 3)

    def joined(self, x_BsD: Tensor, tokens: int) -> Tensor:
        """The whole sequence [B, S, D] of `tokens` on every rank, of everybody's run."""
        if self.size == 1:
            return x_BsD
        parts = x_BsD.expand(self.size, *x_BsD.shape)
        return self._exchanged(parts).movedim(0, 1).flatten(1, 2)[:, :tokens]

    def calling(self, model: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """A denoiser that is called by all ranks together; one that knows nothing of groups, for a group of one."""
        return model if self.size == 1 else partial(model, sequence=self)

    def _exchanged(self, parts: Tensor) -> Tensor:
        exchanged: Tensor = _AllToAll.apply(parts, self._exchange)
        return exchanged


@dataclass(frozen=True)
class Spread:
    """A forward pass of so many latent tokens and text tokens, which lie on the ranks of a group."""

    group: SequenceGroup
    latents: int
    text: int

    def own_of_frames(self, embed: Callable[[slice], Tensor], tokens_of_a_frame: int) -> Tensor:
        """This rank's latent tokens [B, s, D]. `embed` makes those of a slice of the frames, all or only some."""
        frames = self.group.share(self.latents).frames(self.group.rank, tokens_of_a_frame)
        tokens = embed(slice(frames.start, frames.stop))
        return self.group.own(tokens, self.latents, frames.start * tokens_of_a_frame)


ALONE = SequenceGroup()
WHOLE = Spread(ALONE, 0, 0)
"""Where no group is named; nothing is counted then."""


class _Context(FunctionCtx):
    exchange: Exchange


class _AllToAll(torch.autograd.Function):
    """Its own adjoint: what came from rank i goes back to rank i."""

    @staticmethod
    def forward(ctx: _Context, parts: Tensor, exchange: Exchange) -> Tensor:
        ctx.exchange = exchange
        return exchange(parts.contiguous())

    @staticmethod
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None]:
        returned: Tensor = _AllToAll.apply(gradient, ctx.exchange)
        return returned, None


def _filled_up(x: Tensor, places: int) -> Tensor:
    """[B, S, …] with zeros appended, up to so many places."""
    missing = places - x.shape[1]
    return F.pad(x, [0, 0] * (x.ndim - 2) + [0, missing]) if missing else x
