"""Deaf: the protocol of a connection that was answered, and is on its way out."""

from __future__ import annotations

import asyncio


class Deaf(asyncio.Protocol):
    """Takes what still comes, and does nothing with it. ``before`` is told all else."""

    def __init__(self, before: asyncio.Protocol) -> None:
        self._before = before

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)
