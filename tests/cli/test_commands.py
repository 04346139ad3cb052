"""Every command as a user sees it: output, errors and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin_site import environment_with
from tfaas_core import __version__
from tfaas_core.cli import main
from tfaas_core.plugins import BUILTIN_PLUGINS

InstallPlugin = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

QUICKLY = ("--set", "engine.isolation=inline", "--set", "engine.sandbox=off")
"""Models get no process of their own, so that none is tried."""

COMMANDS = ("serve", "check", "plugins", "routes")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, without a tfaas.toml."""
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def error(capture: Capture) -> str:
    """The one line on stderr."""
    captured = capture.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tfaas: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("tfaas: ").rstrip("\n")


def printed_json(capture: Capture) -> Any:
    captured = capture.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_version_is_the_distributions(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tfaas {__version__}\n"


def test_help_lists_every_command(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {command} " in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example_and_names_the_default_file(
    capsys: Capture, command: str
) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: tfaas {command}" in out
    assert "tfaas.toml in the current folder" in " ".join(out.split())


def test_without_a_command_help_is_shown_as_wrong_usage(capsys: Capture) -> None:
    assert main([]) == 2
    assert "Usage: tfaas" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["--bogus"], ["serve", "--bogus"], ["serve", "--set", "x"], ["check", "x"]],
)
def test_wrong_usage_is_one_line_and_status_2(capsys: Capture, arguments: list[str]) -> None:
    assert main(arguments) == 2
    error(capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_configuration_is_one_line_and_status_1(capsys: Capture, command: str) -> None:
    assert main([command, "--set", "server.port=x"]) == 1
    assert error(capsys) == ("--set server.port=x: Expected `int`, got `str` - at `$.server.port`")


def test_a_missing_file_is_status_1(capsys: Capture) -> None:
    assert main(["check", "--config", "none.toml"]) == 1
    assert error(capsys) == "there is no configuration file none.toml"


def test_tfaas_toml_in_the_current_folder_is_read_unasked(capsys: Capture, folder: Path) -> None:
    (folder / "tfaas.toml").write_text("[server]\nprt = 1\n", encoding="utf-8")
    assert main(["check"]) == 1
    assert error(capsys).startswith("tfaas.toml: unknown key `prt`")


def test_another_file_is_read_instead_where_one_is_given(capsys: Capture, folder: Path) -> None:
    (folder / "tfaas.toml").write_text("broken", encoding="utf-8")
    (folder / "other.toml").touch()
    assert main(["check", *QUICKLY, "--config", "other.toml"]) == 0


def test_check_says_when_all_is_fine(capsys: Capture) -> None:
    assert main(["check", *QUICKLY]) == 0
    told = capsys.readouterr()
    fine, models, http_workers = told.out.splitlines()
    assert (fine, models) == ("configuration and plugins are fine", "models are not confined")
    assert http_workers.startswith("HTTP workers are confined by ")
    assert told.err == ""


def test_check_prints_a_line_for_each_finding(
    capsys: Capture, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-broken", "raise ImportError('no GPU\\nhere')", version="2.1")
    assert main(["check", *QUICKLY, "--set", "storage.kind=sq"]) == 1
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()
    assert first.startswith("tfaas: plugin tfaas_broken (tfaas-broken 2.1) cannot be imported: ")
    assert "no GPU here" in first
    assert second == "tfaas: unknown storage 'sq'; there are: filesystem, sql - at `$.storage.kind`"
    assert captured.out == ""


TAPE = """
from tfaas_backends.storages.filesystem.storage import FilesystemStorage
from tfaas_core.hookspecs import hookimpl

class Tape(FilesystemStorage):
    def examine(self):
        return ["the tape is short"]

@hookimpl
def tfaas_register_storages():
    return {"tape": lambda table, base_dir: Tape(base_dir / "tape")}
"""


def test_check_warns_of_what_a_server_starts_with(
    capsys: Capture, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-tape", TAPE)
    assert main(["check", *QUICKLY, "--set", "storage.kind=tape"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "tfaas: warning: the tape is short\n"
    assert captured.out.startswith("configuration and plugins are fine\n")


def test_check_asks_the_storage_about_its_table(capsys: Capture) -> None:
    assert main(["check", *QUICKLY, "--set", "storage.rot=x"]) == 1
    assert "rot" in error(capsys)


def test_check_leaves_no_trace(folder: Path) -> None:
    assert main(["check", *QUICKLY]) == 0
    assert list(folder.iterdir()) == []


def test_plugins_lists_each_with_what_it_registers(capsys: Capture) -> None:
    assert main(["plugins", "--json"]) == 0
    listed = {plugin["module"]: plugin for plugin in printed_json(capsys)}
    assert list(listed) == list(BUILTIN_PLUGINS)
    json_codec = listed["tfaas_plugins.codecs.json"]
    assert (json_codec["distribution"], json_codec["version"]) == ("tfaas", __version__)
    assert json_codec["status"] == "active"
    assert "codec json" in json_codec["registers"]
    assert "storage filesystem" in listed["tfaas_backends.storages.filesystem"]["registers"]
    assert "engine local" in listed["tfaas_core.engine.local"]["registers"]


PRINTING = """
import os
from tfaas_core.hookspecs import hookimpl

print("hello from Python")
os.write(1, b"hello from C\\n")

@hookimpl
def tfaas_register_codecs():
    print("hello from a hook")
    return []
"""


@pytest.mark.parametrize("command", ["plugins", "routes"])
def test_what_plugins_print_goes_to_stderr(install_plugin: InstallPlugin, command: str) -> None:
    site = install_plugin("tfaas-printing", PRINTING)
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", command, "--json"],
        capture_output=True,
        check=True,
        env=os.environ | environment_with(site),
    )
    assert json.loads(run.stdout)
    assert set(run.stderr.decode().splitlines()) == {
        "hello from Python",
        "hello from C",
        "hello from a hook",
    }


def test_plugins_shows_broken_and_disabled_ones(
    capsys: Capture, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-broken", "raise ImportError('no GPU here')")
    install_plugin("tfaas-off", "raise ImportError")
    assert main(["plugins", "--set", "plugins.disabled=['tfaas-off']"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["MODULE"].split() == ["MODULE", "DISTRIBUTION", "VERSION", "STATUS", "REGISTERS"]
    assert lines["tfaas_broken"].split()[1:4] == ["tfaas-broken", "1.0", "broken"]
    assert "no GPU here" in lines["tfaas_broken"]
    assert lines["tfaas_off"].split()[1:4] == ["tfaas-off", "1.0", "disabled"]
    assert lines["tfaas_off"].endswith("[plugins] disabled lists tfaas-off")
    log = lines["tfaas_plugins.access_log"]
    assert "section access_log" in log
    assert "setting plugins.access_log.file" in log
    assert "codec json" in lines["tfaas_plugins.codecs.json"]


def test_plugins_warns_of_what_is_wrong_with_the_configuration(
    capsys: Capture, folder: Path
) -> None:
    assert main(["plugins", "--plugins-dir", "missing", *QUICKLY]) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        f"tfaas: warning: the folder of plugins {folder / 'missing'} cannot be read: "
        "No such file or directory - at `$.plugins.dir`\n"
    )
    assert "tfaas_plugins.codecs.json" in captured.out


def test_routes_lists_the_endpoints_with_their_plugins(capsys: Capture) -> None:
    assert main(["routes", "--json", "--set", "server.base=/tfaas"]) == 0
    routes = {(r["method"], r["path"]): r["plugin"] for r in printed_json(capsys)}
    assert routes["POST", "/tfaas/predict/json"] == "tfaas_plugins.codecs.json"
    assert routes["POST", "/tfaas/json"] == "tfaas_plugins.codecs.json"
    assert routes["GET", "/tfaas/models"] == "tfaas_plugins.routes.models"
    assert routes["POST", "/tfaas/upload"] == "tfaas_plugins.routes.models"
    assert routes["DELETE", "/tfaas/delete"] == "tfaas_plugins.routes.models"


def test_routes_tells_the_port_of_each_if_there_are_two(capsys: Capture) -> None:
    assert main(["routes", "--json", "--set", "server.admin_port=8084"]) == 0
    ports = {(r["method"], r["path"]): r["port"] for r in printed_json(capsys)}
    assert ports["POST", "/json"] == ports["POST", "/models/{name}/predict"] == "predictions"
    assert ports["GET", "/models"] == ports["POST", "/upload"] == "management"
    assert main(["routes", "--set", "server.admin_port=8084"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[-1] == "PORT"
    assert main(["routes"]) == 0
    assert "PORT" not in capsys.readouterr().out


def test_routes_is_a_table_unless_asked_for_json(capsys: Capture) -> None:
    assert main(["routes"]) == 0
    first, *rest = (line.split() for line in capsys.readouterr().out.splitlines())
    assert first == ["METHOD", "PATH", "PLUGIN"]
    assert ["GET", "/models", "tfaas_plugins.routes.models"] in rest


def test_routes_fails_where_a_plugin_is_broken(
    capsys: Capture, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-broken", "raise ImportError('no GPU here')")
    assert main(["routes"]) == 1
    assert "no GPU here" in error(capsys)


def test_the_module_runs_as_the_command_does() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "check", "--config", "none.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "tfaas: there is no configuration file none.toml\n"


def test_check_prints_all_that_is_wrong_with_a_file(folder: Path, capsys: Capture) -> None:
    text = "[server]\nprot = 1\nlog_level = 'x'\n[engine]\nthreads = -1\n[model]"
    (folder / "tfaas.toml").write_text(text)
    assert main(["check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" - at ")[2] for line in lines] == [
        "`$.server.prot`; did you mean `port`?",
        "`$.server.log_level`",
        "`$.engine.threads`",
        "`$.model`; did you mean `models`?",
    ]
    assert all(line.startswith("tfaas: tfaas.toml: ") for line in lines)
