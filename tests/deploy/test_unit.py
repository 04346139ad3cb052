"""The unit for systemd: it is well-formed, shuts out what it can, and lets the server work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.parts import DEPLOY, SANDBOXED, needs_program, python_below
from tfaas_core.testing.clients import fake_server

UNIT = DEPLOY / "systemd" / "tfaas.service"

pytestmark = needs_program("systemd-analyze", "systemd")


def filtered() -> list[str]:
    """The beginning of a command: what it starts may make the calls alone that the unit allows."""
    return [sys.executable, "-m", "tests.deploy.under_filter", str(UNIT)]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_knows_each_key(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # The program has to be there.
    unit.write_text(UNIT.read_text().replace("/opt/tfaas/bin/tfaas", sys.executable))
    told = analyze("verify", str(unit))
    assert (told.returncode, told.stderr) == (0, "")


def test_a_service_that_is_enabled_starts_with_the_machine(tmp_path: Path) -> None:
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    command = ["systemctl", f"--root={tmp_path}", "enable", "tfaas"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert (units / "multi-user.target.wants" / "tfaas.service").is_symlink()


def test_what_libraries_keep_in_a_home_goes_to_the_folder_of_the_service() -> None:
    lines = UNIT.read_text().splitlines()
    (folder,) = (line.partition("=")[2] for line in lines if line.startswith("WorkingDirectory="))
    assert f"Environment=HOME={folder}" in lines


def test_what_the_service_may_do_is_little() -> None:
    """systemd's own measure, from 0 to 10: a unit that says nothing has 9.6."""
    told = analyze("security", "--offline=yes", "--threshold=20", str(UNIT))
    assert told.returncode == 0, told.stdout


def test_the_server_works_with_the_system_calls_that_are_left(tmp_path: Path) -> None:
    python = python_below(tmp_path / "python", filtered())
    with fake_server(tmp_path, *SANDBOXED, python=python) as server:
        assert server.upload("sum", b"sum").status_code == 200
        assert server.predict(model="sum", values=[1, 2, 3]).json() == [6.0]
        assert server.stop() == 0


def test_the_filter_holds() -> None:
    attempt = "import os\ntry: os.chroot('/')\nexcept PermissionError: print('refused')"
    told = subprocess.run(
        [*filtered(), sys.executable, "-c", attempt], capture_output=True, text=True, check=True
    )
    assert told.stdout == "refused\n"
