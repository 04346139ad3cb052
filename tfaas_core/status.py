"""Status: how the server is, as ``GET /status`` shows it."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from tfaas_core.system.resources.memory import private_bytes


class Fitness(msgspec.Struct, frozen=True):
    """Whether the server is fit to be asked, as each HTTP worker knows it without looking.

    ``has_started``: whether all HTTP workers have served. ``is_leaving``: whether it was told to
    stop. ``fault``: what keeps it from its work, a clause that says no secret; empty: nothing does.
    """

    has_started: bool = True
    is_leaving: bool = False
    fault: str = ""

    @property
    def why_not_started(self) -> str:
        """A clause; empty if it has started."""
        return "" if self.has_started else "HTTP workers are still starting"

    @property
    def why_not_ready(self) -> str:
        """Why no requests should be sent here, a clause; empty: they may be."""
        if self.is_leaving:
            return "the server was told to stop"
        return self.fault or self.why_not_started


class Figures(Protocol):
    """What the server has had to do, for ``GET /status``; documents of JSON."""

    async def settled(self) -> None:
        """Returns once the answers are in them that were given before."""
        ...

    def of_server(self) -> dict[str, Any]:
        """Of all models together, in the last minute."""
        ...

    def of_models(self) -> dict[str, dict[str, Any]]:
        """Of each model that was asked."""
        ...


class ProcessStatus(msgspec.Struct, frozen=True):
    """A process of the server. ``kind``: parent, http_worker, or one that the engine names."""

    kind: str
    pid: int
    private_bytes: int | None

    @classmethod
    def of(cls, kind: str, pid: int) -> ProcessStatus:
        """Blocks for some milliseconds."""
        return cls(kind, pid, private_bytes(pid))


class ServerStatus(msgspec.Struct, frozen=True):
    """Since when the server runs, and in which processes; those of models are not among them.

    ``unavailable``: why models of which runtimes cannot be started, a sentence each. ``sandbox``:
    what each part is made of that confines models, or why it is missing; ``worker_sandbox``: the
    same of HTTP workers.
    """

    uptime_s: float
    processes: list[ProcessStatus]
    unavailable: dict[str, str] = {}
    sandbox: dict[str, str] = {}
    worker_sandbox: dict[str, str] = {}
