"""See what a rule of curation would change before it is in the recipe: scores are stored, so nothing is measured.

`python examples/add_a_rule.py aesthetic.minimum=20`, inside a project whose clips have been curated. To take the rule
over, use `soraflow run --set curation.rules.aesthetic.minimum=20`.
"""

from __future__ import annotations

import argparse
from collections import Counter

from ops.config import load
from ops.curation.audit.retention import outcome
from ops.runtime import tables
from ops.runtime.project import Project


def with_rule(project: Project, rule: str) -> tuple[Counter[str], Counter[str]]:
    """(now, with the rule): how many clips are kept, rejected by each step, or lack a score that would decide.

    `rule` is SCORE.BOUND=VALUE; it is laid over the project's own rules, and `params.yaml` stays as it is.
    """
    rules = load(project.root, assignments=[f"curation.rules.{rule}"]).curation
    rows = tables.read(project.table("curated_clips"))
    return Counter(row["rejected_by"] or "kept" for row in rows), Counter(outcome(row, rules) for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rule", help="SCORE.BOUND=VALUE, as in aesthetic.minimum=20")
    now, then = with_rule(Project.find(), parser.parse_args().rule)
    print("  now  then")
    for outcome_of_clip in sorted({*now, *then}):
        print(f"{now[outcome_of_clip]:5} {then[outcome_of_clip]:5}  {outcome_of_clip}")
