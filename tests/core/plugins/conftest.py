"""The configuration of a file in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfaas_core.config import Config, load_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "tfaas.toml"
    file.touch()
    return load_config(file, environ={})
