"""Where models and pictures lie that are not part of the project; tests skip without them."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"
PROTOCOLS = Path(__file__).parents[2] / "shared" / "protocols"
