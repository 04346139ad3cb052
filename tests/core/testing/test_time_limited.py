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
    (tmp_path / "test_slow.py").write_text(_SLOW)
    command = [sys.executable, "-m", "pytest", "-q", "--pdb", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "test_slow.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
