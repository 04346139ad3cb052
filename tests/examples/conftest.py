"""The examples of plugins, each installed into a venv of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tfaas_core.testing.server import RunningServer, running_server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


class Example(msgspec.Struct, frozen=True):
    """An installed example: its ``folder``, and the ``python`` of its venv."""

    folder: Path
    python: Path

    def run(self, *arguments: str | Path, folder: Path | None = None) -> str:
        """What ``python`` prints, which must end well."""
        command = [str(self.python), *map(str, arguments)]
        done = subprocess.run(command, cwd=folder or self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def served(self, folder: Path, *settings: str) -> Iterator[RunningServer]:
        """A server that has the example's plugin."""
        with running_server(folder, *settings, python=str(self.python)) as server:
            yield server


Install = Callable[[str], Example]


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Installs the example of this name, and what we do not have: the rest it finds with us."""
    installed: dict[str, Example] = {}

    def made(name: str) -> Example:
        if name not in installed:
            folder = tmp_path_factory.mktemp("example")
            # What is built goes into the folder that is installed.
            copy = shutil.copytree(EXAMPLES / name, folder / name)
            installed[name] = installed_into(folder / "venv", copy)
        return installed[name]

    return made


def installed_into(venv: Path, folder: Path) -> Example:
    """The distribution in ``folder``, installed into a new venv; skips if pip fails."""
    # Our pip installs into it, and what builds the distribution is ours, too.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    example = Example(folder, venv / "bin" / "python")
    (site,) = venv.glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (site / "tfaas.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    command = [
        *(sys.executable, "-m", "pip", f"--python={example.python}", "--quiet"),
        *("--disable-pip-version-check", "install", "--no-compile"),
        *("--no-build-isolation", "--check-build-dependencies"),
        *("--constraint", str(ROOT / "constraints.txt"), f"{folder}[test]"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"pip cannot install {folder.name} here: {done.stderr.splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    return example


def mapped(pid: int) -> str:
    """The files that a process has in its memory."""
    return Path(f"/proc/{pid}/maps").read_text()
