"""The search for a sentence, with three beams, as transformers had it at the time of the published scores.

Later ones divide by the number of ids that were generated, the end among them, and find other sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

BEAMS, SHORTEST, LONGEST = 3, 10, 30
"""Lengths count the prompt."""
END = 102


class Caption(NamedTuple):
    ids: tuple[int, ...]
    """With the prompt, and the end where there was room for it."""
    score: float
    """The sum of log probabilities by the length, which counts the prompt and not the end."""


def best_caption(logits_of: Callable[[Tensor], Tensor], prompt: Tensor, end: int = END) -> Caption:
    """`logits_of`: rows of ids [3, L] → logits of the id after each row, [3, vocabulary]."""
    rows = prompt.expand(BEAMS, -1)
    sums = torch.full((BEAMS,), -torch.inf, device=prompt.device)
    sums[0] = 0  # all beams begin alike
    finished: list[Caption] = []
    while rows.shape[1] < LONGEST:
        length = rows.shape[1]
        scores = logits_of(rows).log_softmax(dim=-1)
        if length < SHORTEST:
            scores[:, end] = -torch.inf
        vocabulary = scores.shape[1]
        best = (scores + sums[:, None]).flatten().topk(2 * BEAMS)
        places = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        following: list[tuple[float, int, int]] = []
        for rank, (total, place) in enumerate(places):
            beam, found = divmod(place, vocabulary)
            if found != end:
                following.append((total, beam, found))
            elif rank < BEAMS:
                finished.append(Caption(tuple(rows[beam].tolist()), total / length))
        finished = sorted(finished, key=lambda caption: -caption.score)[:BEAMS]
        if len(finished) == BEAMS and finished[-1].score >= float(best.values[0]) / (length + 1):
            break
        totals, beams, ids = zip(*following[:BEAMS], strict=True)
        rows = torch.cat([rows[list(beams)], rows.new_tensor(ids)[:, None]], dim=1)
        sums = sums.new_tensor(totals)
    else:
        open_ones = zip(rows.tolist(), sums.tolist(), strict=True)
        finished += [Caption(tuple(row), total / LONGEST) for row, total in open_ones]
    chosen = max(finished, key=lambda caption: caption.score)
    return chosen._replace(ids=(*chosen.ids, end)) if len(chosen.ids) < LONGEST else chosen
