"""Great Expectations suites as blocking checks: what fails here stops everything downstream in the same run."""

import dagster as dg

from ops.data.expectation_suites import SUITES
from ops.data.table_suites import TABLES
from pipelines.resources.project import ProjectResource


def expectation_check(asset: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="meets_expectations",
        blocking=True,
        description=f"The Great Expectations suite of {asset}; a failure names the offending rows.",
    )
    def check(project: ProjectResource) -> dg.AssetCheckResult:
        from ops.data import expectations

        validation = expectations.validate(project.get(), asset)
        return dg.AssetCheckResult(
            passed=validation.passed,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "failures": dg.MetadataValue.json(validation.failures),
                "statistics": dg.MetadataValue.json(validation.statistics),
            },
        )

    return check


@dg.definitions
def checks() -> dg.Definitions:
    return dg.Definitions(asset_checks=[expectation_check(asset) for asset in (*TABLES, *SUITES)])
