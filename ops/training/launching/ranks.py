"""Which of the job's processes this one is, under every launcher."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from ops.config import ConfigError, Launch
from ops.training.launching.hostfile import hosts

# rank, world size, rank on the node, as the launchers name them
_NAMES = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
)


@dataclass(frozen=True)
class Ranks:
    rank: int
    world_size: int
    local_rank: int

    @property
    def first(self) -> bool:
        return self.rank == 0


ALONE = Ranks(rank=0, world_size=1, local_rank=0)


def discover(environment: MutableMapping[str, str] = os.environ, hostfile: Path | None = None) -> Ranks:
    """Read this process's place from its launcher's variables, and set the ones that torch expects.

    srun and mpirun do not set torch's; DeepSpeed would ask mpi4py, which is not among our dependencies.

    Raises:
        ConfigError: when no launcher has started this process.
    """
    for names in _NAMES:
        if all(name in environment for name in names):
            rank, world_size, local_rank = (int(environment[name]) for name in names)
            break
    else:
        raise ConfigError(
            "this program is started by a launcher, which sets RANK, WORLD_SIZE and LOCAL_RANK; "
            "run `soraflow run`, or `python -m torch.distributed.run --standalone -m ...`"
        )
    environment.update(RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_RANK=str(local_rank))
    environment.setdefault("MASTER_PORT", str(Launch().port))
    environment.setdefault("MASTER_ADDR", hosts(hostfile)[0].name if hostfile else "127.0.0.1")
    return Ranks(rank, world_size, local_rank)
