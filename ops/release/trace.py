"""What made a model: every artifact and dataset upstream of a released version, written down when it was released."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypedDict

import numpy as np

from ops.curation.scorers.licences import scorer_licence
from ops.data.dataset_version import LostVersion, keep, table_of
from ops.data.latents import ASSET as LATENTS
from ops.data.latents import LatentsResults, vae_of
from ops.evaluation.checkpoint_scores import ScoresResults
from ops.evaluation.reconstruction import ReconstructionResults
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Entry, entries, find
from ops.runtime.files import Document, read_json, write_json
from ops.runtime.project import Project
from ops.training.job import was_trained
from ops.training.recipe import recipe_of
from ops.training.recording.mlflow_records import run_of
from ops.training.results import Adopted, Trained
from ops.weights.results import BASE, ReleasedDenoiser

FILE = "lineage.json"
OF_SOURCE = ("root", "path", "sha256", "kind", "licence")
"""The columns of a sample that say which file it is of."""


@dataclass(frozen=True)
class Made:
    """An asset at one version, and what it was made from. A dataset step has a DVC hash and no inputs here."""

    asset: str
    version: str
    kind: str
    """`artifact`, `dataset`, or `lost` when its folder is no longer there."""
    facts: dict[str, object] = field(default_factory=dict)
    inputs: tuple[Made, ...] = ()

    @classmethod
    def of_json(cls, value: Document) -> Made:
        return cls(**{**value, "inputs": tuple(cls.of_json(each) for each in value["inputs"])})

    def walk(self) -> list[Made]:
        """This and everything upstream, each asset once, upstream first."""
        found = {each.asset: each for part in self.inputs for each in part.walk()}
        return [*found.values(), self]


@dataclass(frozen=True)
class Training:
    """One training on the way: its figures, its MLflow run and the commit that it ran from."""

    asset: str
    steps: int
    metric: str
    first: float
    last: float
    best: float
    best_step: int
    seconds: float
    mlflow_run_id: str | None
    commit: str | None


@dataclass(frozen=True)
class Adoption:
    """A model whose finished weights were adopted, so that nothing was trained."""

    asset: str
    version: str
    source: str | None
    """What the recipe called them: a folder, or an entry of the weights registry."""


@dataclass(frozen=True)
class Source:
    """A file that the dataset was cut from."""

    root: str
    path: str
    sha256: str
    kind: str
    items: int
    """Clips (or images) of it in the training set."""
    licence: str | None = None


@dataclass(frozen=True)
class Trace:
    """The whole answer to "what made this model?"."""

    root: Made
    trainings: tuple[Training, ...]
    datasets: dict[str, str]
    """Dataset step → DVC hash, as the lock named them at release."""
    dataset_note: str | None
    clips: int
    images: int
    samples: dict[str, int]
    """Split → samples."""
    sources: tuple[Source, ...]
    commit: str
    changed: str
    """'true' when tracked files differed from the commit."""
    settings: Document
    scorers: dict[str, str] = field(default_factory=dict)
    """Scorer that decided about the dataset → licence of its weights."""
    adopted: tuple[Adoption, ...] = ()
    """Models on the way that were not trained here."""

    def write(self, folder: Path) -> Path:
        write_json(folder / FILE, asdict(self))
        return folder / FILE

    @classmethod
    def read(cls, path: Path) -> Trace:
        value = read_json(path)
        return cls(
            **{
                **value,
                "root": Made.of_json(value["root"]),
                "trainings": tuple(Training(**each) for each in value["trainings"]),
                "sources": tuple(Source(**each) for each in value["sources"]),
                "adopted": tuple(Adoption(**each) for each in value.get("adopted", ())),
            }
        )


def trace(project: Project, version: str | int) -> Trace:
    """The trace of a released version, by its name (`Registry.named`), from its folder or else from MLflow.

    Raises:
        UnknownVersion: there is no such version.
    """
    from ops.release.registry import Registry

    registry, name = Registry.named(project, str(version))
    found = registry.version(name)
    path = project.root / found.folder / FILE
    if not path.is_file():
        path = registry.download(found, FILE)
    return Trace.read(path)


def look_back(
    project: Project,
    denoiser: Artifact[Trained],
    scores: Artifact[ScoresResults],
    evaluation: Artifact[ReconstructionResults],
) -> Trace:
    """Walk everything upstream of a model that is about to be released: a denoiser with its scores and its VAE's."""
    from ops.runtime.source_code import git_state

    known = _dataset(project, denoiser.inputs["training_set"])
    walk = _Walk(project, known["datasets"])
    made_from = tuple(walk(each.asset, each.version) for each in (scores, evaluation))
    root = Made(project.named("champion"), "", "artifact", {}, made_from)
    nodes = root.walk()
    trained_on = {node.version for node in nodes if node.asset == "training_set"}
    if others := sorted(trained_on - {denoiser.inputs["training_set"]}):
        known["dataset_note"] = f"parts of the model are of other versions of the training set: {', '.join(others)}"
    state, made = git_state(project.root), trainings(project, denoiser)
    return Trace(
        root=root,
        trainings=tuple(_training(project, each) for each in made),
        adopted=_adopted(project, made),
        **known,
        commit=state["git.commit"],
        changed=state["git.dirty"],
        settings=_settings(project, made),
    )


