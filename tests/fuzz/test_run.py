"""``make fuzz`` finds a fault, keeps the input, and says how to see it again."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fuzz.registry import Target
from tests.fuzz.run import HAS_ATHERIS, Outcome, fuzz, is_older, main, report, table

pytestmark = pytest.mark.skipif(
    not HAS_ATHERIS and os.environ.get("CI") != "true",
    reason="atheris is not installed, which is there for Linux on x86-64 (tfaas[fuzz])",
)

# Each letter opens a line that only the next one leads on from: no luck would find all.
WATCHED = """
def lock(data):
    if data[:1] == b"o":
        if data[1:2] == b"p":
            if data[2:3] == b"e":
                if data[3:4] == b"n":
                    raise KeyError("opened")
"""
CHECK = """
from watched_lock import lock as check
"""


class Planted(Target, frozen=True, kw_only=True):
    """A target that is not of this project."""

    room: Path

    @property
    def module(self) -> str:
        return "planted_check"

    @property
    def corpus(self) -> Path:
        return self.room / "corpus"


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    (tmp_path / "watched_lock.py").write_text(WATCHED)
    (tmp_path / "planted_check.py").write_text(CHECK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return Planted("planted", ("watched_lock",), room=tmp_path)


def test_what_fails_is_found_line_by_line_and_kept(planted: Planted) -> None:
    outcome = fuzz(planted, 300, room=planted.room)
    assert outcome.status
    assert outcome.failed is not None
    assert outcome.failed.read_bytes()[:4] == b"open"
    assert "KeyError: 'opened'" in outcome.log.read_text()
    assert table([outcome]).splitlines()[1].endswith("yes")
    (again,) = (line for line in report(outcome).splitlines() if "--instrument" in line)
    done = subprocess.run(shlex.split(again), capture_output=True, text=True)
    assert done.returncode
    assert "KeyError: 'opened'" in done.stdout + done.stderr


@pytest.mark.parametrize(("before", "is_older_fault"), [(WATCHED, True), ("lock = len", False)])
def test_what_failed_before_is_told_from_what_a_change_did(
    planted: Planted, before: str, is_older_fault: bool
) -> None:
    commit(planted.room, {"watched_lock.py": before, "planted_check.py": CHECK}, days_ago=2)
    failed = planted.room / "crash"
    failed.write_bytes(b"open")
    found = Outcome(planted, 1, 1, 1, took_s=1, failed=failed, log=failed, status=77)
    assert not is_older(found, "1 day ago", planted.room)  # nothing else is there
    commit(planted.room, {"watched_lock.py": WATCHED + "\n"}, days_ago=0)
    assert is_older(found, "1 day ago", planted.room) is is_older_fault
    assert not is_older(found, "3 days ago", planted.room)


def commit(root: Path, files: Mapping[str, str], days_ago: int) -> None:
    for name, text in files.items():
        (root / name).write_text(text)
    stamp = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    names = {"NAME": "a", "EMAIL": "a@example.org", "DATE": stamp}
    who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in names.items()}
    for command in (("init", "-q"), ("add", *files), ("commit", "-qm", "c")):
        subprocess.run(["git", *command], cwd=root, env=os.environ | who, check=True)


def test_targets_that_are_none_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["json", "jsn"]) == 1
    assert capsys.readouterr().out.startswith("no target is called jsn; there are: json, ")


def test_all_is_well_if_nothing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.02", "rate_limit"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2].startswith("rate_limit ")
    assert shown[2].endswith(" no")
    assert int(shown[2].split()[1]) > 0
