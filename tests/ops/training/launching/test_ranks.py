from __future__ import annotations

from pathlib import Path

import pytest

from ops.config import ConfigError
from ops.training.launching.ranks import Ranks, discover


def test_torchrun_says_it_all() -> None:
    environment = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "7"}
    assert discover(dict(environment)) == Ranks(3, 8, 1)


def test_slurm_and_openmpi_are_translated_for_torch(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# nodes\n\nnode7 slots=8\nnode8 slots=8\n")
    for names in (
        ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ):
        environment = dict(zip(names, ("9", "16", "1"), strict=True))
        assert discover(environment, hosts) == Ranks(9, 16, 1)
        wanted = {
            "RANK": "9",
            "WORLD_SIZE": "16",
            "LOCAL_RANK": "1",
            "MASTER_ADDR": "node7",
            "MASTER_PORT": "29500",
        }
        assert wanted.items() <= environment.items()


def test_a_program_started_by_hand_is_told_how_to_start_it() -> None:
    with pytest.raises(ConfigError, match="soraflow run"):
        discover({})