def trainings(project: Project, artifact: Artifact[Trained]) -> list[Artifact[Trained]]:
    """Every training that one was made from, and itself, upstream first."""
    before = [each.of(Trained) for each in _upstream(project, artifact) if was_trained(each.folder)]
    return [*before, artifact]


def _upstream(project: Project, made: Artifact[Trained] | Entry) -> list[Entry]:
    """Every artifact that one was made from, each once, upstream first."""
    found: dict[tuple[str, str], Entry] = {}
    for asset, version in made.inputs.items():
        for before in islice(entries(project, asset, version), 1):
            found |= {(each.asset, each.version): each for each in (*_upstream(project, before), before)}
    return list(found.values())


def _settings(project: Project, made: Sequence[Artifact[Trained]]) -> dict[str, object]:
    """What the last training was done under, with the VAE and the stages before as they were trained, and the sections
    by which it was then scored and released."""
    today = project.settings.model_dump(mode="json")
    return {**trained_settings(made), "evaluation": today["evaluation"], "release": today["release"]}


def trained_settings(made: Sequence[Artifact[Trained]]) -> dict[str, object]:
    """The recipe of the last of these trainings, with the VAE and the stages before as they were trained."""
    recipes = [recipe_of(each) for each in made]
    last = recipes[-1].settings
    vae = next((each.settings["vae"] for each in recipes if each.asset not in each.stages), last["vae"])
    own = {each.asset: each.stages[each.asset] for each in recipes if each.asset in each.stages}
    return {
        **last,
        "vae": vae,
        "stages": [own.get(asset, stage) for asset, stage in recipes[-1].stages.items()],
    }


class Held(TypedDict):
    """What a training set holds, by kind, split and source."""

    clips: int
    images: int
    samples: dict[str, int]
    sources: tuple[Source, ...]


class _Walk:
    """Upstream from an asset's version, looking at each only once."""

    def __init__(self, project: Project, datasets: dict[str, str]) -> None:
        self._project, self._datasets = project, datasets
        self._made: dict[tuple[str, str], Made] = {}

    def __call__(self, asset: str, version: str) -> Made:
        from ops.steps import STEPS

        if (asset, version) not in self._made:
            look = self._step if asset in STEPS else self._artifact
            self._made[asset, version] = look(asset, version)
        return self._made[asset, version]

    def _step(self, asset: str, version: str) -> Made:
        """A dataset step; what it was made from is known only of the version that the denoiser was trained on."""
        from ops.steps import STEPS

        inputs = STEPS[asset].inputs if self._datasets.get(asset) == version else ()
        known = [name for name in inputs if name in self._datasets]
        return Made(asset, version, "dataset", {}, tuple(self(name, self._datasets[name]) for name in known))

    def _artifact(self, asset: str, version: str) -> Made:
        artifact = next(entries(self._project, asset, version), None)
        if artifact is None:
            return Made(asset, version, "lost")
        inputs = tuple(self(name, each) for name, each in artifact.inputs.items())
        return Made(asset, version, "artifact", _facts(self._project, artifact), inputs)


def _facts(project: Project, artifact: Entry) -> dict[str, object]:
    """The artifact's plain results: numbers and names, not tables. For a training, also the commit it ran from."""
    plain: dict[str, object] = {
        key: value for key, value in artifact.results.items() if isinstance(value, str | int | float | None)
    }
    if was_trained(artifact.folder):
        run_id = run_of(artifact.of(Trained))
        plain |= {"mlflow_run_id": run_id, "commit": commit_of(project, run_id)}
    return {**plain, "fingerprint": artifact.fingerprint}


