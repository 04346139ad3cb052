"""Starter: the interface of what starts model processes."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Hashable

from tfaas_core.engine.shared.mode import USUAL
from tfaas_core.system.lives.ending import Ending


class ProcessHandle(ABC):
    """A started model process, as the pool sees it beside its link."""

    pid: int
    can_be_killed: bool = True

    @abstractmethod
    def kill(self) -> None:
        """Ends it at once."""

    @abstractmethod
    async def how_it_ended(self) -> Ending:
        """Called once its link is closed; waits a moment for the system to say it."""


class Starter(ABC):
    """Starts model processes. All methods belong to the event loop."""

    @abstractmethod
    async def start(
        self, sock: socket.socket, runtime: str, *, artifact: str = "", mode: str = USUAL
    ) -> ProcessHandle:
        """A new process for models of ``runtime``, which speaks for itself over ``sock``.

        ``artifact`` is the only one that it may read; empty: it may read all. ``mode``: one of the
        runtime's, if each model has a process of its own. The socket stays the
        caller's to close. Raises Unavailable.
        """

    def group(self, runtime: str) -> Hashable:
        """Models of runtimes of the same group may share a process."""
        return None

    def processes(self) -> dict[int, str]:
        """The kinds of the processes, by pid, that starting takes beside the started ones."""
        return {}

    def unavailable(self) -> dict[str, str]:
        """Why ``start`` is refused for which runtimes now, a sentence each."""
        return {}

    def keep_ready(self) -> None:  # noqa: B027 - optional, hence not abstract
        """Called at first, and then several times a second: keeps the next start quick."""

    def close(self) -> None:  # noqa: B027
        """No further start will come."""
