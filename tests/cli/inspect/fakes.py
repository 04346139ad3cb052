"""What the tests of ``tfaas inspect`` share."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from tfaas_core.testing.hosts import HEAVY_PLUGINS

InstallPlugin = Callable[..., Path]

WITHOUT_TENSORFLOW = f"plugins.disabled={list(HEAVY_PLUGINS)}"
"""Each inspection would import it anew, for models that another runtime loads."""


def tar(tarball: Path, files: dict[str, Path]) -> Path:
    with tarfile.open(tarball, "w:gz") as archive:
        for name, file in files.items():
            archive.add(file, name)
    return tarball


FAKE = """
import os
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

class Counting(FakeRuntime):
    def count_ops(self, artifact, params):
        {body}

@hookimpl
def tfaas_register_runtimes():
    return {{"counting": Counting()}}
"""
