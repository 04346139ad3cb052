"""Configurations: an error that names what is wrong, or the same whenever they are read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tfaas_plugins.token_guard.table import NAME, TokenGuardTable, holders_of

from tests.fuzz.dice import Dice
from tests.fuzz.rooms import room
from tfaas_core.config import load_config
from tfaas_core.errors import ConfigError
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.plugins.sections import read_section

_GUARD = Plugin("tfaas_plugins.token_guard", "tfaas", "")
_VARIABLES = ("TFAAS_SERVER__PORT", "TFAAS_STORAGE__KIND", "TFAAS_PLUGINS__X", "TFAAS_PORT")


def check(data: bytes) -> None:
    dice = Dice(data)
    load = dice.one_of((_file, _override, _environment, _tokens_file))
    with room() as folder, suppress(ConfigError):
        load(dice.rest(), folder / "tfaas.toml")


def _file(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    config = load_config(file, environ={})
    assert load_config(file, environ={}) == config
    _ = config.plugins_dir, config.tls_files
    holders_of(read_section(config, NAME, TokenGuardTable, _GUARD), file.parent)


def _override(content: bytes, _file: Path) -> None:
    overrides = content.decode(errors="surrogateescape").split("\n")
    load_config(overrides=overrides, environ={})


def _environment(content: bytes, _file: Path) -> None:
    values = content.decode(errors="surrogateescape").split("\n")
    load_config(environ=dict(zip(_VARIABLES, values, strict=False)))


def _tokens_file(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    holders_of(TokenGuardTable(file=str(file)), file.parent)
