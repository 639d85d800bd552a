"""A job that does nothing but meet: each rank writes down what reached it, beside the job."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from ops.training.launching.launch import die_with_parent
from ops.training.launching.ranks import discover


def main() -> None:
    die_with_parent()
    job = Path(sys.argv[sys.argv.index("--job") + 1])
    ranks = discover(hostfile=job.parent / "hostfile")
    dist.init_process_group("gloo")
    numbers = torch.tensor([2.0**ranks.rank])
    dist.all_reduce(numbers)
    told = {
        "met": numbers.item(),
        "local_rank": ranks.local_rank,
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
    }
    (job.parent / f"seen_by_{ranks.rank}.json").write_text(json.dumps(told), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
