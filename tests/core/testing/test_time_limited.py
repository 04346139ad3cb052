"""The limit of the tests of suites."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENDLESS = "tests/core/testing/wrong/endless_codecs.py"


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
