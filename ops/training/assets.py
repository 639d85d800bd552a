"""The trainings as assets: what each is made from, the job that describes it, and the artifact that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ops.config import ConfigError, Denoiser, Schedule, Settings, Stage, Vae
from ops.data.latents import LatentsResults, vae_of
from ops.data.text_embeddings import made_for
from ops.runtime.artifacts import Artifact, Identity, Work, current, find
from ops.runtime.files import digest, sha256
from ops.runtime.project import Project
from ops.runtime.tracking.pipeline_run import Status
from ops.training import checkpoints
from ops.training.job import Job
from ops.training.launch import Command, LaunchError, LaunchSpec, argv, environment, write_exports
from ops.training.launch import run as run_command
from ops.training.mlflow_records import restore_records
from ops.training.readiness import TRAINABLE
from ops.training.results import Adopted, InitFrom, Trained

CODE = 1
"""Raised when the same settings would train a different model; part of every fingerprint."""

Launch = Callable[[Command], None]


class ForeignLatents(ValueError):
    """Weights that were trained on the latents of another VAE, of which a stage cannot start."""


class VaeIdentity(Identity, Vae):
    """All of the section `vae`, and what any training depends on."""

    code: int = CODE
    seed: int

    def setting(self, key: str) -> str | None:
        return key if key in ("code", "seed") else f"vae.{key}"


class AdoptedIdentity(Identity):
    released: dict[str, str]
    """File → its sha256."""


class StageIdentity(Identity):
    """A stage, what all stages share, and what any training depends on."""

    code: int = CODE
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


def train_vae(
    project: Project, launch: Launch = run_command, dataset: str | None = None
) -> Artifact[Trained] | Artifact[Adopted]:
    """The video VAE, trained on a version of the training set (None: the current one), or found finished.

    Resumes an interrupted training.
    """
    from ops.data.dvc import version

    settings = project.settings
    if settings.vae.released:
        return adopt_vae(project, settings.vae.released)
    _check_trainable("vae.architecture", settings.vae.architecture, "wfvae", "name finished weights in vae.released")
    dataset = dataset or version(project, "training_set")
    work = vae_work(project, dataset)
    return _finished(work) or _train(work, "ops.training.wfvae", None, dataset, None, launch)


def vae_work(project: Project, dataset: str) -> Work[Trained]:
    """The work of training the VAE on a version of the training set."""
    settings = project.settings
    vae = settings.vae
    identity = VaeIdentity(seed=settings.seed, **{name: getattr(vae, name) for name in Vae.model_fields})
    return Work(project, vae.architecture, {"training_set": dataset}, identity, Trained)


def adopt_vae(project: Project, released: str) -> Artifact[Adopted]:
    """Finished weights in place of a training: `released` is a folder, or an entry of the weights registry."""
    from models import released as released_models

    work, folder = adoption_work(project, released)
    if done := work.finished():
        return done
    released_models.save_pretrained(released_models.from_pretrained(folder), work.folder / "released")
    version = digest(work.identity.payload()["released"])
    return work.finish(version, Adopted(released="released", source=released))


def adoption_work(project: Project, released: str) -> tuple[Work[Adopted], Path]:
    """The work of adopting weights, and the folder that they lie in."""
    from ops import weights

    folder = project.root / released
    if not folder.is_dir():
        folder = weights.ensure(project, released)
    content = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
    identity = AdoptedIdentity(released=content)
    return Work(project, project.settings.vae.architecture, {}, identity, Adopted), folder


def train_stage(project: Project, name: str, launch: Launch = run_command) -> Artifact[Trained]:
    """A stage of the denoiser, from the best checkpoint of the stage before it, or from scratch if it is the first.

    It is of the version of the training set that the latents are of, whatever has become current since.

    Raises:
        MissingArtifact: when the latents, the text embeddings or the stage before have not been made.
        ForeignLatents: when the stage before was trained on the latents of another VAE.
    """
    work, init_from = stage_work(project, name)
    return _finished(work) or _train(
        work, "ops.training.denoiser", name, work.inputs["training_set"], init_from, launch
    )


def stage_work(project: Project, name: str) -> tuple[Work[Trained], InitFrom | None]:
    """The work of training a stage on the current latents, and what it starts from; raises as `train_stage` does."""
    settings = project.settings
    stage, before = _find_stage(settings, name)
    _check_trainable("denoiser.architecture", settings.denoiser.architecture, TRAINABLE, f"use {TRAINABLE}")
    latents = current(project, "latents", LatentsResults)
    dataset = latents.inputs["training_set"]
    inputs = {latents.asset: latents.version, "text_embeddings": made_for(project, dataset).version}
    init_from = None
    if before:
        init_from = _hand_over(project, current(project, f"denoiser_{before.name}", Trained), latents)
        inputs[init_from.asset] = init_from.version
    identity = StageIdentity(
        seed=settings.seed,
        schedule=stage.schedule,
        denoiser=settings.denoiser,
        stage=stage,
        text_width=settings.text_encoder.width,
    )
    return Work(project, f"denoiser_{name}", {**inputs, "training_set": dataset}, identity, Trained), init_from


def _finished(work: Work[Trained]) -> Artifact[Trained] | None:
    """The training, when it was done before; what others have deleted of it in MLflow is put back."""
    done = work.finished()
    if done:
        restore_records(work.project, done)
    return done


def _check_trainable(key: str, named: str, trainable: str, remedy: str) -> None:
    if named != trainable:
        raise ConfigError(f"{key} is '{named}', but only '{trainable}' can be trained: {remedy}")


def _find_stage(settings: Settings, name: str) -> tuple[Stage, Stage | None]:
    names = [stage.name for stage in settings.stages]
    if name not in names:
        raise ValueError(f"preset '{settings.name}' has no stage '{name}'; it has: {', '.join(names)}")
    place = names.index(name)
    return settings.stages[place], settings.stages[place - 1] if place else None


def dataset_of_stages(project: Project) -> str:
    """The version of the training set that a stage would be trained on: that of the latents.

    Raises:
        MissingArtifact: when there are none.
    """
    return current(project, "latents", LatentsResults).inputs["training_set"]


def _hand_over(project: Project, artifact: Artifact[Trained], latents: Artifact[LatentsResults]) -> InitFrom:
    """What the next stage starts from: the best average of a finished one, which has to know these latents."""
    theirs = find(project, "latents", artifact.inputs["latents"], LatentsResults)
    one, other = (" ".join(vae_of(each)) if each else None for each in (theirs, latents))
    if one != other:
        raise ForeignLatents(
            f"{artifact.asset} {artifact.version} was trained on latents {artifact.inputs['latents']} of "
            f"{one or 'a VAE that is not known any more'}, but the latents here are of {other}, which mean nothing to "
            f"its weights: train it anew first with `soraflow run --select {artifact.asset}`"
        )
    return InitFrom(
        asset=artifact.asset,
        version=artifact.version,
        folder=artifact.folder / artifact.results.released,
        logged_model=artifact.results.logged_model,
        mlflow_run_id=artifact.results.mlflow_run_id,
        latents=artifact.inputs["latents"],
    )


def _train(
    work: Work[Trained], module: str, stage: str | None, dataset: str, init_from: InitFrom | None, launch: Launch
) -> Artifact[Trained]:
    settings, project = work.project.settings, work.project
    work.folder.mkdir(parents=True, exist_ok=True)
    job = Job(
        root=project.root.resolve(),
        folder=work.folder.resolve(),
        asset=work.asset,
        stage=stage,
        fingerprint=work.fingerprint,
        inputs=work.inputs,
        dataset_version=dataset,
        init_from=init_from,
        settings=settings,
        pipeline_run=project.pipeline_run,
    )
    _launch(job, module, launch)
    results = Trained.of_json((work.folder / "results.json").read_text(encoding="utf-8"))
    best = work.folder / results.released
    version = digest({"model": checkpoints.content_hash(best.parent, best.name), "settings": work.identity.payload()})
    return work.finish(version=version, results=results)


def _launch(job: Job, module: str, launch: Launch) -> None:
    """Start the ranks, and again after a failure as often as `launch.max_restarts` allows."""
    settings = job.settings.launch.model_copy(update={"hostfile": str(job.hostfile) if job.hostfile else None})
    command = Command(
        argv=argv(LaunchSpec(module, job.write(), settings)),
        environment=environment(settings, job.root),
        logs=job.folder / "logs",
        heartbeat=job.project.var / "progress" / f"{job.asset}.json",
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    if settings.launcher != "torchrun":
        command = write_exports(job.folder / "exports.env", command)
    for restarts_left in reversed(range(settings.max_restarts + 1)):
        try:
            return launch(command)
        except LaunchError as error:
            _close(job, "FAILED")
            if not restarts_left:
                raise
            print(f"{job.asset}: {error}\nstarting again; restarts left: {restarts_left}", flush=True)
        except BaseException:
            _close(job, "KILLED")
            raise


def _close(job: Job, status: Status) -> None:
    """Ranks that were killed could not end their MLflow run; this process can."""
    from ops.training.mlflow_run import close_run

    close_run(job, status)
