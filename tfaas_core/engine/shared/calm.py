"""Calm: how long nothing has to happen before something is taken away again."""

from __future__ import annotations

CALM_S = 300.0
"""What was not asked for so long is not in use, and what was not needed is not needed any more."""
