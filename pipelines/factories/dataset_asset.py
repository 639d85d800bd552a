"""Assets whose output DVC versions: each is a stage of `dvc.yaml`, and its DVC hash is its data version."""

from collections import Counter
from typing import Literal

import dagster as dg

from ops.runtime.project import Project
from ops.steps import STEPS
from pipelines.factories import metadata
from pipelines.factories.modules import function
from pipelines.resources.project import ProjectResource


def dataset_asset(name: str, *, group: str, description: str) -> dg.AssetsDefinition:
    """The asset of one step of `ops.steps`; materialising it is what `dvc repro NAME` does, and is recorded."""
    step = STEPS[name]

    @dg.asset(
        name=name,
        deps=list(step.inputs),
        group_name=group,
        description=description,
        kinds={"dvc", "parquet"},
        pool="dvc",
    )
    def asset(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
        from ops.data import dvc

        home = project.get()
        asked_again = _parked_asked_again(home, name)
        version = dvc.materialise(home, name, force=asked_again or _sources_changed(home, name))
        if asked_again:
            function("ops.curation.measuring.ledger:forget_asking")(home, name)
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
    return changed(project, name)


def _parked_asked_again(project: Project, name: str) -> bool:
    """Nothing that DVC watches changes when inputs that had failed are to be tried again."""
    return function("ops.curation.measuring.ledger:is_asked_again")(project, name)


def _contents(project: Project, name: str) -> dict[str, dg.MetadataValue]:
    folder = project.data / name
    if folder.is_dir():
        return metadata.pictures(folder)
    from ops.runtime import tables

    verdicts = tables.read_columns(project.table(name), ["rejected_by"])["rejected_by"]
    counts = {count["values"]: count["counts"] for count in verdicts.value_counts().to_pylist()}
    kept = counts.pop(None, 0)
    rejected = Counter(counts)
    found: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(len(verdicts)),
        "kept": dg.MetadataValue.int(kept),
    }
    if name in ("curated_clips", "curated_images"):
        found |= _run(project, "video" if name == "curated_clips" else "image")
    if name == "captions":
        found |= metadata.values(function("ops.data.captions:totals")(project))
    if rejected:
        lines = [f"| {by} | {count} |" for by, count in rejected.most_common()]
        found["rejected"] = dg.MetadataValue.md("\n".join(["| rejected by | rows |", "|---|---|", *lines]))
    return found


def _run(project: Project, kind: Literal["video", "image"]) -> dict[str, dg.MetadataValue]:
    """The funnel of the run that made the table, with what measuring cost, and the record to compare it by."""
    from ops.curation.runs.records import runs
    from ops.reports.costs import funnel_with_costs

    known = runs(project, kind)
    if not known:
        return {}
    funnel = funnel_with_costs(known[-1].record["funnel"], known[-1].record["costs"])
    return {"run": dg.MetadataValue.text(known[-1].name), "funnel": dg.MetadataValue.md(funnel)}
