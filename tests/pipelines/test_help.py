"""The help of the command line: every command, argument and option says what it is for."""

from __future__ import annotations

from collections.abc import Iterator

import click
import typer

from pipelines.cli import app


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for below, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{name} {below}")


def test_nothing_is_without_help() -> None:
    silent = []
    found = list(commands(typer.main.get_command(app), "soraflow"))
    for name, command in found:
        if not command.help:
            silent.append(name)
        silent += [f"{name} {each.name}" for each in command.params if not getattr(each, "help", None)]
    assert len(found) > 15
    assert silent == []
