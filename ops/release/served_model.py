"""A released model as MLflow loads and serves it, from what lies in its registry and the package soraflow alone.

`mlflow.pyfunc.load_model("models:/NAME@champion")` and `mlflow models serve` come here, for the model's `MLmodel` file
names this module; nothing that could run is kept with the weights, which are safetensors.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.config import Settings
from ops.generation.model import VideoModel
from ops.generation.parts import Parts
from ops.runtime.project import Project
from ops.sampling.request import Request, SamplingError

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

MODEL, RECIPE = "model.json", "recipe.json"
PARAMETERS = (
    *("seed", "steps", "guidance", "guidance_rescale", "frames", "height", "width", "fps", "sampler"),
    "negative_prompt",
)


class WeightsNotCopied(RuntimeError):
    """Only the model's description is in the registry; the message says why, and how to change that."""


class CopiedProject(Project):
    """A folder that holds one model and nothing else; it computes on the best accelerator of this machine."""

    @cached_property
    def settings(self) -> Settings:
        from ops.runtime.device import available

        recipe = Settings.model_validate_json((self.root / RECIPE).read_text(encoding="utf-8"))
        launch = recipe.launch.model_copy(update={"accelerator": available()[0]})
        return recipe.model_copy(update={"launch": launch})

    @property
    def weights(self) -> Path:
        return self.root / "weights"


class ServedModel:
    """Prompts in, MP4 files out."""

    def __init__(self, folder: Path) -> None:
        described = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        if described["not_copied"]:
            raise WeightsNotCopied(described["not_copied"])
        self._project = CopiedProject(folder)
        self._model = VideoModel(self._project, Parts.of_json(json.dumps(described["parts"])))
        for part in ("denoiser", "vae", "encode_text"):  # now, and not when somebody waits for a first video
            getattr(self._model, part)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A row for each prompt: the prompt, `video` (an MP4 file as Base64 text), and what it was made with.

        `data` is a table whose first column holds prompts, or a list of them; `params` are those of the signature, and
        what they leave out is as in the recipe's evaluation.

        Raises:
            MlflowException: something asked for cannot be made; the message says what can, and a server passes it on.
        """
        import pandas as pd
        from mlflow.exceptions import MlflowException

        prompts = data.iloc[:, 0] if isinstance(data, pd.DataFrame) else [data] if isinstance(data, str) else data
        try:
            return pd.DataFrame([self._row(str(prompt), params or {}) for prompt in prompts])
        except SamplingError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error

    def _row(self, prompt: str, params: Mapping[str, Any]) -> dict[str, Any]:
        from ops.generation.render import render

        chosen = {name: params[name] for name in PARAMETERS if name in params}
        seed = int(chosen.pop("seed", 0))
        request, notes = Request.of(self._project.settings.evaluation, prompt, seed, **chosen).checked()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "video.mp4"
            notes = render(self._model, request, path, notes=notes)
            video = base64.b64encode(path.read_bytes()).decode("ascii")
        return {**request.as_json(), "video": video, "notes": "; ".join(notes)}


def _load_pyfunc(data_path: str) -> ServedModel:
    """MLflow calls this."""
    return ServedModel(Path(data_path))


def signature(settings: Settings) -> ModelSignature:
    """What MLflow checks before `predict`, and shows to people: a column of prompts, and how to sample."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    types = {str: "string", int: "long", float: "double"}
    defaults = Request.of(settings.evaluation, "", 0).as_json()
    specs = [ParamSpec(name, types[type(defaults[name])], defaults[name]) for name in PARAMETERS]
    outputs: list[ColSpec | TensorSpec] = [ColSpec(types[type(value)], name) for name, value in defaults.items()]
    outputs += [ColSpec("string", "video"), ColSpec("string", "notes")]
    return ModelSignature(Schema([ColSpec("string")]), Schema(outputs), ParamSchema(specs))
