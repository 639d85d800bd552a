"""Names by which people tell runs apart: what it is, on which data, and what is different from the time before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

INPUT = "soraflow.input."
"""Begins the tags that name the versions a run was made from."""
DIFFERENCES_NAMED = 2
LONGEST_VALUE = 24


def run_name(
    what: str, dataset: str, parameters: Mapping[str, str], inputs: Mapping[str, str], before: Run | None
) -> str:
    """Such as 'video · data 3f2a91c · stages.video.schedule.steps=40'. `before` is the latest run of its kind."""
    name = f"{what} · data {dataset[:7]}"
    if before is None:
        return name
    return f"{name}{_difference(dataset, parameters, inputs, before)}"


def latest(client: MlflowClient, experiment: str, asset: str) -> Run | None:
    """The newest run of an asset."""
    wanted = f"tags.`soraflow.asset` = '{asset}'"
    found = client.search_runs([experiment], wanted, order_by=["attributes.start_time DESC"], max_results=1)
    return next(iter(found), None)


def _difference(dataset: str, parameters: Mapping[str, str], inputs: Mapping[str, str], before: Run) -> str:
    """Settings first. Other data has other latents, too, so inputs are only named where the data is the same."""
    old, tags = before.data.params, before.data.tags
    changed = [key for key in dict.fromkeys([*parameters, *old]) if parameters.get(key) != old.get(key)]
    if changed:
        named = [f"{key}={_short(parameters.get(key))}" for key in changed[:DIFFERENCES_NAMED]]
        more = len(changed) - len(named)
        return f" · {', '.join(named)}{f' and {more} more' if more else ''}"
    if tags.get("soraflow.dataset_version") != dataset:
        return ""
    others = [asset for asset, version in inputs.items() if tags.get(f"{INPUT}{asset}", version) != version]
    return f" · other {', '.join(others)}" if others else " · again"


def _short(value: str | None) -> str:
    text = "none" if value is None else value
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
