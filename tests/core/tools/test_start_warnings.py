from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.tools.survey import findings

RUNTIME = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime

class Own(Runtime):
    def examine(self, options): return ["odd", EXAMINED]
    def claim(self, artifact, file_name): ...
    def load(self, artifact, params, options): ...

@hookimpl
def tfaas_register_runtimes():
    return {"NAME": Own()}
"""


def test_a_runtime_that_cannot_be_asked_silences_no_other(
    install_plugin: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, examined in {"a": "1 / 0", "b": "'of b'", "c": "2", "d": "'of d'"}.items():
        source = RUNTIME.replace("EXAMINED", examined).replace("NAME", name)
        install_plugin(f"tfaas-{name}", source)
    disabled = f"plugins.disabled={list(HEAVY_PLUGINS)}"
    found = findings(load_config(None, [disabled, "engine.isolation=inline"], {}))
    # What both say is told once.
    assert found.warnings[-3:] == ["odd", "of b", "of d"]
    raised, returned = found.errors
    assert "examining the runtime `a`: ZeroDivisionError" in raised
    assert "returned 2 among others in examining the runtime `c`" in returned
