"""A distribution as ``tfaas new`` writes it, installed by pip, tested and served."""

from __future__ import annotations

from pathlib import Path

from tests.examples.conftest import installed_into
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.tools.distribution import write_distribution


def test_a_written_runtime_is_installed_and_serves(tmp_path: Path) -> None:
    folder = write_distribution("runtime", "weights", tmp_path / "tfaas-weights")
    example = installed_into(tmp_path / "venv", folder)
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    settings = ("server.workers=1", f"plugins.disabled={list(HEAVY_PLUGINS)}")
    with example.served(tmp_path, *settings) as server:
        assert server.upload("half", b"weights 1\n0.5 0.25\n").status_code == 200
        assert server.predict(model="half", values=[2, 4]).json() == [2.0]
