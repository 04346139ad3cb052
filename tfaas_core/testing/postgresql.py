"""A PostgreSQL server for tests: a real one, of the installed binaries, on 127.0.0.1."""

from __future__ import annotations

import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tfaas_core.testing.ports import lasting_port

ADDRESS = "TEST_POSTGRESQL"
"""The environment variable with the running server's address, for spawned processes, too."""

USER = "tfaas"
PASSWORD = "s3cret-of-tests"

_WITHIN_S = 60
_PR_SET_PDEATHSIG = 1
_SHM = Path("/dev/shm")
_PREFIX = "tfaas-postgresql-"
_ROOM_BYTES = 8 * 1024**3


class PostgresqlServer:
    """A server in a folder of its own, which may be stopped or killed, and started again.

    If it is not ``durable``, it trades the safety of what it stores for speed. ``network``: from
    where it is reached beside 127.0.0.1, like ``10.0.0.0/24``.
    """

    def __init__(
        self, binaries: Path, folder: Path, durable: bool = False, network: str = ""
    ) -> None:
        self._fsync = "on" if durable else "off"
        self.address = f"127.0.0.1:{lasting_port()}"
        self._binaries = binaries
        self._folder = folder
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self._listens = "*" if network else "127.0.0.1"
        self._make()
        if network:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} scram-sha-256\n")

    def _make(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        for path in (self._folder, password):
            os.chown(path, self._account.get("user", -1), self._account.get("group", -1))
        command = [f"{self._binaries}/initdb", "--pgdata=data", f"--username={USER}"]
        options = ["--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            [*command, *options], check=True, capture_output=True, cwd=self._folder, **self._account
        )

    def start(self) -> None:
        """Returns when it answers."""
        port = self.address.partition(":")[2]
        command = [f"{self._binaries}/postgres", "-Ddata", f"-k{self._folder}", f"-p{port}"]
        settings = [
            f"listen_addresses={self._listens}",
            f"fsync={self._fsync}",
            "log_min_messages=fatal",
            # Each of a thousand small databases would be looked at, amid whatever is tested there.
            "autovacuum=off",
        ]
        with (self._folder / "log").open("ab") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                [*command, *(f"-c{setting}" for setting in settings)],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_the_tests,
                **self._account,
            )
        self._process = process
        end_s = time.monotonic() + _WITHIN_S
        while not self._answers():
            assert process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end_s, "the server does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(url_of("postgres", self.address), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def processes(self) -> list[psutil.Process]:
        """All of them, the first one first; none while it is stopped."""
        if self._process is None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *first.children()]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT in good order, SIGQUIT so that its next start has to recover."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_WITHIN_S)
            self._process = None


def _account() -> dict[str, Any]:
    """Whom the server runs as: it refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise AssertionError("PostgreSQL does not run as root, and there is no other account")


def _end_with_the_tests() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _binaries() -> Path | None:
    """The folder that has initdb and postgres."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if asked := shutil.which("pg_config"):
        run = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True)
        candidates.insert(0, Path(run.stdout.strip()))
    whole = (path for path in candidates if (path / "initdb").exists())
    return next(whole, None)


@contextmanager
def running_postgresql(durable: bool = False, network: str = "") -> Iterator[PostgresqlServer]:
    """A new server, which is gone afterwards. Skips the test, but under CI, if none can be."""
    binaries = _binaries()
    if binaries is None:
        assert os.environ.get("CI") != "true", "no binaries of PostgreSQL, which CI must have"
        pytest.skip("no binaries of PostgreSQL: apt-get install postgresql")
    with in_a_folder(lambda folder: PostgresqlServer(binaries, folder, durable, network)) as server:
        yield server


def _memory() -> Path | None:
    """A file system in memory, if one has room: a database is a thousand small files to write."""
    with suppress(OSError, ValueError):
        # Whoever was killed has left its own there, and memory is dear.
        for folder in _SHM.glob(f"{_PREFIX}*-*"):
            if not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX).split("-")[0])):
                shutil.rmtree(folder, ignore_errors=True)
        if shutil.disk_usage(_SHM).free >= _ROOM_BYTES:
            return _SHM
    return None


@contextmanager
def in_a_folder(make: Callable[[Path], PostgresqlServer]) -> Iterator[PostgresqlServer]:
    """A server that is made in a new folder and started; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_memory()))
    try:
        server = make(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def url_of(database: str, address: str | None = None) -> str:
    """The URL of a database, of the server that ``ADDRESS`` names unless another is given."""
    return f"postgresql://{USER}:{PASSWORD}@{address or os.environ[ADDRESS]}/{database}"


def database_for(folder: Path, address: str | None = None) -> str:
    """The URL of a database of this folder's own, which is made if it is missing."""
    name = f"test_{hashlib.sha256(bytes(folder)).hexdigest()[:32]}"
    with psycopg.connect(url_of("postgres", address), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # until the connection ends
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            connection.execute(f"CREATE DATABASE {name}".encode())
    return url_of(name, address)
