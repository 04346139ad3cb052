"""A graph to inspect, and what is checked after each inspection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Frozen


@pytest.fixture(autouse=True)
def unpacked(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where tarballs are unpacked. Nothing is left there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.glob("tfaas-*")) == []


@pytest.fixture
def scale(frozen: Frozen) -> Path:
    """A frozen graph ``x [?, 3] -> y [?, 3]``."""

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        tf.add(x * tf.constant(2.0), tf.constant(1.0), "y")

    return frozen("scale.pb", build)
