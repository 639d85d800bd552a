"""A long video as chunks, each of which a model makes at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ops.runtime.files import digest
from ops.sampling.request import SEEDS, Request


@dataclass(frozen=True)
class Chunk:
    """A video of its own by `request`, whose first `given` frames are the last ones of the chunk before."""

    request: Request
    given: int


def chunks_of(request: Request) -> list[Chunk]:
    """Of a checked request, in order: all of one length, for that is what the model was trained on. The last is given
    as many frames more as there are fewer left to make.

    The first has the request's seed, and so is the video of that many frames alone; the others have seeds that follow
    from it and their number.
    """
    if request.chunk is None or request.chunk >= request.frames:
        return [Chunk(replace(request, chunk=None), 0)]
    assert request.overlap is not None, "a checked request says how far chunks overlap"
    one = replace(request, frames=request.chunk, chunk=None, overlap=None)
    chunks, made = [Chunk(one, 0)], request.chunk
    while made < request.frames:
        given = max(request.overlap, request.chunk - (request.frames - made))
        seed = int(digest([request.seed, len(chunks)]), 16) % SEEDS
        chunks.append(Chunk(replace(one, seed=seed, given=None), given))
        made += request.chunk - given
    return chunks
