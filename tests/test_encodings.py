"""Texts are UTF-8, whatever the machine's locale is. ruff's PLW1514 holds what it can tell to be a file; the rest is
found here by the names of the methods."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("models", "ops", "pipelines", "benchmarks", "docs", "examples")
BYTES_ONLY = {"av", "os", "tarfile", "zipfile", "Image", "_OPENER"}
"""What has an `open` of its own, which takes no text."""
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale in which nothing but ASCII can be read or written."""


def calls_without_encoding(tree: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and not any(keyword.arg == "encoding" for keyword in call.keywords):
            of_module = getattr(getattr(call.func, "value", None), "id", "")
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            reads = name == "read_text" and not call.args and isinstance(call.func, ast.Attribute)
            writes = name == "write_text" and len(call.args) < 2
            opens = name in ("open", "NamedTemporaryFile", "fdopen") and not any("b" in text for text in texts)
            opens &= bool(texts) or (name == "open" and not call.args)
            opens &= of_module not in BYTES_ONLY
            asks = any(ast.unparse(keyword) in ("text=True", "universal_newlines=True") for keyword in call.keywords)
            if reads or writes or opens or asks:
                yield call


def test_every_text_is_read_and_written_in_a_named_encoding() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    nameless = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in files
        for call in calls_without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(files) > 200
    assert nameless == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("path.read_text()", 1),
        ("path.write_text(text)", 1),
        ("path.open('a')", 1),
        ("path.open()", 1),
        ("open(path, 'w')", 1),
        ("subprocess.run(command, text=True)", 1),
        ("path.read_text(UTF8)", 0),
        ("path.open('rb')", 0),
        ("av.open(str(path), 'w')", 0),
        ("path.open('a', encoding='utf-8')", 0),
    ],
)
def test_what_counts_as_nameless(code: str, count: int) -> None:
    assert len([*calls_without_encoding(ast.parse(code))]) == count


def in_plain_c(project: Path, *argv: str) -> str:
    environment = {**os.environ, **PLAIN_C, "SORAFLOW_PROJECT": str(project), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *argv], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode("ascii")


def test_a_recipe_says_the_same_in_a_locale_that_is_not_utf8(project) -> None:
    recipe = {"preset": "tiny", "evaluation": {"prompts": ["兔子, a rabbit"]}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    code = "from ops.config import change; from pathlib import Path; import sys;"
    code += "print(ascii(change(Path(sys.argv[1]), None, ['dataset.fps=9']).evaluation.prompts[0]))"
    assert in_plain_c(project.root, "-c", code, str(project.root)) == ascii("兔子, a rabbit") + "\n"
    assert "兔子" in project.settings.evaluation.prompts[0]


def test_the_command_prints_what_the_terminal_can_show(project) -> None:
    """A mark that the terminal's encoding lacks ends no command."""
    told = in_plain_c(project.root, "-m", "pipelines.cli", "weights", "fetch", "minilm-l6")
    assert "minilm-l6" in told
