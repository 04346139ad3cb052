"""The limit of the tests of suites."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENDLESS = "tests/core/testing/wrong/endless_codecs.py"

_SLOW = """
import time
from tfaas_core.testing.suites.time_limited import TimeLimited

class TestSlow(TimeLimited):
    limit_s = 0.01

    def test_it(self):
        time.sleep(0.3)
"""

_STARVED = """
import threading
import time
from tfaas_core.testing.suites import time_limited

ending = threading.Event()
other = threading.Thread(target=ending.wait)
other.start()
at_first_s = iter([0.0])

def starved_s(process, thread):
    if thread == process:
        return next(at_first_s, 500.0)
    return 1000.0 if thread == other.native_id else 0.0

time_limited.starved_s = starved_s

class TestStarved(time_limited.TimeLimited):
    limit_s = 0.05

    def test_it(self):
        ending.set()
        other.join()
        time.sleep(0.3)
"""


def test_what_does_not_come_back_is_named_with_what_it_was_given() -> None:
    test = "TestWaitsForGood::test_a_damaged_body_is_the_clients_error_or_fits"
    command = [sys.executable, "-m", "pytest", "-q", "-o", "python_files=*.py", "--tb=line"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", f"{ENDLESS}::{test}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    said = r"not ended after 1 s: WaitsForGood\.parse\(body=b'\\x00', head=.*\) has not come back"
    assert re.search(said, run.stdout), run.stdout


def test_a_test_that_is_debugged_takes_as_long_as_it_takes(tmp_path: Path) -> None:
    _assert_passes(_SLOW, tmp_path, "--pdb")


def test_time_without_a_core_does_not_count_and_threads_that_end_take_none_away(
    tmp_path: Path,
) -> None:
    _assert_passes(_STARVED, tmp_path)


def _assert_passes(source: str, folder: Path, *options: str) -> None:
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    run = subprocess.run(
        [*command, "test_it.py"],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
