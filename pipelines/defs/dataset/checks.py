"""Great Expectations suites as blocking checks: what fails here stops everything downstream in the same run."""

from typing import TYPE_CHECKING

import dagster as dg

from ops.data.blocking_checks import BLOCKING_CHECKS
from pipelines.check_steps import SUFFIX
from pipelines.factories import metadata
from pipelines.resources.project import ProjectResource

if TYPE_CHECKING:
    from ops.data.validation import Validation


def expectation_check(table: str, asset: str) -> dg.AssetChecksDefinition:
    """Of a table, on the page of the asset that writes it."""
    specification = dg.AssetCheckSpec(
        "meets_expectations" if table == asset else f"{table}_meet_expectations",
        asset=asset,
        blocking=True,
        description=f"The Great Expectations suite of {table}; a failure names the offending rows.",
    )

    @dg.multi_asset_check(name=f"{table}{SUFFIX}", specs=[specification])
    def check(project: ProjectResource) -> dg.AssetCheckResult:
        from ops.data import expectations, validation_page

        validation = expectations.validate(project.get(), table)
        return dg.AssetCheckResult(
            asset_key=specification.asset_key,
            check_name=specification.name,
            passed=validation.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            description=validation_page.report(validation),
            metadata=told(validation),
        )

    return check


def told(validation: "Validation") -> dict[str, dg.MetadataValue]:
    """Every expectation, and the ranges of the columns that tell most, as tables."""
    against = {failure["expectation"]: failure["count"] for failure in validation.failures}
    expectations = [
        {"expectation": each, "holds": each not in against, "rows against it": against.get(each, 0)}
        for each in validation.expectations
    ]
    ranges = {name: of for name, of in validation.statistics.items() if isinstance(of, dict)}
    failures = "; ".join(against) or None
    figures = {"rows": validation.statistics["rows"], "failures": failures, "statistics": ranges}
    return {**metadata.values(figures), "expectations": metadata.table(expectations)}


@dg.definitions
def checks() -> dg.Definitions:
    return dg.Definitions(asset_checks=[expectation_check(*each) for each in BLOCKING_CHECKS.items()])
