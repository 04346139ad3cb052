"""How often the tests that look for rare faults try."""

from __future__ import annotations

import os

_FACTOR = 10 if os.environ.get("TEST_LONG") == "1" else 1


def tries(usual: int) -> int:
    """So many; ten times as many if the environment has ``TEST_LONG=1``."""
    return usual * _FACTOR
