"""The three packages import in one direction, and definitions import nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "models": {"ops", "pipelines", "dagster", "dagster_pipes", "mlflow", "dvc", "yaml"},
    "ops": {"pipelines", "dagster"},
    "pipelines": set(),
}
HEAVY = {"torch", "mlflow", "great_expectations", "dvc", "deepspeed", "transformers", "diffusers", "matplotlib"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_go_one_way(package: str) -> None:
    breaches = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(ast.parse(path.read_text()))
        if name in FORBIDDEN[package]
    ]
    assert not breaches


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def asked_for(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name in it or nothing) of each import, also of those within functions and for a type checker alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.module, alias.name) for alias in node.names)


def circle(trees: dict[str, ast.AST]) -> list[str]:
    """Modules of which each imports the one before it and the last is the first; nothing where there are none."""
    graph: dict[str, set[str]] = {}
    for module, tree in trees.items():
        found = {f"{asked}.{name}" if f"{asked}.{name}" in trees else asked for asked, name in asked_for(tree)}
        graph[module] = found & trees.keys() - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    """An import within a function, or for a type checker alone, hides a circle and leaves it there: what two files
    share belongs into a third."""
    paths = [path for package in FORBIDDEN for path in modules(package)]
    assert circle({name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}) == []


@pytest.mark.parametrize(
    "hidden", ["from b import two", "def one():\n    import b", "if TYPE_CHECKING:\n    from b import Two"]
)
def test_a_hidden_circle_is_seen(hidden: str) -> None:
    written = {"a": hidden, "b": "from c.d import three", "c.d": "import a", "c": "import b"}
    assert set(circle({name: ast.parse(text) for name, text in written.items()})) == {"a", "b", "c.d"}


def test_definitions_import_nothing_heavy() -> None:
    code = "import sys, pipelines.definitions as d; d.defs(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not HEAVY & set(loaded.split())


def test_device_names_stay_in_one_file() -> None:
    allowed = {Path("ops/runtime/device.py"), Path("ops/config/training.py"), Path("models/ascend.py")}
    literals = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("ops", "models", "pipelines")
        for path in modules(package)
        if path.relative_to(ROOT) not in allowed
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and node.value in ("cuda", "npu"))
        or (isinstance(node, ast.Attribute) and node.attr in ("cuda", "npu"))
    ]
    assert not literals


def test_no_room_is_called_utils() -> None:
    names = {path.stem for package in FORBIDDEN for path in modules(package)}
    assert not names & {"utils", "misc", "common", "helpers"}


def test_mlflow_folder_does_not_shadow_the_package() -> None:
    import mlflow

    assert not list((ROOT / "mlflow").rglob("*.py"))
    assert mlflow.__version__.startswith("3.")


def test_no_registry_host_in_any_file() -> None:
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "debian" + ".org")
    texts = ((name, (ROOT / name).read_bytes()) for name in files if (ROOT / name).is_file())
    assert [name for name, text in texts if any(host.encode() in text for host in hosts)] == []
