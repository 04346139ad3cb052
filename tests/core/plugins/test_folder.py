"""Plugins that are files in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.plugins.sources import CODEC, ROUTE, STORAGE, InstallPlugin
from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError, PluginError, StartupError
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins, plugins_of
from tfaas_core.tools.survey import findings, survey

Write = Callable[[str, str], Path]


@pytest.fixture
def folder(site: Path) -> Path:
    """What is imported from there is forgotten after the test."""
    folder = site / "plugins.d"
    folder.mkdir()
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, source: str) -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    return write


def configured(folder: Path | str, *disabled: str, base_dir: Path | None = None) -> Config:
    file = (base_dir or Path(folder)) / "tfaas.toml"
    file.write_text(f"[plugins]\ndir = '{folder}'\ndisabled = {list(disabled)}\n")
    return load_config(file, environ={})


def wrong(config: Config) -> list[str]:
    errors: list[StartupError] = []
    plugins_of(config, errors.append)
    return [error.message for error in errors]


def third_party(plugins: Plugins) -> list[str]:
    return [plugin.module for plugin in plugins.found if plugin.module not in BUILTIN_PLUGINS]


def test_files_and_packages_are_plugins_in_order_of_their_names(folder: Path, write: Write) -> None:
    write("zz_route.py", ROUTE)
    write("my_csv/__init__.py", "from my_csv.codec import *")
    write("my_csv/codec.py", CODEC)
    write("a_tape.py", STORAGE)
    config = configured(folder)
    plugins = plugins_of(config)
    assert third_party(plugins) == ["a_tape", "my_csv", "zz_route"]
    assert plugins.owner("codec", list(plugins.codecs(config))[-1]) == "my_csv"
    assert "tape" in plugins.storages()


def test_what_plugins_import_beside_them_is_no_plugin(folder: Path, write: Write) -> None:
    write("_shared.py", CODEC)
    write("my_csv.py", "from _shared import *")
    write("notes.txt", "")
    write("data/rows.csv", "")
    write("__pycache__/x.py", "")
    write(".hidden.py", "raise ValueError")
    assert third_party(plugins_of(configured(folder))) == ["my_csv"]


def test_it_is_listed_with_its_path(folder: Path, write: Write) -> None:
    path = write("my_csv.py", CODEC)
    broken = write("my_tape.py", "raise ValueError('no tape')")
    shown = {plugin.module: plugin for plugin in survey(configured(folder))}
    assert (shown["my_csv"].distribution, shown["my_csv"].status) == (str(path), "active")
    assert shown["my_csv"].registers[0] == "codec csv"
    assert shown["my_tape"].status == "broken"
    assert shown["my_tape"].reason == (
        f"plugin my_tape ({broken}) cannot be imported: ValueError: no tape; "
        "fix it, or list it in [plugins] disabled"
    )


def test_it_can_be_disabled(folder: Path, write: Write) -> None:
    write("my_tape.py", "raise ValueError('no tape')")
    plugins = plugins_of(configured(folder, "my_tape"))
    assert [plugin.disabled for plugin in plugins.found if plugin.module == "my_tape"] == [True]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my-csv.py", "ImportError: 'my-csv' cannot name a module; use letters, digits and _"),
        ("my.csv/__init__.py", "'my.csv' cannot name a module; use letters, digits and _ alone"),
        ("json.py", "json/__init__.py); rename this one; fix it"),
        ("sys.py", "there is another module sys (built-in); rename this one; fix it"),
    ],
)
def test_a_name_that_it_cannot_have_is_told(
    folder: Path, write: Write, name: str, reason: str
) -> None:
    write(name, CODEC)
    (path,) = folder.iterdir()
    (message,) = wrong(configured(folder))
    module = path.name.removesuffix(".py")
    assert message.startswith(f"plugin {module} ({path}) cannot be imported: ImportError: ")
    assert reason in message


def test_two_of_one_name_are_told(
    folder: Path, write: Write, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-csv", CODEC)
    path = write("tfaas_csv.py", CODEC)
    package = write("tape/__init__.py", STORAGE).parent
    file = write("tape.py", STORAGE)
    assert wrong(configured(folder)) == [
        f"{file} is called as the plugin tape ({package}) is; rename it",
        f"{path} is called as the plugin tfaas_csv (tfaas-csv 1.0) is; rename it",
    ]


def test_what_two_plugins_claim_names_the_file(
    folder: Path, write: Write, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-csv", CODEC)
    path = write("my_csv.py", CODEC)
    config = configured(folder)
    with pytest.raises(PluginError) as told:
        plugins_of(config).codecs(config)
    assert "plugins tfaas_csv (tfaas-csv 1.0) and my_csv (" + str(path) in told.value.message


def test_a_relative_folder_starts_from_the_configuration(write: Write, site: Path) -> None:
    write("my_csv.py", CODEC)
    assert third_party(plugins_of(configured("plugins.d", base_dir=site))) == ["my_csv"]


def test_a_folder_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    config = configured("nothing", base_dir=tmp_path)
    said = (
        f"the folder of plugins {tmp_path / 'nothing'} cannot be read: "
        "No such file or directory - at `$.plugins.dir`"
    )
    with pytest.raises(ConfigError) as told:
        plugins_of(config)
    assert told.value.message == said
    assert findings(config).errors == [said]


def test_without_a_folder_nothing_is_added_to_the_path(config: Config) -> None:
    before = [*sys.path]
    plugins_of(config)
    assert sys.path == before
