"""The trainings as assets: what each is made from, the job that describes it, and the artifact that it leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import JsonValue, SerializeAsAny

from ops.config import CausalVae, ConfigError, Denoiser, DenoiserStage, Schedule, Stage, Vae
from ops.data.drawn_windows import DrawnWindows
from ops.data.latents import LatentsResults, vae_of
from ops.data.sample_index import SampleIndex
from ops.data.text_embeddings import made_for
from ops.runtime.artifacts import Artifact, Identity, Work, current, find
from ops.runtime.files import digest, replacing, sha256
from ops.runtime.project import Project
from ops.runtime.tracking.pipeline_run import Status
from ops.training.checkpoints import store as checkpoints
from ops.training.finished import finished
from ops.training.job import Job
from ops.training.launching.hostfile import NodesNotReached, require_answers
from ops.training.launching.launch import Command, LaunchError, LaunchSpec, argv, environment, write_exports
from ops.training.launching.launch import run as run_command
from ops.training.launching.ranks import discover
from ops.training.recording.mlflow_records import restore_records
from ops.training.results import Adopted, InitFrom, Trained
from ops.training.trainings import Training, training
from ops.weights.results import BASE, ReleasedDenoiser

CODE = 2
"""Raised when the same settings would train a different model; part of every fingerprint."""

Launch = Callable[[Command], None]


class ForeignLatents(ValueError):
    """Weights that were trained on the latents of another VAE, of which a stage cannot start."""


class VaeIdentity(Identity):
    """All that the section `vae` is for a training, and what any training depends on."""

    code: int
    seed: int
    vae: SerializeAsAny[Vae]
    start: dict[str, str] | None = None
    """Of an image VAE that it starts from: file → its sha256."""

    def setting(self, key: str) -> str | None:
        return {"code": "code", "seed": "seed", "start": "vae.image_vae"}.get(key, f"vae.{key}")

    def payload(self) -> dict[str, JsonValue]:
        """The section's keys stand beside the others."""
        payload = super().payload()
        section, start = payload.pop("vae"), payload.pop("start")
        assert isinstance(section, dict)
        return {**section, **payload, **({"start": start} if start else {})}


class AdoptedIdentity(Identity):
    released: dict[str, str]
    """File → its sha256."""


class StageIdentity(Identity):
    """A stage, what all stages share, and what any training depends on."""

    code: int
    seed: int
    schedule: Schedule
    denoiser: Denoiser
    stage: Stage
    text_width: int

    def setting(self, key: str) -> str | None:
        section, _, rest = key.partition(".")
        if section == "stage":
            return f"stages.{self.stage.name}.{rest}"
        return {"schedule": None, "text_width": "text_encoder.width"}.get(section, key)


def train(
    project: Project, asset: str, launch: Launch = run_command, dataset: str | None = None
) -> Artifact[Trained] | Artifact[Adopted]:
    """A training of the recipe, or found finished; an interrupted one is resumed.

    `dataset` is the version of the training set that a VAE is trained on (None: the current one); stages are trained
    on the one that the latents are of.

    Raises:
        UnknownTraining: when it has no such training.
        MissingArtifact, ForeignLatents: as `stage_work` says.
    """
    found = training(project.settings, asset)
    if found.adopted:
        return adopt_vae(project, found.adopted)
    work, init_from = work_of(project, found, dataset)
    done = work.finished()
    if done:
        restore_records(project, done)
    return done or _train(work, found, init_from, launch)


def take_part(project: Project, asset: str) -> None:
    """A training of the recipe as one of its ranks, which something else than soraflow has started; the first of them
    does what `train` does. It raises the same, and LaunchError.

    The others need no more than the job, which each works out for itself from what lies on the shared disk.
    """
    found = training(project.settings, asset)
    if found.launch.launcher != "env":
        raise ConfigError(f"launch.launcher of {asset} is '{found.launch.launcher}'; here it has to be 'env'")
    if discover(dict(os.environ)).first:
        train(project, asset)
        return
    work, init_from = work_of(project, found)
    if work.finished():
        return
    job = _job(work, init_from)
    with TemporaryDirectory() as own:
        run_command(_command(job, found.procedure.program, Path(own)))


def planned(project: Project, asset: str) -> Work[Trained] | Work[Adopted]:
    """The work of `train`, without doing it; it raises the same."""
    found = training(project.settings, asset)
    if found.adopted:
        return adoption_work(project, found.adopted)[0]
    return work_of(project, found)[0]


