"""What ``make image-check`` makes of a machine that cannot build, by programs that say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from tests.deploy import built
from tests.deploy.parts import CI
from tfaas_core.testing.waiting import until

COMMAND = [sys.executable, "-m", "tests.deploy.built"]

# Those are not asked for in the tests: the programs of this file take their places.
_CANNOT = built.why_not(["unshare", "bwrap"])
_MAY_SKIP = bool(_CANNOT) and not (CI and "apt-get install" in _CANNOT)
pytestmark = pytest.mark.skipif(_MAY_SKIP, reason=_CANNOT)

FETCHES = 'for root; do :; done; mkdir -p "$root"'
BUILDS = "echo made"


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """With a folder of programs that come first, and another one for temporary files."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "tmp")}


def program(folder: Path, name: str, script: str) -> None:
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def checked(environ: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    told = subprocess.run(
        [*COMMAND, *options],
        cwd=built.ROOT,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert os.listdir(environ["TMPDIR"]) == []
    return told


def test_packages_of_debian_that_do_not_come_are_left_out(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    program(tmp_path, "debootstrap", "echo 'E: Failed getting release file' >&2; exit 1")
    program(tmp_path, "buildah", BUILDS)
    told = checked(environ)
    assert told.returncode == 0
    assert "\nleft out: this machine cannot: E: Failed getting release file\n" in told.stdout


def test_what_takes_too_long_is_left_out(tmp_path: Path, environ: Mapping[str, str]) -> None:
    program(tmp_path, "debootstrap", "sleep 1000 & wait")
    program(tmp_path, "buildah", BUILDS)
    told = checked(environ, "--build-within=0.5")
    assert told.returncode == 0
    assert told.stdout.startswith("left out: it takes too long here: debootstrap ")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("WARNING: Retrying after connection broken by 'NewConnectionError'", 0),
        ("ERROR: HTTP error 503 while getting https://example.org/simple", 0),
        ("write /store/layer.tar: No space left on device", 0),
        ("ERROR: No matching distribution found for sanic==0", 1),
    ],
)
def test_a_build_that_fails_is_the_images_fault_unless_something_did_not_come(
    tmp_path: Path, environ: Mapping[str, str], said: str, status: int
) -> None:
    program(tmp_path, "debootstrap", FETCHES)
    fails = f'case "$*" in *Dockerfile*) echo "{said}" >&2; exit 1;; esac'
    program(tmp_path, "buildah", f"{fails}; {BUILDS}")
    told = checked(environ)
    assert told.returncode == status, told.stdout + told.stderr
    assert ("left out: " in told.stdout) == (status == 0)
    assert said in told.stdout


def test_nothing_is_left_of_a_check_that_is_ended(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    begun = tmp_path / "begun"
    script = f'{FETCHES}; mount -t tmpfs image "$root"; sleep 1001 & : > {begun}; wait'
    program(tmp_path, "debootstrap", script)
    program(tmp_path, "buildah", BUILDS)
    with subprocess.Popen(COMMAND, cwd=built.ROOT, env=dict(environ)) as run:
        until(begun.exists, what="debootstrap runs")
        inside: list[psutil.Process] = []

        def sleeps() -> bool:
            inside[:] = psutil.Process(run.pid).children(recursive=True)
            return ["sleep", "1001"] in [process.cmdline() for process in inside]

        until(sleeps, what="what debootstrap starts runs")
        run.send_signal(signal.SIGTERM)
    assert run.returncode == 128 + signal.SIGTERM
    assert not any(process.is_running() for process in inside)
    assert environ["TMPDIR"] not in Path("/proc/mounts").read_text()
    assert os.listdir(environ["TMPDIR"]) == []
