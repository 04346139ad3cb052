"""A PostgreSQL server that follows another one, and can only be read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfaas_core.testing.postgresql import PostgresqlServer, url_of


class _Standby(PostgresqlServer):
    def __init__(self, primary: PostgresqlServer, folder: Path) -> None:
        self._primary = primary
        super().__init__(primary._binaries, folder)

    def _make(self) -> None:
        os.chown(self._folder, self._account.get("user", -1), self._account.get("group", -1))
        source = f"--dbname={url_of('', self._primary.address)}"
        command = [f"{self._binaries}/pg_basebackup", source, "--pgdata=data"]
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        subprocess.run(
            [*command, *options], check=True, capture_output=True, cwd=self._folder, **self._account
        )


@contextmanager
def standby_of(primary: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A hot standby, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tfaas-standby-"))
    try:
        server = _Standby(primary, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)
