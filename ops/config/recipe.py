"""Reading and changing `params.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from ops.config.explanation import explain
from ops.config.overrides import assign, merge
from ops.config.section import ConfigError
from ops.config.settings import Settings
from ops.runtime.files import replacing

HEADER = """\
# The recipe: a preset from configs/, and below it whatever you change, for example
#   dataset: {max_area: 16384}
"""


def load(root: Path, preset: str | None = None, assignments: Sequence[str] = ()) -> Settings:
    """The settings of the project in `root`, from its `params.yaml` and preset.

    Another preset, and `a.b.c=value` assignments, are laid over them without being written.
    """
    return resolve(root, *_chosen(root, preset, assignments))


def resolve(root: Path, preset: str, overrides: Mapping[str, object]) -> Settings:
    """A preset with overrides laid over it, validated."""
    if preset not in presets(root):
        raise ConfigError(f"preset '{preset}' is unknown; configs/ has: {', '.join(presets(root))}")
    path = root / "configs" / f"{preset}.yaml"
    tree = merge({"name": preset, **read_yaml(path)}, overrides)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(explain(error, tree, path, overrides, root / "params.yaml")) from None


def change(root: Path, preset: str | None, assignments: list[str]) -> Settings:
    """Write a preset and `a.b.c=value` assignments into `params.yaml`, once the result is known to be valid.

    Naming another preset drops the overrides made for the old one.
    """
    path = root / "params.yaml"
    chosen, params = _chosen(root, preset, assignments)
    settings = resolve(root, chosen, params)
    text = HEADER + yaml.safe_dump({"preset": chosen, **params}, sort_keys=False)
    if yaml.safe_load(path.read_text(encoding="utf-8")) != yaml.safe_load(text):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return settings


def _chosen(root: Path, preset: str | None, assignments: Sequence[str]) -> tuple[str, dict[str, object]]:
    """The preset, and what is laid over it: the overrides of `params.yaml`, if it names that preset, and these."""
    path = root / "params.yaml"
    params = read_yaml(path)
    old = params.pop("preset", None)
    if preset not in (None, old):
        params = {}
    for assignment in assignments:
        assign(params, assignment)
    chosen = preset or old
    if not isinstance(chosen, str):
        raise ConfigError(f"{path}: 'preset' is missing; write one of: {', '.join(presets(root))}")
    return chosen, params


def presets(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "configs").glob("*.yaml"))


def read_yaml(path: Path) -> dict[str, object]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; run soraflow inside a project, or set SORAFLOW_PROJECT") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping, but holds {type(tree).__name__}")
    return tree
