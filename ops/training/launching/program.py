"""What every training program does around its loop: join the ranks, resume, keep records, end truthfully."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.runtime.device import accelerator, accelerator_environment, cores, seed_everything
from ops.runtime.pages import Pages
from ops.runtime.progress import Progress
from ops.runtime.workers import spare_own_module
from ops.training.job import Job
from ops.training.launching.launch import die_with_parent
from ops.training.launching.ranks import Ranks, discover
from ops.training.recording.reporting import note_failure, own_log, reporting

if TYPE_CHECKING:
    import torch

    from ops.training.loop.session import Session
    from ops.training.methods.method import Method, Setup

B = TypeVar("B")
SECONDS_FOR_A_GHOST = 30


class Terminated(BaseException):
    """The launcher, or a person, has asked this process to stop."""


def main(compose: Callable[[Setup], Method[B]]) -> None:
    """Run the job named on the command line, by the method that `compose` makes for it.

    Output goes to `<job folder>/logs/rank<N>.log`. To be told to stop is an ordinary end: the log has a line of it and
    the exit status is that of a process ended by SIGTERM.
    """
    die_with_parent()
    spare_own_module()
    signal.signal(signal.SIGTERM, _terminate)
    job = Job.from_arguments()
    os.environ.update(accelerator_environment(job.launch.accelerator))  # other nodes may lack it
    ranks = discover(hostfile=job.hostfile)
    logs = job.folder / "logs"
    own_log(logs, ranks.rank)
    try:
        with only_one(job.folder / "lock", ranks):
            _train(job, ranks, compose)
    except (Terminated, KeyboardInterrupt):
        print(f"rank {ranks.rank} was told to stop", flush=True)
        sys.exit(128 + signal.SIGTERM)
    except BaseException:
        note_failure(logs, ranks.rank)
        raise


def _terminate(*_: object) -> None:
    _ignore_requests_to_stop()
    raise Terminated


def _ignore_requests_to_stop() -> None:
    """This process is about to end. The launcher asks each rank again when it hears of another one's death: that must
    not keep it from telling MLflow how it ended, for of a run that nobody ended MLflow says that it has finished."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def only_one(path: Path, ranks: Ranks) -> Iterator[None]:
    """Hold the folder's lock, on the first rank: two trainings never write into one folder.

    The kernel drops the lock with its holder, however that dies.
    """
    if not ranks.first:
        yield
        return
    import fcntl

    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + SECONDS_FOR_A_GHOST
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.seek(0)
                    raise RuntimeError(
                        f"process {file.read().strip()} is training in {path.parent}; wait for it, or end it"
                    ) from None
                time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _train(job: Job, ranks: Ranks, compose: Callable[[Setup], Method[B]]) -> None:
    import torch.distributed as dist

    launch = job.launch
    set_threads(launch.ranks_per_node)
    seed_everything(job.settings.seed + ranks.rank)
    from ops.training.loop import engine as deepspeed_engine

    device = accelerator(launch.accelerator)
    deepspeed_engine.start_distributed()
    try:
        progress = Progress.of(job.project, job.asset, job.schedule.steps, "steps") if ranks.first else None
        session = prepared(job, ranks, device, compose, progress)
        with closing(session.method.data):
            if progress:
                _with_records(session, progress)
            else:
                _loop(session)
    finally:
        dist.destroy_process_group()


