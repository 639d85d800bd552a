"""Where the two web pages of a project are: `soraflow up` says so when it starts, links need it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from urllib.parse import quote

from ops.runtime.files import write_json
from ops.runtime.project import Project

TRAININGS = "workflowType=machine_learning"
"""Without it MLflow opens its pages for language models, which show neither trainings nor registered models."""


@dataclass(frozen=True)
class Pages:
    """The addresses of both pages, and of what is on them."""

    dagster: str = "http://127.0.0.1:3000"
    mlflow: str = "http://127.0.0.1:5000"

    @classmethod
    def of(cls, project: Project) -> Pages:
        """As `soraflow up` served them last, or as it would by default; MLflow's own server, if one is named."""
        path = project.var / "pages.json"
        pages = cls(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else cls()
        store = project.tracking_uri
        return cls(pages.dagster, store.rstrip("/")) if store.startswith(("http://", "https://")) else pages

    def write(self, project: Project) -> None:
        write_json(project.var / "pages.json", asdict(self))

    def dagster_run(self, run_id: str) -> str:
        return f"{self.dagster}/runs/{run_id}"

    def dagster_asset(self, asset: str) -> str:
        return f"{self.dagster}/assets/{asset}"

    def mlflow_trainings(self) -> str:
        """The list of experiments."""
        return self._mlflow("experiments")

    def mlflow_experiment(self, experiment_id: str) -> str:
        """Its runs."""
        return self._mlflow("experiments", experiment_id, "runs")

    def mlflow_run(self, experiment_id: str, run_id: str, tab: str = "") -> str:
        """`tab` is, for example, `model-metrics`, or `artifacts/` with the path of a file, which is then shown."""
        return self._mlflow("experiments", experiment_id, "runs", run_id, *tab.split("/"))

    def mlflow_checkpoint(self, experiment_id: str, logged_model: str) -> str:
        return self._mlflow("experiments", experiment_id, "models", logged_model)

    def mlflow_model(self, name: str) -> str:
        """A registered model with all its versions."""
        return self._mlflow("models", name)

    def mlflow_version(self, name: str, version: int) -> str:
        """A version of a registered model."""
        return self._mlflow("models", name, "versions", str(version))

    def _mlflow(self, *place: str) -> str:
        """Every link to MLflow is made here. The page's shorter route to a run (`runs/ID`) forgets the view."""
        route = "/".join(quote(part, safe="") for part in place if part)
        return f"{self.mlflow}/#/{route}?{TRAININGS}"
