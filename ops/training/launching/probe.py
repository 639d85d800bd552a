"""Do the ranks of a launch find each other? Each says what runs it, and all add up one number, before a training does.

Run by the launcher, `python -m ops.training.launching.probe --job FOLDER/probe.json`; each rank leaves
`FOLDER/rank<N>.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sysconfig
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.runtime.device import Accelerator, accelerator, accelerator_environment
from ops.runtime.files import digest, replacing
from ops.runtime.source_code import git_state
from ops.training.launching.launch import die_with_parent
from ops.training.launching.ranks import discover
from ops.training.recording.reporting import note_failure, own_log

MODULE = "ops.training.launching.probe"
CHECKOUT = Path(__file__).resolve().parents[3]


class Question(BaseModel):
    """What the ranks are asked: to join within so many seconds, on accelerators of a kind."""

    model_config = ConfigDict(frozen=True)

    accelerator: Accelerator
    hostfile: Path | None
    seconds: float


class Answer(BaseModel):
    """Of one rank. `total` is the sum of ones over all ranks; `packages` is a digest of all versions that are
    installed; `commit` is 'unknown' where the code is in no git checkout."""

    model_config = ConfigDict(frozen=True)

    rank: int
    ranks: int
    host: str
    commit: str
    packages: str
    total: int


def main() -> None:
    die_with_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", type=Path, required=True, help="a probe.json written by `soraflow run`")
    folder = parser.parse_args().job.parent
    question = Question.model_validate_json((folder / "probe.json").read_text(encoding="utf-8"))
    os.environ.update(accelerator_environment(question.accelerator))
    ranks = discover(hostfile=question.hostfile)
    own_log(folder, ranks.rank)
    try:
        total = _sum_of_ones(question)
        answer = Answer(
            rank=ranks.rank,
            ranks=ranks.world_size,
            host=socket.gethostname(),
            commit=commit(),
            packages=packages(),
            total=total,
        )
        with replacing(folder / f"rank{ranks.rank}.json") as temporary:
            temporary.write_text(answer.model_dump_json(), encoding="utf-8")
    except BaseException:
        note_failure(folder, ranks.rank)
        raise


def _sum_of_ones(question: Question) -> int:
    import torch
    import torch.distributed as dist

    device = accelerator(question.accelerator)
    backend = {"cpu": "gloo"}.get(device.type)  # of an accelerator torch knows its own
    dist.init_process_group(backend, timeout=timedelta(seconds=question.seconds))
    one = torch.ones((), device=device)
    dist.all_reduce(one)
    dist.destroy_process_group()
    return int(one.item())


def commit() -> str:
    """Of the checkout that this code is in, with a mark where files were changed since."""
    state = git_state(CHECKOUT)
    return state["git.commit"] + ("-dirty" if state["git.dirty"] == "true" else "")


def packages() -> str:
    """A digest of the versions of all packages that this Python has installed, whatever has put itself on its path
    since: setuptools, imported, does so with what it brings along."""
    paths = sysconfig.get_paths()
    installed = metadata.distributions(path=sorted({paths["purelib"], paths["platlib"]}))
    return digest(json.dumps(sorted({f"{each.name}=={each.version}".lower() for each in installed})))


if __name__ == "__main__":
    main()
