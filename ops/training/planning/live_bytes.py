"""How many bytes tensors hold at one time, counted while code runs, on real tensors or on ones without content."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """The bytes of all tensors that were made inside it and still live: `now`, and `peak`, the most since that was last
    set. Views count once, with the storage that they share. What a kernel allocates for itself is not seen.

    Where code asks a tensor without content for a value, as a check of ranges does, the answer is one that goes
    everywhere: 0, a half, or yes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}
        self._foreign: set[int] = set()
        """Storages that were there before."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and isinstance(args[0], FakeTensor):
            return {torch.bool: True}.get(args[0].dtype, 0.5 if args[0].dtype.is_floating_point else 0)
        for leaf in _tensors((args, kwargs)):
            self._note(leaf.untyped_storage(), made_here=False)
        result = func(*args, **(kwargs or {}))
        for leaf in _tensors(result):
            self._note(leaf.untyped_storage(), made_here=True)
        return result

    def take_peak(self) -> int:
        """The peak, which begins anew at what lives now."""
        peak, self.peak = self.peak, self.now
        return peak

    def _note(self, storage: torch.UntypedStorage, made_here: bool) -> None:
        key = storage._cdata
        if key not in self._sizes:
            weakref.finalize(storage, self._forget, key)
            self._sizes[key] = 0
            if not made_here:
                self._foreign.add(key)
        if key not in self._foreign:
            size = storage.nbytes()
            self.now += size - self._sizes[key]  # one may have been resized
            self._sizes[key] = size
            self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)
        self._foreign.discard(key)


def _tensors(tree: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.device.type != "meta")
