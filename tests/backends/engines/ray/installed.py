"""Whether Ray is installed."""

from __future__ import annotations

import importlib.util
import os

import pytest

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None and os.environ.get("CI") != "true",
    reason="pip install 'tfaas[ray]'",
)
