"""When an asset asks to be made again without anybody clicking."""

from __future__ import annotations

from dagster import AutomationCondition as When

# A new version of the data, not a mere re-materialisation of the same one; and never on data that failed its checks.
RETRAIN = (
    When.any_deps_match(When.data_version_changed()).since_last_handled()
    & When.all_deps_blocking_checks_passed()
    & ~When.in_progress()
    & ~When.any_deps_in_progress()
).with_label("new data that passed its checks")
