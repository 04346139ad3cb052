"""Plugins as ``tfaas new`` writes them: they are tested, serve, and pass what linters say."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Fails, Tfaas
from tests.plugin_site import environment_with, write_plugin
from tfaas_core.cli.server.new import KINDS
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import running_server
from tfaas_core.tools.distribution import write_distribution

WITHOUT_TENSORFLOW = f"plugins.disabled={list(HEAVY_PLUGINS)}"


def module_of(kind: str) -> str:
    return f"tfaas_my_{kind}"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A distribution of each kind, ``tfaas-my-KIND``."""
    folder = tmp_path_factory.mktemp("new")
    return {
        kind: write_distribution(kind, f"my-{kind}", folder / f"tfaas-my-{kind}") for kind in KINDS
    }


def run(folder: Path, *arguments: str) -> None:
    environ = os.environ | environment_with(folder)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass(written: dict[str, Path], kind: str) -> None:
    run(written[kind], "pytest", "-q", "-p", "no:cacheprovider")


def test_linters_have_nothing_to_say(written: dict[str, Path], tmp_path: Path) -> None:
    for folder in written.values():
        run(folder, "ruff", "check", "--no-cache", "--isolated")
    files = [str(file) for folder in written.values() for file in folder.rglob("*.py")]
    run(tmp_path, "mypy", "--strict", "--follow-imports", "silent", *files)


def commands_in(readme: Path) -> list[list[str]]:
    """The lines that begin with ``tfaas``, as words."""
    lines = readme.read_text().splitlines()
    return [shlex.split(line) for line in lines if line.startswith("    tfaas ")]


def test_a_server_has_them_all(written: dict[str, Path], tmp_path: Path) -> None:
    for kind, folder in written.items():
        source = (folder / f"{module_of(kind)}.py").read_text()
        write_plugin(tmp_path / "site", f"tfaas-my-{kind}", source)
    settings = (
        "server.workers=2",
        "storage.kind=my-storage",
        f"storage.root={tmp_path / 'models'}",
        WITHOUT_TENSORFLOW,
        "plugins.my_guard.networks=['127.0.0.0/8']",
    )
    with running_server(tmp_path, *settings, env=environment_with(tmp_path / "site")) as server:
        assert server.upload("half", b"my-runtime 1\n0.5 0.25\n").status_code == 200
        answer = server.http.post("/models/half/predict/my-codec", content=b"2 4\n0 1\n")
        assert (answer.status_code, answer.text) == (200, "2.0\n0.25\n")
        assert server.http.get("/my-routes").json() == {"models": ["half"]}
        assert server.http.post("/my-routes/half", json={"values": [2, 4]}).json() == [2.0]
        assert server.http.delete("/delete/half").status_code == 200
        assert server.http.get("/my-routes").json() == {"models": []}
        assert not any((tmp_path / "models" / "claims").iterdir())
        (tmp_path / "half.my-runtime").write_bytes(b"my-runtime 1\n0.5 0.25\n")
        for _tfaas, *arguments in commands_in(written["runtime"] / "README.md"):
            url = ("--url", str(server.http.base_url))
            run(tmp_path, "tfaas_core", *arguments, *url)


def test_the_guard_lets_in_nobody_from_elsewhere(written: dict[str, Path], tmp_path: Path) -> None:
    source = (written["guard"] / "tfaas_my_guard.py").read_text()
    write_plugin(tmp_path / "site", "tfaas-my-guard", source)
    settings = ("server.workers=1", WITHOUT_TENSORFLOW, "plugins.my_guard.networks=['10.0.0.0/8']")
    with running_server(tmp_path, *settings, env=environment_with(tmp_path / "site")) as server:
        assert server.http.get("/models").status_code == 403


@pytest.mark.usefixtures("here")
def test_it_tells_the_folder_and_never_writes_into_one_that_is_there(
    tfaas: Tfaas, fails: Fails, tmp_path: Path
) -> None:
    assert tfaas("new", "codec", "my-format") == "tfaas-my-format\n"
    assert {path.name for path in Path("tfaas-my-format").iterdir()} == {
        *(".github", "README.md", "pyproject.toml", "tests", "tfaas_my_format.py")
    }
    said = "tfaas-my-format is there already; nothing was changed"
    assert fails("new", "guard", "my-format") == said
    elsewhere = tmp_path / "deep" / "er"
    assert tfaas("new", "guard", "my-format", "--folder", elsewhere) == f"{elsewhere}\n"
    assert fails("new", "guard", "x", "--folder", Path("tfaas-my-format") / "README.md" / "x")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["My", "my_format", "9", "-x", "x-", "a--b", "../x", "é", ""])
def test_a_name_that_does_not_do_is_told_of(fails: Fails, name: str) -> None:
    assert fails("new", "codec", "--", name).startswith(
        f"{name!r} cannot name a plugin: a name is lower-case letters and digits"
    )
    assert list(Path().iterdir()) == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "name", "whose"),
    [
        ("codec", "json", "the built-in plugin tfaas_plugins.codecs.json has the codec json"),
        ("codec", "upload", "the built-in plugin tfaas_plugins.routes.models has the route POST"),
        ("runtime", "graph", "the built-in plugin tfaas_backends.runtimes.graph has the runtime"),
        ("storage", "sql", "the built-in plugin tfaas_backends.storages.sql has the storage sql"),
        ("guard", "access-log", "the built-in plugin tfaas_plugins.access_log has the section"),
        ("guard", "dir", "[plugins] dir is a key of the server"),
        ("routes", "status", "the built-in plugin tfaas_plugins.routes.status has the route GET"),
        ("routes", "params", "the built-in plugin tfaas_plugins.routes.params has the route GET"),
    ],
)
def test_a_name_that_a_built_in_plugin_has_is_refused(
    fails: Fails, kind: str, name: str, whose: str
) -> None:
    said = fails("new", kind, name)
    assert said.startswith(f"{name!r} cannot name a {kind} plugin: {whose}")
    assert said.endswith("; choose another name")
    assert list(Path().iterdir()) == []


def test_a_name_that_an_installed_plugin_has_is_refused(
    written: dict[str, Path], tmp_path: Path
) -> None:
    source = (written["codec"] / "tfaas_my_codec.py").read_text()
    write_plugin(tmp_path / "site", "tfaas-elsewhere", source)
    write_plugin(tmp_path / "site", "tfaas-broken", "raise ValueError")
    for name, status in (("my-codec", 1), ("my-other-codec", 0)):
        run = subprocess.run(
            [sys.executable, "-m", "tfaas_core", "new", "codec", name],
            cwd=tmp_path,
            env=os.environ | environment_with(tmp_path / "site"),
            capture_output=True,
            text=True,
        )
        assert run.returncode == status, run.stderr
        whose = "the installed plugin tfaas_elsewhere has the codec my-codec; choose another name"
        assert (whose in run.stderr) is bool(status)


@pytest.mark.usefixtures("here")
def test_a_module_that_is_there_is_not_hidden(fails: Fails) -> None:
    said = "there is a module tfaas_core already; choose another name"
    assert fails("new", "codec", "core") == said
