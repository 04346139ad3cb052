"""Commands of plugins: found when they are typed, and in nobody's way until then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Fails, Tfaas
from tfaas_core.cli import main

InstallPlugin = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

HELLO = """
import click
from tfaas_core.hookspecs import hookimpl

@click.command("hello")
@click.argument("name")
@click.pass_context
def hello(context, name):
    click.echo(f"Hello, {name}!")
    RETURN

@hookimpl
def tfaas_register_commands():
    return [hello]
"""


def hello(name: str = "hello", returns: str = "pass") -> str:
    return HELLO.replace('"hello"', f'"{name}"').replace("RETURN", returns)


pytestmark = pytest.mark.usefixtures("here")


def test_a_plugins_command_runs(install_plugin: InstallPlugin, tfaas: Tfaas) -> None:
    install_plugin("tfaas-hello", hello())
    assert tfaas("hello", "you") == "Hello, you!\n"
    assert "Usage: tfaas hello [OPTIONS] NAME" in tfaas("hello", "--help")


@pytest.mark.parametrize(
    ("returns", "status"),
    [("return 'text'", 0), ("return True", 0), ("return 4", 4), ("context.exit(3)", 3)],
)
def test_its_exit_status_is_the_number_that_it_returns(
    install_plugin: InstallPlugin, returns: str, status: int
) -> None:
    install_plugin("tfaas-hello", hello(returns=returns))
    assert main(["hello", "you"]) == status


def test_a_folder_that_is_named_behind_it_is_looked_in(here: Path, tfaas: Tfaas) -> None:
    (here / "plugins.d").mkdir()
    (here / "plugins.d" / "greeter.py").write_text(hello())
    assert tfaas("hello", "you", "--plugins-dir", "plugins.d") == "Hello, you!\n"
    assert tfaas("hello", "--plugins-dir=plugins.d", "you") == "Hello, you!\n"
    with_options = (
        hello()
        .replace('@click.argument("name")', "@config_options")
        .replace("(context, name)", "(context, path, overrides)")
    )
    with_options = with_options.replace("{name}", "{overrides[-1]}")
    options = "from tfaas_core.cli.options import config_options\n"
    (here / "plugins.d" / "greeter.py").unlink()
    (here / "plugins.d" / "reader.py").write_text(options + with_options)
    named = f"Hello, plugins.dir={here / 'plugins.d'}!\n"
    assert tfaas("hello", "--plugins-dir", "plugins.d") == named


def test_its_errors_are_one_line(install_plugin: InstallPlugin, fails: Fails) -> None:
    install_plugin("tfaas-hello", hello(returns="raise click.ClickException('nobody is there')"))
    assert fails("hello", "you") == "nobody is there"
    assert "Missing argument" in fails("hello", status=2)


def test_a_failure_of_another_kind_names_the_plugin(
    install_plugin: InstallPlugin, capfd: Capture
) -> None:
    install_plugin("tfaas-hello", hello(returns="raise KeyError('nobody')"))
    assert main(["hello", "you"]) == 1
    first, *_, last = capfd.readouterr().err.splitlines()
    assert first.startswith("Traceback")
    assert last == (
        "tfaas: plugin tfaas_hello (tfaas-hello 1.0) failed in its command `hello`: "
        "KeyError: 'nobody'; fix it, or list it in [plugins] disabled"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["models", "--help"], ["routes", "--help"]]
)
def test_built_in_commands_import_no_plugin(
    install_plugin: InstallPlugin, tfaas: Tfaas, arguments: list[str]
) -> None:
    install_plugin("tfaas-hello", "print('imported')")
    assert "imported" not in tfaas(*arguments)


def test_help_tells_where_plugins_commands_are_listed(
    install_plugin: InstallPlugin, tfaas: Tfaas
) -> None:
    install_plugin("tfaas-hello", hello())
    assert "`tfaas plugins` lists them" in tfaas("--help")
    (line,) = [line for line in tfaas("plugins").splitlines() if line.startswith("tfaas_hello ")]
    assert line.split()[3:] == ["active", "command", "hello"]


def test_a_misspelt_command_is_told_of_similar_ones(
    install_plugin: InstallPlugin, fails: Fails
) -> None:
    install_plugin("tfaas-hello", hello())
    assert fails("helo", status=2) == "No such command 'helo'. Did you mean 'hello'?"
    assert fails("serv", status=2) == "No such command 'serv'. Did you mean 'serve'?"


def test_a_command_of_a_file_runs(
    site: Path, tfaas: Tfaas, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "plugins.d").mkdir()
    (site / "plugins.d" / "hello_file.py").write_text(hello())
    monkeypatch.setenv("TFAAS_PLUGINS__DIR", str(site / "plugins.d"))
    assert tfaas("hello", "you") == "Hello, you!\n"


@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_disabled_plugin_is_not_asked(
    install_plugin: InstallPlugin,
    fails: Fails,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    install_plugin("tfaas-hello", hello())
    if where == "file":
        (here / "tfaas.toml").write_text("[plugins]\ndisabled = ['tfaas-hello']")
    else:
        monkeypatch.setenv("TFAAS_PLUGINS__DISABLED", "['tfaas-hello']")
    assert fails("hello", "you", status=2) == "No such command 'hello'."


def test_a_wrong_configuration_disables_no_plugin(
    install_plugin: InstallPlugin, here: Path, capfd: Capture
) -> None:
    install_plugin("tfaas-hello", hello())
    (here / "tfaas.toml").write_text("[plugins]\ndisabled = ['tfaas-hello']\n[server]\nprt = 1\n")
    assert main(["hello", "you"]) == 0
    captured = capfd.readouterr()
    assert captured.out == "Hello, you!\n"
    warned = "tfaas: warning: no plugin is left out, because of tfaas.toml: unknown key `prt`"
    assert captured.err.startswith(warned)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise ImportError('no\\nlibrary')", "cannot be imported: ImportError: no library"),
        (hello().replace("return [hello]", "1 / 0"), "failed in tfaas_register_commands: ZeroDiv"),
        (hello("serve"), "claims the command `serve`, which is built in"),
    ],
)
def test_a_broken_plugin_is_a_warning_and_the_others_commands_run(
    install_plugin: InstallPlugin, capfd: Capture, broken: str, reason: str
) -> None:
    install_plugin("tfaas-a", broken)
    install_plugin("tfaas-hello", hello())
    assert main(["hello", "you"]) == 0
    captured = capfd.readouterr()
    assert captured.out == "Hello, you!\n"
    assert captured.err.startswith(f"tfaas: warning: plugin tfaas_a (tfaas-a 1.0) {reason}")
    assert captured.err.count("\n") == 1


def test_of_two_plugins_with_the_same_command_the_first_has_it(
    install_plugin: InstallPlugin, capfd: Capture
) -> None:
    install_plugin("tfaas-a", hello())
    install_plugin("tfaas-b", hello().replace("Hello", "Bye"))
    assert main(["hello", "you"]) == 0
    captured = capfd.readouterr()
    assert captured.out == "Hello, you!\n"
    both = "plugins tfaas_a (tfaas-a 1.0) and tfaas_b (tfaas-b 1.0) both claim the command `hello`"
    assert captured.err.startswith(f"tfaas: warning: {both}")


def test_check_names_who_claims_a_built_in_command(
    install_plugin: InstallPlugin, fails: Fails
) -> None:
    install_plugin("tfaas-hello", hello("serve"))
    quickly = ("--set", "engine.isolation=inline", "--set", "engine.sandbox=off")
    assert fails("check", *quickly) == (
        "plugin tfaas_hello (tfaas-hello 1.0) claims the command `serve`, which is built in; "
        "fix it, or list it in [plugins] disabled"
    )