def work_of(project: Project, found: Training, dataset: str | None = None) -> tuple[Work[Trained], InitFrom | None]:
    """The work of one of the recipe's trainings, and what it starts from; see `train`."""
    from ops.data.dvc import version

    if isinstance(found.section, Vae):
        return vae_work(project, found, dataset or version(project, "training_set"))
    return stage_work(project, found)


def vae_work(project: Project, training: Training, dataset: str) -> tuple[Work[Trained], InitFrom | None]:
    """The work of training the VAE on a version of the training set, and what it starts from: the best checkpoint of
    its stage before, if there is one.

    Raises:
        MissingArtifact: when that has not been made.
        ConfigError: when the image VAE that it is to start from is no folder.
    """
    vae, init_from, inputs = training.section, None, {"training_set": dataset}
    assert isinstance(vae, Vae)
    if training.predecessor:
        init_from = InitFrom.best_of(current(project, training.predecessor.asset, Trained))
        inputs = {init_from.asset: init_from.version, **inputs}
    start = _contents(project, vae.image_vae) if isinstance(vae, CausalVae) and vae.image_vae else None
    identity = VaeIdentity(code=CODE, seed=project.settings.seed, vae=vae, start=start)
    return Work(project, training.asset, inputs, identity, Trained), init_from


def _contents(project: Project, image_vae: str) -> dict[str, str]:
    folder = project.root / image_vae
    if not folder.is_dir():
        raise ConfigError(f"vae.image_vae: there is no folder {folder}: put the weights of an image VAE there")
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}


def adopt_vae(project: Project, released: str) -> Artifact[Adopted]:
    """Finished weights in place of a training; see `ops.training.finished` for what `released` may name."""
    from models import released as released_models

    work, folder = adoption_work(project, released)
    if done := work.finished():
        return done
    released_models.save_pretrained(released_models.from_pretrained(folder), work.folder / "released")
    version = digest(work.identity.payload()["released"])
    return work.finish(version, Adopted(released="released", source=released))


def adoption_work(project: Project, released: str) -> tuple[Work[Adopted], Path]:
    """The work of adopting weights, and the folder that they lie in."""
    folder = finished(project, released, "vae").folder
    content = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
    identity = AdoptedIdentity(released=content)
    return Work(project, project.settings.vae.asset, {}, identity, Adopted), folder


def stage_work(project: Project, stage: Training) -> tuple[Work[Trained], InitFrom | None]:
    """The work of training a stage of the denoiser on the current latents, and what it starts from: the best
    checkpoint of the stage before, if there is one, or the last, of one on given frames; or finished weights.

    It is of the version of the training set that the latents are of, whatever has become current since.

    Raises:
        MissingArtifact: when the latents, the text embeddings or the stage before have not been made.
        ForeignLatents: when the stage before was trained on the latents of another VAE.
    """
    settings, section = project.settings, stage.section
    assert isinstance(section, DenoiserStage)
    latents = current(project, "latents", LatentsResults)
    dataset = latents.inputs["training_set"]
    inputs = {latents.asset: latents.version, "text_embeddings": made_for(project, dataset).version}
    init_from = None
    if stage.predecessor:
        before = current(project, stage.predecessor.asset, Trained)
        _require_known_latents(project, before, latents)
        of_row = stage.predecessor.kind == "image_condition"  # losses of rows do not compare
        init_from = InitFrom.last_of(before) if of_row else InitFrom.best_of(before)
        inputs[init_from.asset] = init_from.version
    elif stage.released:
        init_from = InitFrom.of_base(current(project, BASE, ReleasedDenoiser))
        inputs[init_from.asset] = init_from.version
    identity = StageIdentity(
        code=CODE,
        seed=settings.seed,
        schedule=section.schedule,
        denoiser=settings.denoiser,
        stage=section,
        text_width=settings.text_encoder.width,
    )
    return Work(project, stage.asset, {**inputs, "training_set": dataset}, identity, Trained), init_from


def dataset_of(project: Project, asset: str) -> str | None:
    """The version of the training set that a training takes without being told: of a stage that of the latents.

    Raises:
        MissingArtifact: when there are none.
    """
    if "latents" not in training(project.settings, asset).procedure.inputs:
        return None
    return current(project, "latents", LatentsResults).inputs["training_set"]


