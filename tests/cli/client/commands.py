"""What the tests of commands that talk to a server share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.conftest import DEMO

PARTICLES = DEMO / "particles.pb"

WITHIN_S = 120


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "tfaas_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=WITHIN_S, **options)
