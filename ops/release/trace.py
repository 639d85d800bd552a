"""What made a model: every artifact and dataset upstream of a released version, written down when it was released."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ops.curation.sources.licences import scorer_licence
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, find
from ops.runtime.files import write_json
from ops.runtime.project import Project

FILE = "lineage.json"


@dataclass(frozen=True)
class Made:
    """An asset at one version, and what it was made from. A dataset step has a DVC hash and no inputs here."""

    asset: str
    version: str
    kind: str
    """`artifact`, `dataset`, or `lost` when its folder is no longer there."""
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Made, ...] = ()

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Made:
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
    settings: dict[str, Any]
    scorers: dict[str, str] = field(default_factory=dict)
    """Scorer that decided about the dataset → licence of its weights."""

    def write(self, folder: Path) -> Path:
        write_json(folder / FILE, asdict(self))
        return folder / FILE

    @classmethod
    def read(cls, path: Path) -> Trace:
        value = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            **{
                **value,
                "root": Made.of_json(value["root"]),
                "trainings": tuple(Training(**each) for each in value["trainings"]),
                "sources": tuple(Source(**each) for each in value["sources"]),
            }
        )


def trace(project: Project, version: str | int) -> Trace:
    """The trace of a released version, by number or alias, from its folder or else from MLflow.

    Raises:
        UnknownVersion: there is no such version.
    """
    from ops.release.registry import Registry

    registry = Registry(project)
    found = registry.version(version)
    path = project.root / found.folder / FILE
    if not path.is_file():
        path = registry.download(found, FILE)
    return Trace.read(path)


def look_back(project: Project, scores: Artifact, evaluation: Artifact) -> Trace:
    """Walk everything upstream of a model that is about to be released."""
    from ops.training.source_code import git_state

    dvc = _locked(project)
    walk = _Walk(project, dvc)
    root = Made("champion", "", "artifact", {}, tuple(walk(each.asset, each.version) for each in (scores, evaluation)))
    nodes = root.walk()
    trained_on = {node.version for node in nodes if node.asset == "training_set"}
    known = trained_on == {dvc.get("training_set")}
    counts = _counts(project) if known else {"clips": 0, "images": 0, "samples": {}, "sources": (), "scorers": {}}
    state = git_state(project.root)
    return Trace(
        root=root,
        trainings=tuple(_training(node) for node in nodes if {"best_step", "mlflow_run_id"} <= node.facts.keys()),
        datasets=dvc if known else {"training_set": ", ".join(sorted(trained_on))},
        dataset_note=None if known else "the dataset has changed since the training, so only its version is known",
        **counts,
        commit=state["git.commit"],
        changed=state["git.dirty"],
        settings=project.settings.model_dump(mode="json"),
    )


class _Walk:
    """Upstream from an asset's version, looking at each only once."""

    def __init__(self, project: Project, locked: dict[str, str]) -> None:
        self._project, self._locked = project, locked
        self._made: dict[tuple[str, str], Made] = {}

    def __call__(self, asset: str, version: str) -> Made:
        from ops.steps import STEPS

        if (asset, version) not in self._made:
            look = self._step if asset in STEPS else self._artifact
            self._made[asset, version] = look(asset, version)
        return self._made[asset, version]

    def _step(self, asset: str, version: str) -> Made:
        """A dataset step; what it was made from is known only of the version that the lock names."""
        from ops.steps import STEPS

        inputs = STEPS[asset].inputs if self._locked.get(asset) == version else ()
        known = [name for name in inputs if name in self._locked]
        return Made(asset, version, "dataset", {}, tuple(self(name, self._locked[name]) for name in known))

    def _artifact(self, asset: str, version: str) -> Made:
        artifact = find(self._project, asset, version)
        if artifact is None:
            return Made(asset, version, "lost")
        inputs = tuple(self(name, each) for name, each in artifact.inputs.items())
        return Made(asset, version, "artifact", _facts(self._project, artifact), inputs)


def _facts(project: Project, artifact: Artifact) -> dict[str, Any]:
    """The artifact's plain results: numbers and names, not tables. For a training, also the commit it ran from."""
    plain = {key: value for key, value in artifact.results.items() if isinstance(value, str | int | float | None)}
    if run_id := plain.get("mlflow_run_id"):
        plain["commit"] = _commit_of(project, str(run_id))
    return {**plain, "fingerprint": artifact.fingerprint}


def _commit_of(project: Project, run_id: str) -> str | None:
    from mlflow.exceptions import MlflowException

    from ops.training.mlflow_run import connect

    try:
        return connect(project).get_run(run_id).data.tags.get("git.commit")
    except MlflowException:  # the run was deleted in MLflow; the trace goes on without its commit
        return None


def _training(node: Made) -> Training:
    facts: dict[str, Any] = node.facts
    names = ("steps", "metric", "first", "last", "best", "best_step", "seconds", "mlflow_run_id")
    return Training(node.asset, commit=facts.get("commit"), **{name: facts[name] for name in names})


def _locked(project: Project) -> dict[str, str]:
    """Step → DVC hash of its output, each step after what it is made from."""
    from ops.steps import STEPS

    path = project.root / "dvc.lock"
    stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"] if path.is_file() else {}
    locked = {name: stage["outs"][0]["md5"] for name, stage in stages.items() if stage.get("outs")}
    return {name: locked[name] for name in STEPS if name in locked}


def _counts(project: Project) -> dict[str, Any]:
    samples = tables.read(project.data / "training_set" / "samples.parquet")
    items = {(row["root"], row["path"], row["sha256"], row["kind"], row["item_id"]) for row in samples}
    sources = Counter(item[:4] for item in items)
    licences = {(row["root"], row["path"]): row.get("licence") for row in samples}
    return {
        "clips": sum(item[3] == "video" for item in items),
        "images": sum(item[3] == "image" for item in items),
        "samples": dict(Counter(row["split"] for row in samples)),
        "sources": tuple(
            Source(*source, items=count, licence=licences[source[:2]]) for source, count in sorted(sources.items())
        ),
        "scorers": {name: scorer_licence(name) for name in _scorers(project)},
    }


def _scorers(project: Project) -> list[str]:
    """The scorers named in the tables of what was curated, by their columns `…_scorer`."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = set()
    for table in ("curated_clips", "curated_images"):
        file = pq.ParquetFile(project.table(table))
        columns = [name for name in file.schema_arrow.names if name.endswith("_scorer")]
        for column in file.read(columns).columns:
            names |= {json.loads(text)["scorer"] for text in pc.unique(column).to_pylist() if text is not None}
    return sorted(names)
