"""Storage timing: how long the calls of a worker's storage take, and how they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from tfaas_core.errors import TfaasError
from tfaas_core.storage import Claim, Storage

_OPERATIONS = (
    *("model", "list", "default", "artifact"),
    *("stage", "discard", "commit", "prune", "delete", "delete_version"),
    *("point", "choose_default"),
)
_CLAIM = "claim"

Told = Callable[[str, float, str], None]
"""Gets the operation, how long it took, in seconds, and the code of its error, or nothing."""


@contextmanager
def timed(storage: Storage, told: Told) -> Iterator[None]:
    """Has ``told`` called, in this event loop, after each call of ``storage``, for a block.

    Whoever has the storage already looks its methods up at each call, so they are put in its
    instance. Called in the event loop.
    """
    clock = _Clock(asyncio.get_running_loop(), told)
    changed: list[str] = []
    for name in (*_OPERATIONS, _CLAIM):
        own = getattr(storage, name)
        with suppress(AttributeError):  # a storage of slots
            setattr(storage, name, clock.claim(own) if name == _CLAIM else clock.call(name, own))
            changed.append(name)
    try:
        yield
    finally:
        for name in changed:
            delattr(storage, name)


class _Clock:
    """Storages are called in threads, and ``told`` belongs to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Told) -> None:
        self._loop = loop
        self._told = told

    def call(self, name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            with self._timing(name):
                return own(*arguments, **named)

        return called

    def claim(
        self, own: Callable[[str], AbstractContextManager[Claim]]
    ) -> Callable[[str], AbstractContextManager[Claim]]:
        """A claim takes what it takes to get it, not to hold it."""

        @contextmanager
        def claimed(name: str) -> Iterator[Claim]:
            with ExitStack() as held:
                with self._timing(_CLAIM):
                    claim = held.enter_context(own(name))
                yield claim

        return claimed

    @contextmanager
    def _timing(self, name: str) -> Iterator[None]:
        begin_s, code = time.monotonic(), ""
        try:
            yield
        except TfaasError as error:
            code = error.code
            raise
        except BaseException:  # a plugin's storage may raise anything
            code = "internal"
            raise
        finally:
            took_s = time.monotonic() - begin_s
            with suppress(RuntimeError):  # the loop is closed: the worker ends
                self._loop.call_soon_threadsafe(self._told, name, took_s, code)
