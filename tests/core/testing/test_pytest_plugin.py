"""The pytest plugin, in runs of pytest as other projects have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = "tfaas_core.pytest_plugin"

WRONG_CODEC = """
from tests.core.testing.rows_codec import RowsCodec, RowsContract

class Loud(RowsCodec):
    name = "rows"

    def line(self, row, version):
        return super().line(row, version) + "!"

class TestLoud(RowsContract):
    make_codec = Loud
"""

SERVER = """
import pytest

def test_a_server_answers(tfaas_server):
    server = tfaas_server("server.workers=1")
    assert server.upload("vk", b"sum").status_code == 200
    assert server.predict(model="vk", values=[1, 2, 3]).json() == [6.0]

def test_it_is_the_same_for_the_same_settings(tfaas_server):
    assert tfaas_server("server.workers=1").names() == ["vk"]
    assert tfaas_server("server.workers=1") is tfaas_server("server.workers=1")

def test_other_settings_have_another(tfaas_server):
    assert tfaas_server("server.workers=1", "server.base=/ml").names() == []
"""

HOST = """
import asyncio

def test_a_host_answers(tfaas_host_of):
    async def main():
        async with tfaas_host_of(models={"vk": lambda x: x}) as host:
            return [model.name for model in host.storage.list()]
    assert asyncio.run(main()) == ["vk"]
"""


def run_pytest(folder: Path, source: str, conftest: str = "") -> subprocess.CompletedProcess[str]:
    """What pytest says of a file in a project of its own, where the plugin is installed."""
    (folder / "test_it.py").write_text(source)
    (folder / "conftest.py").write_text(conftest)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    path = os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
    options = ["-p", "no:tfaas", "-p", PLUGIN, "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_loading_it_imports_nothing_else() -> None:
    code = "import sys, pytest; before = set(sys.modules)\n"
    code += f"import {PLUGIN}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["tfaas_core", "tfaas_core.public_names", PLUGIN]


def test_the_assertions_of_suites_say_what_was_compared(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, WRONG_CODEC)
    assert done.returncode == 1
    assert r"assert b'0.5!\n' == b'0.5\n'" in done.stdout


def test_a_server_is_started_once_for_its_settings(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, SERVER)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_a_host_is_had_by_a_fixture(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, HOST)
    assert done.returncode == 0, done.stdout


def test_without_the_extra_other_tests_run_and_these_say_what_is_missing(tmp_path: Path) -> None:
    source = SERVER + "\ndef test_another():\n    pass\n"
    done = run_pytest(tmp_path, source, "import sys; sys.modules['httpx'] = None\n")
    assert "tfaas_server needs httpx: pip install 'tfaas[testing]'" in done.stdout
    assert "1 passed, 3 errors" in done.stdout
