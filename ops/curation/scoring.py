"""Getting a step's scores: from the store where they are, from one pass over each source where they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ops.curation.clip import Clip
from ops.curation.one_pass import SourceTask, score_key, score_source
from ops.curation.scorers import STEPS, demand_weights, identity
from ops.curation.scores import ScoreStore
from ops.curation.sources import file_of
from ops.data.tables import Row
from ops.runtime import parallel
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project

CLIPS_PER_TASK = 32
"""What is lost at most when a run is killed in the middle of a long source."""


def scores_of(project: Project, step: str, rows: Sequence[Row]) -> dict[str, Any]:
    """{clip_id: raw score, or Failure} of this step for every row given.

    Raises:
        MissingWeights: something has to be measured, and a scorer of this or a later step cannot run here.
    """
    curation, store = project.settings.curation, ScoreStore.of(project)
    for each in STEPS[STEPS.index(step) :]:
        store.remember(each, identity(each, curation))
    known = store.of_sources({row["sha256"]: None for row in rows})
    keys = {row["clip_id"]: score_key(step, Clip.of(row), curation) for row in rows}
    missing = [row for row in rows if keys[row["clip_id"]] not in known[row["sha256"]]]
    progress = Progress.of(project, step, len(missing), "clips")
    failures: dict[str, Failure] = {}
    if missing:
        demand_weights(project, curation, STEPS[STEPS.index(step) :])
    done = 0
    tasks = _tasks(project, step, missing, known)
    for task, result in parallel.map(score_source, tasks, curation):
        done += len(task.clips)
        progress.update(done)
        if isinstance(result, Failure):
            failures |= {clip.id: result for clip in task.clips}
            continue
        store.put(result)
        known[task.clips[0].sha256] |= {score.key: score.value for score in result}
    return {row["clip_id"]: failures.get(row["clip_id"]) or known[row["sha256"]][keys[row["clip_id"]]] for row in rows}


def _tasks(project: Project, step: str, rows: Sequence[Row], known: dict[str, dict[str, Any]]) -> list[SourceTask]:
    """Neighbouring clips of a source go together, so that one pass decodes them."""
    files = {row["sha256"]: file_of(project, row["root"], row["path"]) for row in rows}
    clips: dict[str, list[Clip]] = defaultdict(list)
    for row in rows:
        clips[row["sha256"]].append(Clip.of(row))
    tasks = []
    for sha256, all_clips in clips.items():
        ordered = sorted(all_clips, key=lambda clip: (clip.start, clip.end))
        for start in range(0, len(ordered), CLIPS_PER_TASK):
            part = tuple(ordered[start : start + CLIPS_PER_TASK])
            tasks.append(SourceTask(project, project.settings.curation, step, files[sha256], part, known[sha256]))
    return tasks
