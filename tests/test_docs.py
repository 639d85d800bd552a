"""What the documents promise exists: settings, presets, selections, links, tables and their columns."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from ops import config
from ops.config import Settings
from ops.runtime.project import Project
from ops.steps import STEPS

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted((ROOT / "docs").glob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DOCUMENTS = [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")), *GUIDES, *DECISIONS]
SECTIONS = frozenset(Settings.model_fields)


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def named_settings(text: str) -> list[str]:
    """`section.key` in backticks, with or without `=value`, where the first word is a section of the recipe."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)(?:=[^`]*)?`", prose)
    return [key for key in inline if key.split(".")[0] in SECTIONS and not (ROOT / key).exists()]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `soraflow` command in a sh block; a backslash joins lines."""
    for block in fences(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "soraflow":
                yield words


def options(words: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(words) if option == name]


def exists(model: type[BaseModel], key: str) -> bool:
    head, _, rest = key.partition(".")
    field = model.model_fields.get(head)
    if field is None or not rest:
        return field is not None
    inner: Any = field.annotation
    if get_origin(inner) is tuple:  # of named items, such as the stages
        inner, rest = get_args(inner)[0], rest.partition(".")[2]
    return any(exists(section, rest) for section in sections_in(inner))


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """A section, or those that one may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for each in get_args(annotation) for section in sections_in(each)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_a_document_names_exists(document: Path) -> None:
    assert [key for key in named_settings(document.read_text(encoding="utf-8")) if not exists(Settings, key)] == []


def test_settings_are_found_in_prose() -> None:
    assert named_settings("`launch.nodes` `launch.nods=3` `dagster.yaml` `x`") == [
        "launch.nodes",
        "launch.nods",
    ]
    assert exists(Settings, "curation.shots.candidate_z")
    assert not exists(Settings, "launch.nods")
    assert not exists(Settings, "launch.nodes.more")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_documented_run_has_valid_settings_and_selection(document: Path, project: Project) -> None:
    from pipelines.lineage_run import selected

    for words in commands(document.read_text(encoding="utf-8")):
        if words[1] != "run":
            continue
        (project.root / "params.yaml").write_text("preset: tiny\n")
        preset, assignments = options(words, "--preset"), options(words, "--set")
        config.change(project.root, preset[0] if preset else None, assignments)
        for selection in options(words, "--select"):
            assert selected(selection)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_examples_parse(document: Path) -> None:
    for block in fences(document.read_text(encoding="utf-8"), "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def test_the_page_of_columns_is_current() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "data_contract.py"))["page"]()
    assert (ROOT / "docs" / "data_contract.md").read_text() == made, "run: python docs/data_contract.py"


def test_every_dataset_step_has_its_columns_on_the_page() -> None:
    page = (ROOT / "docs" / "data_contract.md").read_text()
    tables = [step.output for step in STEPS.values() if step.output.endswith(".parquet")]
    assert [table for table in tables if f"`{table}`" not in page] == []


def test_the_drawn_house_is_current() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = runpy.run_path(str(ROOT / "docs" / "house.py"))["page"](page)
    assert page == drawn, "run: python docs/house.py"


def test_the_table_of_metrics_is_current() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    drawn = runpy.run_path(str(ROOT / "docs" / "evaluation_table.py"))["page"](page)
    assert page == drawn, "run: python docs/evaluation_table.py"


def test_rooms_ask_in_one_direction() -> None:
    """No room is asked by one that it asks itself, over however many others."""
    house = runpy.run_path(str(ROOT / "docs" / "house.py"))
    drawn = {pair for pair in house["arrows"]() if not house["FOUNDATION"] & set(pair)}
    order = TopologicalSorter({room: [other for one, other in drawn if one == room] for room, _ in drawn})
    order.prepare()  # raises CycleError, which names the rooms


def test_the_indexes_name_every_page() -> None:
    for index, pages in ((ROOT / "docs" / "index.md", GUIDES), (ROOT / "docs" / "decisions" / "README.md", DECISIONS)):
        text = index.read_text(encoding="utf-8")
        assert [page.name for page in pages if page != index and f"({page.name})" not in text] == []


def test_the_newest_version_has_its_changes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert versions[0] == project["version"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_hooks_before_a_commit_are_the_programs_of_the_environment() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    programs = {hook["entry"].split()[0] for hook in hooks}
    assert programs == {".venv/bin/ruff", ".venv/bin/mypy"}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert all(re.search(rf"^{program.rsplit('/', 1)[1]}==", lock, flags=re.MULTILINE) for program in programs)


def test_functions_that_the_walks_name_exist() -> None:
    named = re.findall(r"`((?:pipelines|ops|models)(?:\.\w+)*):(\w+)`", (ROOT / "docs" / "architecture.md").read_text())
    assert len(named) > 20
    assert [f"{module}:{name}" for module, name in named if name not in defined(module)] == []


def defined(module: str) -> set[str]:
    """The functions and classes at the top of a module; nothing is imported."""
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return {each.name for each in ast.parse(source.read_text(encoding="utf-8")).body if hasattr(each, "name")}
