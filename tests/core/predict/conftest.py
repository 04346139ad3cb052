"""A catalog for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.predict.catalogs import Case


@pytest.fixture
def make_case(tmp_path: Path) -> Callable[..., Case]:
    return lambda **given: Case(tmp_path / "storage", **given)
