"""A person's word where the gate cannot judge, for example between models of two datasets: kept with its reason."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from ops.data.findings import require_checks
from ops.release.champion import promote
from ops.release.gate import require_licences
from ops.release.registry import CHAMPION, Registry, Version
from ops.release.trace import trace
from ops.runtime.project import Project


def accept(project: Project, version: str | int, reason: str) -> Version:
    """Make a version champion although the gate refused it; the old champion becomes previous.

    The blocking checks still have to have passed, and nothing may be under one of `release.exclude_licences`.

    Raises:
        ValueError: no reason is given, or the version is champion already.
        GateClosed: the checks of the data have not passed, or a licence is excluded.
        UnknownVersion: there is no such version.
    """
    if not reason.strip():
        raise ValueError("say why: the reason is kept with the version")
    registry, name = Registry.named(project, str(version))
    chosen, champion = registry.version(name), registry.aliased(CHAMPION)
    if champion and champion.number == chosen.number:
        raise ValueError(f"{chosen.model} version {chosen.number} is champion already")
    made = trace(project, version)
    require_checks(project, made.datasets)
    require_licences(project, made)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    registry.tag(chosen, {"accepted": f"{now} by {os.environ.get('USER') or os.getuid()}: {reason.strip()}"})
    promote(registry, chosen, champion)
    return registry.version(chosen.number)
