"""Lifespan: what a plugin does in an HTTP worker, from the worker's start to its end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from tfaas_core.errors import PluginError, StartupError
from tfaas_core.plugins import calls
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.plugins.time_limit import TooLong, time_limit
from tfaas_core.plugins.told_ends import told_exits
from tfaas_core.system.output.one_line import described

HOOK = "tfaas_lifespan"

LEAVE_LIMIT_S = 10.0

_SLACK_S = 1.0
"""An event loop that is later than this is blocked."""

_log = logging.getLogger("tfaas.lifespan")


class Wording(msgspec.Struct, frozen=True):
    """How messages call what a plugin does, and that it begins, ends, and has ended by itself."""

    what: str = HOOK
    entering: str = "entering"
    leaving: str = "leaving"
    has_left: str = "has left"


class Lifespan(AbstractAsyncContextManager[None]):
    """Enters and leaves ``manager``, which ``plugin`` gave, in a task of its own.

    So a task group in there may cancel its task, and no other. What fails on entering is a
    PluginError; what fails later is logged. Leaving may take ``busy_s`` longer than usual.
    """

    def __init__(
        self,
        plugin: Plugin,
        manager: AbstractAsyncContextManager[object],
        wording: Wording | None = None,
        busy_s: float = 0.0,
    ) -> None:
        self._plugin = plugin
        self._manager = manager
        self._wording = wording or Wording()
        self._busy_s = busy_s
        self._leaving = asyncio.Event()

    async def __aenter__(self) -> None:
        self._entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        name = f"{self._wording.what} of {self._plugin}"
        self._task = asyncio.create_task(self._live(), name=name)
        doing, limit_s = self._wording.entering, calls.CALL_LIMIT_S
        await self._wait({self._task, self._entered}, doing, limit_s)
        if not self._entered.done():
            error = self._outcome()
            if isinstance(error, StartupError):
                raise error
            raise self._broken(doing, limit_s, error) from error
        self._task.add_done_callback(self._ended)

    async def __aexit__(self, *_error: object) -> None:
        if self._task.done():
            return
        self._leaving.set()
        doing, limit_s = self._wording.leaving, LEAVE_LIMIT_S + self._busy_s
        await self._wait({self._task}, doing, limit_s)
        is_over, error = self._task.done(), self._outcome()
        if not is_over or error is not None:
            wrong = self._broken(doing, limit_s, error)
            _log.error("%s", wrong.message, exc_info=error)

    async def _live(self) -> BaseException | None:
        """What the plugin raised, whatever that is: its exit() ends no event loop."""
        try:
            async with self._manager:
                self._entered.set_result(None)
                await self._leaving.wait()
        except BaseException as error:
            return error
        return None

    async def _wait(self, ends: set[asyncio.Future[Any]], doing: str, limit_s: float) -> None:
        """Until one of ``ends`` is done, or the time is up. A plugin may block the event loop."""
        last_words = f"tfaas: {self._stuck(doing, limit_s).message}"
        ended = broken(self._plugin, f"failed in {doing} {HOOK}: it ended the process").message
        with (
            time_limit(limit_s + _SLACK_S, last_words, self._is_running),
            told_exits(f"tfaas: {ended}", self._is_running),
        ):
            await asyncio.wait(ends, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)

    def _is_running(self) -> bool:
        return asyncio.current_task() is self._task

    def _outcome(self) -> BaseException | None:
        """What was raised in there; what has not ended is given up."""
        if self._task.done():
            return self._task.result()
        self._leaving.set()
        self._task.cancel()
        return None

    def _broken(self, doing: str, limit_s: float, error: BaseException | None) -> PluginError:
        if error is None or isinstance(error, TooLong):
            return self._stuck(doing, limit_s)
        return broken(self._plugin, f"failed in {doing} {self._wording.what}: {described(error)}")

    def _stuck(self, doing: str, limit_s: float) -> PluginError:
        doing = f"{doing} {self._wording.what}"
        return broken(self._plugin, f"does not return from {doing} within {limit_s:g} s")

    def _ended(self, task: asyncio.Task[BaseException | None]) -> None:
        if not self._leaving.is_set():
            wrong = broken(
                self._plugin,
                f"{self._wording.has_left} {self._wording.what} by itself, before the end",
            )
            _log.error("%s", wrong.message, exc_info=task.result())
