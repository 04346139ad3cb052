"""``tfaas copy`` of served models that has no room, or ends half-way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.conftest import Tfaas
from tests.cli.served.conftest import TO, Capture, lines, numbers
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

MANY = 12
"""So many versions that a copy takes longer than it takes to interrupt it."""


def test_what_has_no_room_is_told_before_it_is_copied(
    capfd: Capture, half: Path, here: Path
) -> None:
    (here / "tfaas.toml").write_text('[storage]\nroot = "stored"\nquota_bytes = 1000\n')
    out, told = lines(capfd, "--from", half)
    assert out == []
    assert len(told) == 1
    assert "together they may have 1000 (storage.quota_bytes)" in told[0]
    assert not list(Path("stored/.staging").iterdir())


def test_what_is_larger_than_an_upload_may_be_is_told(
    capfd: Capture, half: Path, here: Path
) -> None:
    for key, value in (("max_unpacked_bytes", 1000), ("max_bundle_files", 2)):
        (here / "tfaas.toml").write_text(f'[storage]\nroot = "stored"\n[limits]\n{key} = {value}\n')
        out, told = lines(capfd, "--from", half)
        assert out == []
        assert [f"{value} are allowed (limits.{key})" in line for line in told] == [True, True]


def test_a_command_that_copied_not_all_leaves_no_thread(here: Path, made: Path) -> None:
    for number in (1, 2):
        folder = here / "both" / str(number)
        folder.mkdir(parents=True)
        shutil.copy(made / "double.graphdef", folder / "model.graphdef")
    (here / "both" / "2" / "model.graphdef").write_bytes(b"no graph")
    command = [sys.executable, "-m", "tfaas_core", "copy", "--from", "both", *TO]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith("tfaas: both: version 2: ")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_ends_half_way_is_run_again(
    tfaas: Tfaas, target: FilesystemStorage, here: Path, made: Path, how: signal.Signals
) -> None:
    for number in range(1, MANY + 1):
        folder = here / "many" / str(number)
        folder.mkdir(parents=True)
        shutil.copy(made / "double.graphdef", folder / "model.graphdef")
    command = [sys.executable, "-m", "tfaas_core", "copy", "--from", "many", *TO]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: target.model("many") is not None)
    processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(how)
    _out, errors = process.communicate(timeout=60)
    assert errors.strip() == b""
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    until(lambda: not any(map(is_alive, processes)))
    model = target.model("many")
    assert model is not None
    there = len(model.versions)
    assert numbers(model) == list(range(1, there + 1))
    assert there < MANY
    assert f", {there} there already" in tfaas("copy", "--from", "many", *TO)
    model = target.model("many")
    assert model is not None
    assert numbers(model) == list(range(1, MANY + 1))
    assert model.live.version == MANY
    assert not list(Path("stored/.staging").iterdir())
