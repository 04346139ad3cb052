"""LocalRay: a Ray of one node, for one server, on this machine alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tfaas_backends.engines.ray import connection
from tfaas_backends.engines.ray.table import RayTable
from tfaas_core.files.temporary_folder import temporary_folder

_PREFIX = "tfaas-ray-"
LONGEST_FOLDER = 14
"""Ray's sockets lie 93 characters below it at most, and Linux takes 107."""
_STORE_BYTES = 80 * 2**20
"""For objects of Ray, of which there are hardly any: little more than it insists on."""


class LocalRay:
    """``close`` may come at any time. What a killed process has left is removed by the next one."""

    def __init__(self, table: RayTable) -> None:
        self._table = table
        self._folder = ""

    def start(self) -> None:
        """Returns once it runs. Raises what Ray does if it cannot, and OSError without a folder."""
        base = temporary_folder()
        base = base if len(base) <= LONGEST_FOLDER else "/tmp"
        _sweep(Path(base))
        self._folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base)
        # Ray has its own be everybody's to write, and only the one around it keeps others out.
        connection.start_own(self._table, f"{self._folder}/r", _STORE_BYTES)

    def close(self) -> None:
        """Ends it, as far as it has come, and removes its files."""
        connection.disconnect()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