def _adopted(project: Project, made: Sequence[Artifact[Trained]]) -> tuple[Adoption, ...]:
    """The VAE, if it is not among the trainings, and the finished weights that the first stage started from."""
    based = [each.inputs[BASE] for each in made if BASE in each.inputs]
    bases = [each for version in based if (each := find(project, BASE, version, ReleasedDenoiser))]
    return (*_adopted_vae(project, made), *(Adoption(BASE, each.version, each.results.source) for each in bases))


def _adopted_vae(project: Project, made: Sequence[Artifact[Trained]]) -> tuple[Adoption, ...]:
    denoiser = made[-1]
    latents = next(entries(project, LATENTS, denoiser.inputs[LATENTS]), None)
    if latents is None:
        return ()
    asset, version = vae_of(latents.of(LatentsResults))
    found = find(project, asset, version, Adopted) if asset not in [each.asset for each in made] else None
    return (Adoption(asset, version, found.results.source),) if found else ()


def commit_of(project: Project, run_id: str) -> str | None:
    """The commit that a run was started from; None where MLflow does not know it, or not any more."""
    from mlflow.exceptions import MlflowException

    from ops.runtime.tracking.connection import connect

    try:
        return connect(project).get_run(run_id).data.tags.get("git.commit")
    except MlflowException:  # the run was deleted in MLflow; the trace goes on without its commit
        return None


def _training(project: Project, made: Artifact[Trained]) -> Training:
    found = made.results
    return Training(
        asset=made.asset,
        steps=found.steps,
        metric=found.metric,
        first=found.first,
        last=found.last,
        best=found.best,
        best_step=found.best_step,
        seconds=found.seconds,
        mlflow_run_id=run_of(made),
        commit=commit_of(project, run_of(made)),
    )


def _dataset(project: Project, version: str) -> Document:
    """What a trace tells of the version of the training set that was trained on."""
    try:
        dataset = keep(project, version)
    except LostVersion as error:
        note = f"of the dataset only its version is known: {error}"
        nothing: dict[str, object] = {"clips": 0, "images": 0, "samples": {}, "sources": ()}
        return {"datasets": {"training_set": version}, "dataset_note": note, **nothing}
    return {
        "datasets": dataset.made_from,
        "dataset_note": None
        if "curated_clips" in dataset.made_from
        else "what it was curated from is not known any more",
        **held(dataset.samples),
        "scorers": {name: scorer_licence(name) for name in _scorers(project, dataset.made_from)},
    }


def held(samples: Path) -> Held:
    """Of each item only its name and the number of its source are
    in memory."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [name for name in OF_SOURCE if name in tables.names_of(samples)]  # an early one knew no licences
    splits, numbers, items = Counter[str](), dict[str, int](), list[pa.Table]()
    for part in tables.parts(samples, [*columns, "item_id", "split"]):
        splits.update({each["values"]: each["counts"] for each in pc.value_counts(part["split"]).to_pylist()})
        told = (pc.fill_null(part[name], "") for name in columns)
        named = pc.binary_join_element_wise(*told, "\0").combine_chunks().dictionary_encode()
        codes = pa.array([numbers.setdefault(name, len(numbers)) for name in named.dictionary.to_pylist()], pa.int32())
        of_part = pa.table({"source": codes.take(named.indices), "item": part["item_id"]})
        items.append(of_part.group_by(["source", "item"]).aggregate([]))
    distinct = pa.concat_tables(items).group_by(["source", "item"]).aggregate([]) if items else None
    counts = np.bincount(distinct["source"].to_numpy(), minlength=len(numbers)).tolist() if distinct else []
    sources = [
        Source(**dict(zip(columns, name.split("\0"), strict=True)), items=count)
        for name, count in zip(numbers, counts, strict=True)
    ]
    return {
        "clips": sum(each.items for each in sources if each.kind == "video"),
        "images": sum(each.items for each in sources if each.kind == "image"),
        "samples": dict(splits),
        "sources": tuple(
            replace(each, licence=each.licence or None)
            for each in sorted(sources, key=lambda each: (each.root, each.path, each.sha256, each.kind))
        ),
    }


def _scorers(project: Project, datasets: dict[str, str]) -> list[str]:
    """The scorers named in the tables of what was curated, by their columns `…_scorer`."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = set()
    for table in ("curated_clips", "curated_images"):
        if table not in datasets:
            continue
        file = pq.ParquetFile(table_of(project, table, datasets[table]))
        columns = [name for name in file.schema_arrow.names if name.endswith("_scorer")]
        for column in file.read(columns).columns:
            names |= {json.loads(text)["scorer"] for text in pc.unique(column).to_pylist() if text is not None}
    return sorted(names)
