"""The target: a server that chaos is made for, with its storage, and all of its processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import psutil

from tests.chaos.asking import Caller
from tests.chaos.disk import small_disk, why_no_small_disk
from tests.chaos.ledger import KEPT
from tests.chaos.wall_clock import WallClock, why_no_wall_clock
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import fork_servers, http_workers, is_alive
from tfaas_core.testing.ports import lasting_port
from tfaas_core.testing.postgresql import PostgresqlServer, database_for, running_postgresql
from tfaas_core.testing.server import RunningServer

STORAGES = ("filesystem", "sqlite", "postgresql")

TOKEN = "of-chaos"
PASSING_TOKEN = "of-the-hour"
"""One that expires in an hour."""

_SHARED = Path("/dev/shm")

DEADLINE_S = 10

WORKERS = 2


class Target:
    """A server of made-up models on a port that it keeps when it is started again."""

    def __init__(self, storage: str, folder: Path) -> None:
        self.storage = storage
        self.folder = folder
        self.disk = folder / "disk"
        self.why_no_disk = why_no_small_disk()
        self.why_no_clock = why_no_wall_clock()
        self.clock: WallClock | None = None
        self.postgresql: PostgresqlServer | None = None
        self.starts = 0
        self._port = lasting_port()
        self._server: RunningServer | None = None
        self._running = ExitStack()
        self._settings: tuple[str, ...] = ()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Has all but the server in the block; a server that runs at its end is ended."""
        with ExitStack() as stack:
            self.disk.mkdir()
            if not self.why_no_disk:
                stack.enter_context(small_disk(self.disk))
            if not self.why_no_clock:
                self.clock = WallClock(self.folder / "clock")
            if self.storage == "postgresql":
                self.postgresql = stack.enter_context(running_postgresql())
            self._settings = self._storage_settings()
            self.temporary.mkdir()
            stack.callback(self._running.close)
            yield

    def _storage_settings(self) -> tuple[str, ...]:
        if self.storage == "filesystem":
            return (f"storage.root={self.models}",)
        url = f"sqlite:///{self.models}"
        if self.postgresql is not None:
            url = database_for(self.folder, self.postgresql.address)
        # Too small for what is in use; so if the clock jumps, that does not seem to be.
        cache = f"storage.cache={self.cache}", "storage.cache_max_bytes=8_000_000"
        return "storage.kind=sql", f"storage.url={url}", *cache

    @property
    def models(self) -> Path:
        """Where the models are: a folder, or SQLite's file."""
        return self.disk / ("models" if self.storage == "filesystem" else "tfaas.db")

    @property
    def cache(self) -> Path:
        """Of a storage in a database."""
        return self.disk / "cache"

    @property
    def temporary(self) -> Path:
        """The server's folder for temporary files."""
        return self.folder / "tmp"

    @property
    def server(self) -> RunningServer:
        """The one that runs, or ran last."""
        assert self._server is not None
        return self._server

    @property
    def settings(self) -> tuple[str, ...]:
        """Of the storage."""
        return self._settings

    @property
    def port(self) -> int:
        """Where it serves."""
        return self._port

    def start(self) -> float:
        """Starts it, for the first time or again; returns for how long that took, in seconds."""
        self.starts += 1
        folder = self.folder / f"start-{self.starts}"
        folder.mkdir()
        # By the wall clock of the server, whatever that is now.
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        digest = sha256(PASSING_TOKEN.encode()).hexdigest()
        passing = f'sha256 = "{digest}", rights = ["predict"], expires = "{expires}"'
        tokens = f'{{ chaos = "{TOKEN}", hour = {{ {passing} }} }}'
        begin_s = time.monotonic()
        self._running = ExitStack()
        self._server = self._running.enter_context(
            fake_server(
                folder,
                *(f"server.port={self._port}", f"server.workers={WORKERS}"),
                *(f"server.request_timeout_s={DEADLINE_S}", f"models.keep_versions={KEPT}"),
                f"plugins.token_guard.tokens={tokens}",
                *self._settings,
                env={
                    "TMPDIR": str(self.temporary),
                    **({} if self.clock is None else self.clock.environment),
                },
            )
        )
        self._server.http.headers["Authorization"] = f"Bearer {TOKEN}"
        return time.monotonic() - begin_s

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        code = self.server.stop()
        self._running.close()
        return code

    def kill_parent(self) -> None:
        """SIGKILL of the parent alone."""
        self.server.process.kill()
        self.server.process.wait()
        self._running.close()

    def caller(self, lasting: bool = False, token: str = TOKEN) -> Caller:
        """A client's connections."""
        return Caller(self._port, token, lasting)

    # Its processes.

    def family(self) -> list[psutil.Process]:
        """All that run of all of its starts, whoever their parents are by now."""
        mark = str(self.folder)
        found = []
        for process in psutil.process_iter(["name"]):
            name = str(process.info["name"])
            with suppress(psutil.Error, OSError):
                if name.startswith(("tfaas", "python")) and _is_of(process, mark):
                    found.append(process)
        return [process for process in found if is_alive(process)]

    def processes(self, kind: str) -> list[psutil.Process]:
        """Those of the present start of a kind, by process id."""
        parent = self.server.parent
        match kind:
            case "parent":
                found = [parent]
            case "HTTP worker":
                found = http_workers(parent)
            case "fork server":
                found = fork_servers(parent)
            case "model process":
                found = [one for one in self.family() if _name(one) == "tfaas-model"]
            case _:
                known = ("tfaas-worker", "tfaas-fork", "tfaas-model")
                found = [one for one in parent.children() if _name(one) not in known]
        return sorted((one for one in found if is_alive(one)), key=lambda one: one.pid)

    def is_whole(self) -> bool:
        """Whether there are as many processes as there ought to be."""
        try:
            return (
                len(self.processes("HTTP worker")) == WORKERS
                and len(self.processes("fork server")) == 1
            )
        except psutil.NoSuchProcess:
            return False

    def orphans(self) -> list[str]:
        """Processes that run, and that the parent does not know."""
        answer = self.caller().ask("GET", "/status")
        if answer.outcome != "200":
            return [f"/status is {answer.outcome}"]
        status = answer.json()
        known = {one["pid"] for one in (*status["processes"], *status["models"]) if one["pid"]}
        known |= {one.pid for one in self.server.parent.children()}
        return [described(one) for one in self.family() if one.pid not in known]


def _is_of(process: psutil.Process, mark: str) -> bool:
    return mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace")


def described(process: psutil.Process) -> str:
    """For a report."""
    with suppress(psutil.NoSuchProcess):
        command = " ".join(process.cmdline())[-160:]
        return f"{process.name()} {process.pid} of {process.ppid()}: {command}"
    return f"{process.pid}, gone by now"


def _name(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return str(process.name())
    return ""


def shared_memory() -> set[str]:
    """What Python's multiprocessing names in the memory that all processes of the machine share.

    What a process uses is its own, of a test beside this one, say.
    """
    with suppress(OSError):
        named = {path for path in _SHARED.iterdir() if path.name.startswith(("psm_", "sem."))}
        unused = {path for path in named if not _is_used(path)}
        # Whoever used it may just have ended, and removed it.
        return {path.name for path in unused if path.exists()}
    return set()


def _is_used(path: Path) -> bool:
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):  # it has ended, or is another account's
            if str(path) in maps.read_text():
                return True
    return False
