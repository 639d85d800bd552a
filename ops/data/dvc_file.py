"""The file `dvc.yaml`, drawn from the steps: `python -m ops.data.dvc_file` writes it after one of them has changed."""

from __future__ import annotations

from pathlib import Path

import yaml

from ops.steps import pipeline

HEADER = """\
# Every dataset step as a DVC stage, drawn from ops/steps.py (a test holds the two together).
# Values are watched in data/settings.yaml: the preset with the overrides of params.yaml laid over it.
"""


class _Indented(yaml.SafeDumper):
    """Lists inside mappings are indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def text() -> str:
    return HEADER + yaml.dump(pipeline(), Dumper=_Indented, sort_keys=False)


if __name__ == "__main__":
    Path("dvc.yaml").write_text(text(), encoding="utf-8")
