"""One module that two entry points name is one sentence, and one plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.plugins.sources import CODEC, InstallPlugin
from tfaas_core.config import Config
from tfaas_core.errors import StartupError
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins, load_plugins

SOURCE = f"""{CODEC}
class Storages:
    @hookimpl
    def tfaas_register_storages(self):
        return {{}}

one = two = Storages()
"""
AGAIN = {
    "csv = tfaas_csv\ncsv2 = tfaas_csv": (
        "an entry point of tfaas-csv 1.0 names the plugin tfaas_csv, as another one of it does; "
        "remove one of the two"
    ),
    "csv = tfaas_csv\ncsv2 = tfaas_csv:one\ncsv3 = tfaas_csv:two": (
        "plugin tfaas_csv:two (tfaas-csv 1.0) is the same object as the plugin tfaas_csv:one; "
        "fix it, or list it in [plugins] disabled"
    ),
    "csv = tfaas_csv\njson = tfaas_plugins.codecs.json": (
        "an entry point of tfaas-csv 1.0 names the plugin tfaas_plugins.codecs.json, which is "
        "built in; remove it, or list `tfaas-csv` in [plugins] disabled"
    ),
}


def named(site: Path, distribution: str, entries: str) -> None:
    """Has ``distribution`` have these entry points."""
    file = site / f"{distribution.replace('-', '_')}-1.0.dist-info" / "entry_points.txt"
    file.write_text(f"[tfaas]\n{entries}\n", encoding="utf-8")


def loaded(*disabled: str) -> tuple[Plugins, list[StartupError]]:
    errors: list[StartupError] = []
    return load_plugins(disabled, errors.append), errors


@pytest.mark.parametrize("entries", AGAIN)
def test_of_one_distribution(install_plugin: InstallPlugin, config: Config, entries: str) -> None:
    named(install_plugin("tfaas-csv", SOURCE), "tfaas-csv", entries)
    plugins, errors = loaded()
    assert list(plugins.codecs(config)) == ["json", "proto", "image", "msgpack", "csv"]
    assert [error.message for error in errors] == [AGAIN[entries]]


def test_of_two_distributions(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-csv", SOURCE)
    named(install_plugin("tfaas-fork", ""), "tfaas-fork", "twin = tfaas_csv")
    plugins, errors = loaded()
    assert list(plugins.codecs(config))[-1] == "csv"
    assert [error.message for error in errors] == [
        "an entry point of tfaas-fork 1.0 names the plugin tfaas_csv, as one of tfaas-csv 1.0 "
        "does; remove it, or list `tfaas-fork` in [plugins] disabled"
    ]
    plugins, errors = loaded("tfaas-fork")
    assert list(plugins.codecs(config))[-1] == "csv"
    assert errors == []


def test_one_that_names_a_builtin_plugin_can_be_disabled(
    install_plugin: InstallPlugin, config: Config
) -> None:
    entry = "json = tfaas_plugins.codecs.json"
    named(install_plugin("tfaas-csv", ""), "tfaas-csv", entry)
    plugins, errors = loaded("tfaas-csv")
    assert next(iter(plugins.codecs(config))) == "json"
    assert errors == []
    assert plugins.owner("codec", "json") in BUILTIN_PLUGINS