def _require_known_latents(project: Project, artifact: Artifact[Trained], latents: Artifact[LatentsResults]) -> None:
    """Of a finished stage that the next one is to start from: that it knows these latents."""
    theirs = find(project, "latents", artifact.inputs["latents"], LatentsResults)
    one, other = (" ".join(vae_of(each)) if each else None for each in (theirs, latents))
    if one != other:
        raise ForeignLatents(
            f"{artifact.asset} {artifact.version} was trained on latents {artifact.inputs['latents']} of "
            f"{one or 'a VAE that is not known any more'}, but the latents here are of {other}, which mean nothing to "
            f"its weights: train it anew first with `soraflow run --select {artifact.asset}`"
        )


def _train(work: Work[Trained], found: Training, init_from: InitFrom | None, launch: Launch) -> Artifact[Trained]:
    project = work.project
    # Made here, once, and not while ranks wait for each other.
    index = SampleIndex.of(project, work.inputs["training_set"])
    latents = find(project, "latents", work.inputs["latents"], LatentsResults) if "latents" in work.inputs else None
    if latents and latents.results.redraw_windows:
        DrawnWindows(project, work.inputs["training_set"], found.dataset, project.settings.seed)
    work.folder.mkdir(parents=True, exist_ok=True)
    _plan(project, found, index, work.folder)
    _launch(_job(work, init_from), found.procedure.program, launch)
    results = Trained.of_json((work.folder / "results.json").read_text(encoding="utf-8"))
    best = work.folder / results.released
    version = digest({"model": checkpoints.content_hash(best.parent, best.name), "settings": work.identity.payload()})
    return work.finish(version=version, results=results)


def _job(work: Work[Trained], init_from: InitFrom | None) -> Job:
    project = work.project
    return Job(
        root=project.root.resolve(),
        folder=work.folder.resolve(),
        asset=work.asset,
        fingerprint=work.fingerprint,
        inputs=work.inputs,
        dataset_version=work.inputs["training_set"],
        init_from=init_from,
        settings=project.settings,
        pipeline_run=project.pipeline_run,
    )


def _plan(project: Project, found: Training, index: SampleIndex, folder: Path) -> None:
    """Leave the plan of a training in its folder, for its first rank to tell.

    Raises:
        ConfigError: when it does not fit into memory, with what would.
    """
    from ops.training.planning.plan import FILE
    from ops.training.planning.planner import plan_of

    counts = {bucket: len(ids) for bucket, ids in index.members("train", found.kinds, found.cut).items()}
    plan = plan_of(project, found, counts)
    if plan.obstacle:
        raise ConfigError(plan.obstacle)
    with replacing(folder / FILE) as temporary:
        temporary.write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _launch(job: Job, module: str, launch: Launch) -> None:
    """Start the ranks, and again after a failure as often as `launch.max_restarts` allows.

    Raises:
        LaunchError: also where nodes do not answer, or the job has ended well, it says, and has left no results.
    """
    command = _command(job, module, job.folder)
    results = job.folder / "results.json"
    for restarts_left in reversed(range(job.launch.max_restarts + 1)):
        try:
            if job.hostfile and job.launch.launcher != "torchrun":
                require_answers(job.hostfile, job.launch)
            launch(command)
            if not results.is_file():  # DeepSpeed takes a launcher that was killed for one that is done
                raise LaunchError(f"the job has ended without {results}; see {command.logs / 'launcher.log'}")
            return
        except (LaunchError, NodesNotReached) as error:
            _close(job, "FAILED")
            if not restarts_left:
                raise
            print(f"{job.asset}: {error}\nstarting again; restarts left: {restarts_left}", flush=True)
        except BaseException:
            _close(job, "KILLED")
            raise


def _command(job: Job, module: str, beside: Path) -> Command:
    """What starts the ranks; the files that tell them what to do lie in the folder `beside`."""
    settings = job.launch.model_copy(update={"hostfile": str(job.hostfile) if job.hostfile else None})
    command = Command(
        argv=argv(LaunchSpec(module, job.write(beside), settings)),
        environment=environment(settings, job.root),
        logs=job.folder / "logs",
        heartbeat=job.project.var / "progress" / f"{job.asset}.json",
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    if settings.launcher in ("torchrun", "env"):
        return command
    return write_exports(beside / "exports.env", command)


def _close(job: Job, status: Status) -> None:
    """Ranks that were killed could not end their MLflow run; this process can."""
    from ops.training.recording.mlflow_run import close_run

    close_run(job, status)
