"""Starter: the interface of what starts model processes."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod


class ProcessHandle(ABC):
    """A started model process, as the pool sees it beside its link."""

    can_be_killed: bool = True

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Its number; None where it is not known."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it at once."""

    @abstractmethod
    async def how_it_ended(self) -> str:
        """Called once its link is closed: how it ended, for a message; empty where not known."""


class Starter(ABC):
    """Starts model processes."""

    @abstractmethod
    async def start(self, sock: socket.socket) -> ProcessHandle:
        """A new process that speaks for itself over ``sock``, which stays the caller's to close."""

    def processes(self) -> dict[int, str]:
        """The kinds of the processes, by pid, that starting takes beside the started ones."""
        return {}

    def keep_ready(self) -> None:  # noqa: B027 - optional, hence not abstract
        """Called several times a second: sees to it that the next start will be quick."""

    def close(self) -> None:  # noqa: B027
        """No further start will come."""
