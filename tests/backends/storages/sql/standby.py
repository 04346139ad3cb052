"""A PostgreSQL server that follows another one, and can only be read."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from tfaas_core.testing.postgresql import PostgresqlServer, in_a_folder, url_of


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


def standby_of(primary: PostgresqlServer) -> AbstractContextManager[PostgresqlServer]:
    """A hot standby, which is gone afterwards."""
    return in_a_folder(lambda folder: _Standby(primary, folder))
