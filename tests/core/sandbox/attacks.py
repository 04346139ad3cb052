"""All attacks: what a hostile model's code tries."""

from __future__ import annotations

from tests.core.sandbox import file_attacks, kernel_attacks, process_attacks  # noqa: F401
from tests.core.sandbox.attack import ATTACKS, Targets, outcome

__all__ = ["ATTACKS", "Targets", "outcome"]
