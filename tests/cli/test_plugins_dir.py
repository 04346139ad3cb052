"""--plugins-dir, as the commands take it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tfaas_core.cli import main
from tfaas_core.cli.group import tfaas

Capture = pytest.CaptureFixture[str]

SECTION = """
from msgspec import Struct
from tfaas_core.hookspecs import hookimpl

@hookimpl
def tfaas_config_sections():
    return {"table": Struct}
"""


def commands_of(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield from commands_of(command) if isinstance(command, click.Group) else [command]


def test_a_folder_of_plugins_can_be_named_wherever_a_configuration_can() -> None:
    options = [{option for p in c.params for option in p.opts} for c in commands_of(tfaas)]
    with_config = [names for names in options if "--config" in names]
    assert len(with_config) == 11
    for names in with_config:
        assert {"--set", "--plugins-dir"} <= names


def test_a_folder_of_plugins_is_relative_to_the_current_one(capsys: Capture, here: Path) -> None:
    (here / "plugins.d").mkdir()
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "tfaas.toml").touch()
    (here / "plugins.d" / "table.py").write_text(SECTION)
    arguments = ("--config", "elsewhere/tfaas.toml", "--plugins-dir")
    assert main(["config", *arguments, "plugins.d"]) == 0
    assert "[plugins.table]\n" in capsys.readouterr().out
    assert main(["config", *arguments, ""]) == 0
    assert "[plugins.table]\n" not in capsys.readouterr().out


def test_what_is_called_like_a_plugin_and_is_no_file_is_named(capsys: Capture, here: Path) -> None:
    (here / "lost.py").symlink_to("nowhere")
    os.mkfifo(here / "pipe.py")
    (here / "nothing").mkdir()
    quickly = ("--set", "engine.isolation=inline", "--set", "engine.sandbox=off")
    assert main(["check", "--plugins-dir", ".", *quickly]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"tfaas: plugin {name} ({here / name}.py) cannot be imported: ImportError: it is no "
        "file, or a link to what is not there; fix it, or list it in [plugins] disabled"
        for name in ("lost", "pipe")
    ]
