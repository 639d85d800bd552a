"""One video made by several ranks of this node, which share its tokens out: one that a rank alone would take too long
for. The launcher runs this module on each, as `python -m ops.generation.together --job FILE`."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from ops.config import Settings
from ops.config.training import common_divisors
from ops.generation.computed import Computed
from ops.generation.parts import Parts
from ops.generation.settings_file import path_of
from ops.runtime.device import accelerator_environment
from ops.runtime.project import Project
from ops.sampling.chunks import chunks_of
from ops.sampling.request import Request, SamplingError
from ops.training.launching.launch import Command, LaunchSpec, argv, environment, run
from ops.training.launching.program import set_threads
from ops.training.launching.ranks import Ranks, discover
from ops.training.recording.reporting import note_failure, own_log


class Order(BaseModel):
    """What the ranks are told: what to make, of what, and where to put it. `folder` takes their logs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path
    folder: Path
    settings: Settings
    parts: Parts
    request: Request
    output: Path
    notes: tuple[str, ...]
    computed: Computed
    preview: bool

    @property
    def heartbeat(self) -> Path:
        return self.folder / "heartbeat"

    @classmethod
    def from_arguments(cls) -> Self:
        """The order named by `--job FILE` on the command line."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--job", type=Path, required=True, help="a file written by ops.generation.together")
        return cls.model_validate_json(parser.parse_args().job.read_text(encoding="utf-8"))


def render_together(
    project: Project,
    parts: Parts,
    request: Request,
    output: Path,
    computed: Computed,
    notes: tuple[str, ...] = (),
    preview: bool = False,
) -> list[str]:
    """As `render` does, by `computed.ranks` ranks of this node, each on an accelerator of its own.

    Raises:
        SamplingError: the ranks cannot share out the denoiser's heads, or the video is made in chunks.
        LaunchError: a rank failed; the message holds the last lines of its log.
    """
    ranks = computed.ranks
    _require_shared_heads(project, parts, ranks)
    if len(chunks_of(request)) > 1:
        raise SamplingError(
            f"ranks is {ranks}, but {request.frames} frames are made in chunks of {request.chunk}, by one rank alone: "
            "leave the ranks out, or make all frames at once with chunks of as many"
        )
    changes = {"launcher": "torchrun", "nodes": 1, "ranks_per_node": ranks, "sequence_parallel": 1}
    launch = project.settings.launch.model_copy(update=changes)
    with tempfile.TemporaryDirectory(prefix="soraflow-video-") as folder:
        order = Order(
            root=project.root.resolve(),
            folder=Path(folder),
            settings=project.settings,
            parts=parts,
            request=request,
            output=output.resolve(),
            notes=notes,
            computed=computed,
            preview=preview,
        )
        job = order.folder / "order.json"
        job.write_text(order.model_dump_json(), encoding="utf-8")
        spec = LaunchSpec("ops.generation.together", job, launch)
        logs, patience = order.folder / "logs", float(launch.heartbeat_seconds)
        run(Command(argv(spec), environment(launch, order.root), logs, order.heartbeat, patience))
    said: list[str] = json.loads(path_of(output).read_text(encoding="utf-8"))["notes"]
    return said


def _require_shared_heads(project: Project, parts: Parts, ranks: int) -> None:
    from models.released import read_config
    from models.released.config import INPAINT_CLASS, T2V_CLASS

    config = read_config(project.root / parts.denoiser)
    if config["_class_name"] not in (T2V_CLASS, INPAINT_CLASS):
        raise SamplingError(f"ranks is {ranks}, but {config['_class_name']} is sampled by one rank alone")
    heads = int(config["num_attention_heads"])
    if heads % ranks:
        sizes = common_divisors(heads)
        raise SamplingError(f"ranks is {ranks}, but must divide the denoiser's heads, {heads}: use {sizes}")


def main() -> None:
    order = Order.from_arguments()
    os.environ.update(accelerator_environment(order.settings.launch.accelerator))
    ranks = discover()
    logs = order.folder / "logs"
    own_log(logs, ranks.rank)
    try:
        _render(order, ranks)
    except BaseException:
        note_failure(logs, ranks.rank)
        raise


def _render(order: Order, ranks: Ranks) -> None:
    import torch.distributed as dist

    from ops.generation.model import VideoModel
    from ops.generation.render import render
    from ops.training.loop.collective import sequence_group
    from ops.training.loop.engine import start_distributed

    set_threads(ranks.world_size)
    start_distributed()
    try:
        model = VideoModel(Project(order.root, recipe=order.settings), order.parts)
        group = sequence_group(ranks.world_size)
        render(
            model,
            order.request,
            order.output,
            lambda done, of: order.heartbeat.touch(),
            order.notes,
            group,
            computed=order.computed,
            preview=order.preview,
        )
        dist.barrier()  # the first rank decodes and writes
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