def set_threads(ranks_per_node: int) -> None:
    """Share the cores among the ranks of a node, unless OMP_NUM_THREADS says otherwise."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", max(1, cores() // ranks_per_node))))


def prepared(
    job: Job,
    ranks: Ranks,
    device: torch.device,
    compose: Callable[[Setup], Method[B]],
    progress: Progress | None = None,
) -> Session[B]:
    """A session at the point from which the training goes on. Nobody hears of it yet, but for signs of life."""
    import torch

    from ops.training.checkpoints.restoring import agreed_start, restore
    from ops.training.checkpoints.shard_layout import shard_layout
    from ops.training.checkpoints.store import CheckpointStore
    from ops.training.clipping.rules import rule_of
    from ops.training.data.left_out import LeftOut
    from ops.training.loop.collective import sequence_group
    from ops.training.loop.ema import Ema
    from ops.training.loop.engine import wrap
    from ops.training.loop.engine_config import configuration_of
    from ops.training.loop.session import Session
    from ops.training.loop.state import State
    from ops.training.methods.method import Setup

    schedule = job.schedule
    spread = job.training.ranks_of_a_video
    config = configuration_of(job.training, job.root, ranks.world_size)
    layout = shard_layout(config, ranks.world_size)
    converted = job.folder / "converted"

    def underway(what: str) -> None:
        if progress:
            progress.update(0, what)

    store = CheckpointStore(job.folder / "checkpoints", lambda file: underway(f"checking {file}"))
    start = agreed_start(store, ranks, layout, converted, underway)
    if start and start.converted:
        config = config.with_keys(checkpoint={"load_universal": True})
    shares = config.shares(schedule, ranks, spread)
    setup = Setup(job, device, config.precision, shares, sequence_group(spread))
    method = compose(setup)
    beside_optimizer = torch.device("cpu") if config.offloads_optimizer else device
    ema = Ema(method.model.to(device), schedule.ema_decay, ranks, beside_optimizer)
    wrapped = wrap(method.model, config, schedule.optimizer)
    left_out = LeftOut(job.launch, method.data.samples.count)
    state = State(wrapped, ema, rule_of(schedule.clipping), left_out, layout)
    session = Session(job, ranks, device, shares, method, state)
    if start:
        restore(session, start)
        if ranks.first:
            shutil.rmtree(converted, ignore_errors=True)
    return session


def _with_records(session: Session[B], progress: Progress) -> None:
    """The first rank's loop, inside its MLflow run.

    Raises:
        Terminated: when it was told to stop, after Dagster's channel is closed: to Dagster that is no error.
    """
    from ops.training.checkpoints.finishing import finish
    from ops.training.recording.incidents import forget_after
    from ops.training.recording.metrics_file import MetricsFile
    from ops.training.recording.mlflow_run import MlflowRun
    from ops.training.recording.recorder import Records

    job, metric, step = session.job, session.method.validation.metric, session.state.step
    stopped = False
    with reporting(progress) as reporter:
        run = MlflowRun(job, metric, reporter.tags, launch_facts(session), reporter.say)
        metrics = MetricsFile(job.folder / "metrics.jsonl", step if step else None)
        forget_after(job.folder, step)
        session.recorder = records = Records(job, run, metrics, reporter)
        try:
            _announce(session)
            _loop(session)
            finish(session, records)
        except (Terminated, KeyboardInterrupt):
            stopped = True
            reporter.say(f"told to stop after step {session.state.step}; {_where_it_goes_on(session)}")
            run.end("KILLED")
        except BaseException:
            _ignore_requests_to_stop()
            run.end("FAILED")
            raise
        else:
            run.end("FINISHED")
    if stopped:
        raise Terminated


def _where_it_goes_on(session: Session[B]) -> str:
    from ops.training.checkpoints.checkpointing import store_of

    kept = store_of(session).complete()
    return f"started again, it goes on from {kept[-1].name}" if kept else "there is no checkpoint yet"


def _loop(session: Session[B]) -> None:
    from ops.training.loop.loop import run_steps

    run_steps(session)


def _announce(session: Session[B]) -> None:
    from ops.training.clipping.rules import notes as clipping_notes
    from ops.training.data.data_order import table
    from ops.training.planning.page import lines
    from ops.training.planning.plan import planned

    method, schedule, say = session.method, session.job.schedule, session.recorder.say
    order = method.data.samples.order
    say(f"{session.job.asset}: {session.state.parameters:,} parameters on {session.ranks.world_size} rank(s)")
    say(table(order.counts()))
    epochs = schedule.steps / order.batches_per_epoch
    say(f"{schedule.steps} steps of {schedule.batch_size} samples are {epochs:.1f} epochs")
    if plan := planned(session.job.folder):
        say("\n".join(lines(plan)))
    for note in [*clipping_notes(schedule.clipping, session.shares.video.parts), *method.notes()]:
        say(note)
    say(f"in MLflow: {_page(session.job)}")
    if session.state.step:
        say(f"resuming after step {session.state.step}")


def _page(job: Job) -> str:
    """Where the training's run is seen; the pages make a link of it."""
    import mlflow

    run = mlflow.active_run()
    assert run is not None
    return Pages.of(job.project).mlflow_run(run.info.experiment_id, run.info.run_id)


def launch_facts(session: Session[B]) -> dict[str, str]:
    """What may differ between attempts at one training, so it is recorded for each."""
    from importlib.metadata import version

    import torch

    return {
        "world_size": str(session.ranks.world_size),
        "device": str(session.device.type),
        "threads": str(torch.get_num_threads()),
        **{f"version.{name}": version(name) for name in ("torch", "deepspeed", "diffusers", "soraflow")},
    }
