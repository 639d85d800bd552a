"""VBench's suite of prompts: what is asked for, by which dimensions it is scored, and how its videos are called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops import weights
from ops.evaluation.vbench.dimensions import DIMENSIONS
from ops.runtime.files import digest
from ops.runtime.project import Project

ENTRY, FILE = "vbench-suite", "VBench_full_info.json"
USUAL, FLICKERING = 5, 25
"""Videos a prompt; of those for flickering, the static filter keeps five at most."""
STATIC = "temporal_flickering"


@dataclass(frozen=True)
class SuitePrompt:
    text: str
    dimensions: tuple[str, ...]
    """By which its videos are scored."""
    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Dimension → what is asked for in its terms, such as {'color': {'color': 'red'}}."""

    @property
    def videos(self) -> int:
        """How many of it are made."""
        return FLICKERING if STATIC in self.dimensions else USUAL


class Suite(dict[str, SuitePrompt]):
    """Prompts by their text. Two of the file's 946 stand in it twice, for two sets of dimensions, and are one here."""

    def of(self, dimension: str) -> list[SuitePrompt]:
        return [prompt for prompt in self.values() if dimension in prompt.dimensions]

    def asked(self, prompt: str | None) -> Mapping[str, Mapping[str, str]]:
        """Nothing for a prompt that is not of the suite."""
        found = self.get(prompt or "")
        return found.asked if found else {}

    @property
    def hash(self) -> str:
        return digest([[prompt.text, list(prompt.dimensions)] for prompt in self.values()])


def suite(project: Project) -> Suite:
    """The official one, in the order of the file.

    Raises:
        MissingWeights: it was not fetched.
    """
    return read(weights.ensure(project, ENTRY) / FILE)


def suite_if_here(project: Project) -> Suite:
    """An empty one where it was not fetched."""
    return suite(project) if weights.status(project, ENTRY).state == "ready" else Suite()


def read(file: Path) -> Suite:
    """A file in the form of `VBench_full_info.json`.

    Raises:
        ValueError: it has another form, or names a dimension that there is not.
    """
    found = Suite()
    for number, row in enumerate(json.loads(file.read_text(encoding="utf-8"))):
        if not isinstance(row, dict) or not isinstance(row.get("prompt_en"), str) or "dimension" not in row:
            raise ValueError(
                f"{file}: entry {number} has no prompt_en and dimension; it is not VBench's list of prompts"
            )
        if unknown := set(row["dimension"]) - {dimension.name for dimension in DIMENSIONS}:
            raise ValueError(f"{file}: entry {number} names {', '.join(sorted(unknown))}, which VBench does not have")
        text, before = row["prompt_en"], found.get(row["prompt_en"])
        asked = {name: _flat(terms) for name, terms in row.get("auxiliary_info", {}).items()}
        dimensions = [*(before.dimensions if before else ()), *row["dimension"]]
        earlier = before.asked if before else {}
        found[text] = SuitePrompt(text, tuple(dict.fromkeys(dimensions)), {**earlier, **asked})
    return found


def file_name(prompt: str, number: int, suffix: str = ".mp4") -> str:
    """As VBench looks for it.

    Raises:
        ValueError: the prompt holds a slash, which no file name can.
    """
    if "/" in prompt:
        raise ValueError(f"a prompt with a slash cannot be a file's name: '{prompt}'; name it in a file for --prompts")
    return f"{prompt}-{number}{suffix}"


def split_name(stem: str) -> tuple[str, int | None]:
    """The prompt and the number in a file's name; without a number, the whole of it is the prompt."""
    prompt, dash, number = stem.rpartition("-")
    return (prompt, int(number)) if dash and number.isdigit() else (stem, None)


def expected_files(prompts: Iterable[SuitePrompt], suffix: str = ".mp4") -> list[str]:
    return [file_name(prompt.text, number, suffix) for prompt in prompts for number in range(prompt.videos)]


def _flat(terms: object) -> dict[str, str]:
    """Some terms of the file lie in an object of the same name once more."""
    if isinstance(terms, str):
        raise ValueError(f"auxiliary_info holds '{terms}' where terms by name were expected")
    assert isinstance(terms, dict)
    inner = next(iter(terms.values()))
    return {**inner} if isinstance(inner, dict) else {**terms}
