"""Assets whose output DVC versions: each is a stage of `dvc.yaml`, and its DVC hash is its data version."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg

from ops.runtime.project import Project
from ops.steps import STEPS
from pipelines import pictures
from pipelines.factories import metadata
from pipelines.factories.modules import function
from pipelines.factories.run_version import name_version
from pipelines.factories.source_code import references
from pipelines.resources.project import ProjectResource

if TYPE_CHECKING:
    from ops.runtime.tables import Row


def dataset_asset(name: str, *, group: str) -> dg.AssetsDefinition:
    """The asset of one step of `ops.steps`; materialising it is what `dvc repro NAME` does, and is recorded."""
    step = STEPS[name]

    @dg.asset(
        name=name,
        deps=list(step.inputs),
        group_name=group,
        description=step.description,
        kinds={"dvc", "matplotlib" if name == "dataset_report" else "parquet"},
        metadata=references(step.function),
        pool="dvc",
    )
    def asset(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
        from ops.data import dvc
        from ops.data.dataset_version import keep

        home = project.make_dataset(name, context.log.warning)
        asked_again = _parked_asked_again(home, name)
        version = dvc.materialise(home, name, force=asked_again or _sources_changed(home, name))
        if asked_again:
            function("ops.curation.measuring.ledger:forget_asking")(home, name)
        if name == "training_set":
            keep(home, version.hash)
            name_version(context, version.hash)
        context.log.info(f"{name}: {version.action}, version {version.hash}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.hash),
            metadata={**metadata.values({"action": version.action}), **_contents(home, name)},
        )

    return asset


def _sources_changed(project: Project, name: str) -> bool:
    """DVC watches settings, not folders outside the project; a new file in one of those must be noticed here."""
    if name not in ("raw_videos", "raw_images"):
        return False
    changed = function("ops.curation.sources.listing:listing_changed")
    return bool(changed(project, name))


def _parked_asked_again(project: Project, name: str) -> bool:
    """Nothing that DVC watches changes when inputs that had failed are to be tried again."""
    return bool(function("ops.curation.measuring.ledger:is_asked_again")(project, name))


def _contents(project: Project, name: str) -> dict[str, dg.MetadataValue]:
    if name == "training_set":
        return _samples(project)
    if (folder := project.data / name).is_dir():
        return pictures.shown(project, folder)
    rows, found = _stored(name, project.table(name))
    rejected = _rejected(project.table(name))
    found["kept"] = dg.MetadataValue.int(rows - sum(row["rows"] for row in rejected))
    if name in ("curated_clips", "curated_images"):
        found |= _run(project, "video" if name == "curated_clips" else "image")
    if left_out := function("ops.curation.sources.listing:files_left_out")(project, name):
        lines = [f"| {each.what} | {each.told} | `{each.example}` | {each.remedy} |" for each in left_out]
        head = ["| files that are no sources | how many | for example | to use them |", "|---|---|---|---|"]
        found["left out"] = dg.MetadataValue.md("\n".join([*head, *lines]))
    if name == "captions":
        found |= metadata.values(function("ops.data.captions:totals")(project))
    if rejected:
        found["rejected"] = metadata.table(rejected)
    return found


def _rejected(path: Path) -> "list[Row]":
    """How many rows each step has rejected and, where the table has codes, for which reason; the most first."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    keys = [name for name in ("rejected_by", "reason_code") if name in pq.read_schema(path).names]
    verdicts = pq.read_table(path, columns=keys).filter(pc.field("rejected_by").is_valid())
    counted = verdicts.group_by(keys).aggregate([([], "count_all")]).sort_by([("count_all", "descending")])
    rows: list[Row] = counted.rename_columns([*keys, "rows"]).to_pylist()
    return rows


def _stored(name: str, path: Path) -> tuple[int, dict[str, dg.MetadataValue]]:
    """How many rows a table has, and what Dagster shows of any: that, and its columns."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    rows = file.metadata.num_rows
    return rows, {"dagster/row_count": dg.MetadataValue.int(rows), **metadata.columns(name, file.schema_arrow)}


def _samples(project: Project) -> dict[str, dg.MetadataValue]:
    from ops.runtime import tables

    folder = project.data / "training_set"
    _, found = _stored("training_set", folder / "samples.parquet")
    buckets = [{**row, "dropped": len(row["dropped"] or ())} for row in tables.read(folder / "buckets.parquet")]
    return {**found, "buckets": metadata.table(buckets)}


def _run(project: Project, kind: Literal["video", "image"]) -> dict[str, dg.MetadataValue]:
    """The funnel of the run that made the table, with what measuring cost, and the record to compare it by."""
    from ops.curation.runs.records import runs
    from ops.reports.costs import funnel_with_costs

    known = runs(project, kind)
    if not known:
        return {}
    funnel = funnel_with_costs(known[-1].record["funnel"], known[-1].record["costs"])
    return {"run": dg.MetadataValue.text(known[-1].name), "funnel": metadata.table(funnel)}
