"""The HTTP protocol of one connection: Sanic's, with a gentler end."""

from __future__ import annotations

import asyncio
from typing import Any

from sanic.server.protocols.http_protocol import HttpProtocol

LINGER_S = 2.0
"""A client that was answered in the middle of its body may go on sending for this long."""


class LingeringProtocol(HttpProtocol):
    """Ends a connection with a FIN, and waits for the client's before it closes.

    A socket that is closed with unread bytes resets the connection, and the client may lose the
    answer that it was just sent: a 413, say, which comes before the end of the body.
    """

    __slots__ = ("_lingering",)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._lingering = False

    def close(self, timeout: float | None = None) -> None:
        transport: Any = self.transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        self._lingering = True
        try:
            transport.write_eof()
            transport.set_protocol(_Deaf(self))
            transport.resume_reading()
        except (OSError, RuntimeError, NotImplementedError):
            super().close(timeout)
            return
        # The client's end, or the clock, closes the transport.
        self.loop.call_later(LINGER_S, super().close, timeout)


class _Deaf(asyncio.Protocol):
    """Takes what still comes, and does nothing with it."""

    def __init__(self, before: LingeringProtocol) -> None:
        self._before = before

    def pause_writing(self) -> None:
        self._before.pause_writing()  # type: ignore[no-untyped-call]

    def resume_writing(self) -> None:
        self._before.resume_writing()  # type: ignore[no-untyped-call]

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)  # type: ignore[no-untyped-call]
