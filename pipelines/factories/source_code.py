"""Where the code of an asset is: the page shows it and opens it in an editor on the same machine."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import dagster as dg

ROOT = Path(__file__).resolve().parents[2]


def references(function: str) -> dict[str, dg.CodeReferencesMetadataValue]:
    """The code reference of the function that `package.module:name` names, without importing it.

    Raises:
        ValueError: the module's file does not define it.
    """
    module, _, name = function.partition(":")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    lines = path.read_text(encoding="utf-8").splitlines()
    places = [number for number, line in enumerate(lines, 1) if re.match(rf"def {re.escape(name)}\b", line)]
    if not places:
        raise ValueError(f"{path} defines no function '{name}'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=places[0], label=function)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
