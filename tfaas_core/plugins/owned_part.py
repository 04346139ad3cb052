"""OwnedPart: a storage or an engine as it starts and ends; what it raises then names its plugin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

from tfaas_core.error_kinds import code_of_kind, error_from
from tfaas_core.errors import StartupError, TfaasError
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.plugins.time_limit import told_of
from tfaas_core.plugins.told_ends import told_exits
from tfaas_core.system.output.one_line import described

_log = logging.getLogger("tfaas.start")


class PartFailedError(Exception):
    """A part raised what it must not, its ``__cause__``; the message names plugin and part."""


class OwnedPart(msgspec.Struct, frozen=True):
    """What ``plugin`` registered as ``name``, like ``storage `tape```."""

    plugin: Plugin
    name: str

    @contextmanager
    def starting(self, doing: str) -> Iterator[None]:
        """Raises PartFailedError for what the block raises; a TfaasError stays one of its kind.

        ``doing`` is like ``opening``. A warning is logged every 10 s that the block takes.
        """
        try:
            with self._told_of(doing):
                yield
        except StartupError:
            raise
        except TfaasError as error:
            message = f"{doing} the {self.name} failed: {error.message}"
            raise error_from(code_of_kind(error), message, error.details, {}, {}) from error
        except BaseException as error:
            if _is_from_outside(error):
                raise
            raise PartFailedError(self.blamed(f"{doing} the {self.name}", error)) from error

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Logs what the block raises, so that all else can be ended, too."""
        try:
            with self._told_of("closing"):
                yield
        except BaseException as error:
            if _is_from_outside(error):
                raise
            _log.error("%s", self.blamed(f"closing the {self.name}", error), exc_info=error)

    def start(self, doing: str, function: Callable[[], object]) -> None:
        """As ``starting``, for a thread: a future takes no StopIteration."""
        with self.starting(doing):
            function()

    def end(self, function: Callable[[], object]) -> None:
        """As ``ending``, for a thread."""
        with self.ending():
            function()

    async def aend(self, function: Callable[[], Awaitable[object]]) -> None:
        """As ``ending``, for what is awaited."""
        with self.ending():
            await function()

    def blamed(self, doing: str, error: BaseException) -> str:
        """A clause: the plugin failed in ``doing``, and this is the ``error``."""
        return f"plugin {self.plugin.module} failed in {doing}: {described(error)}"

    @contextmanager
    def _told_of(self, doing: str) -> Iterator[None]:
        """A database may legitimately take long: who waits is told for what."""

        def tell(taken_s: float) -> None:
            _log.warning(
                "plugin %s has been %s the %s for %g s, and the server waits for it",
                self.plugin.module,
                doing,
                self.name,
                taken_s,
            )

        failed = f"plugin {self.plugin.module} failed in {doing} the {self.name}"
        with told_of(tell), told_exits(f"tfaas: {failed}: it ended the process"):
            yield


def _is_from_outside(error: BaseException) -> bool:
    """Whether it ends what waits for a part, rather than tell of the part."""
    if not isinstance(error, asyncio.CancelledError):
        return isinstance(error, KeyboardInterrupt | GeneratorExit)
    try:
        task = asyncio.current_task()
    except RuntimeError:  # there is no event loop in this thread
        return False
    return task is not None and task.cancelling() > 0
