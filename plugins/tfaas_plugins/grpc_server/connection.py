"""A connection of gRPC, between its client and gRPC's library."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from tfaas_core.route import ClientAddress
from tfaas_core.system.network.tls import subject_of
from tfaas_plugins.grpc_server.messages import Ends, Messages
from tfaas_plugins.grpc_server.opening import Opening

_TOLD_S = 1.0


class Keeper(Protocol):
    """What has the connections of one HTTP worker."""

    def admits(self, connection: Connection) -> bool:
        """Whether there is room for one that has come; then it is in."""
        ...

    async def enter(self, connection: Connection) -> None:
        """Connects one to the library. Raises OSError."""
        ...

    def leave(self, connection: Connection) -> None:
        """It is over."""
        ...


class Connection(asyncio.Protocol):
    """That of one client."""

    def __init__(self, gate: Keeper) -> None:
        self._gate = gate
        self._opening: Opening | None = Opening()
        self._early: list[bytes] | None = []
        self.said_bytes = 0  # by the library
        self.calls = 0  # whose first message has come, and that are not over
        self.unread_calls = 0  # whose next message is not asked for yet
        self.messages = Messages()
        self._ends = Ends(self.messages)
        self._unread_bytes = [0, 0]
        self._transport: asyncio.Transport = cast("Any", None)
        self._library: asyncio.Transport | None = None
        self._entering: asyncio.Task[None] | None = None
        self._is_ending = False
        self._is_held = False
        self._is_taking = True
        self.peer = ""
        self.client = ClientAddress()

    @property
    def unsent_bytes(self) -> int:
        """What the client has still to take of what the library has said."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    @property
    def taken_bytes(self) -> int:
        """What the client has taken since the beginning."""
        return self.said_bytes - self.unsent_bytes

    @property
    def unread_bytes(self) -> int:
        """Of what the client has sent lately, what no call has read as its message."""
        return max(0, sum(self._unread_bytes))

    @property
    def waits(self) -> bool:
        """Whether it is up to the client that the messages come which it has begun.

        One that is not asked for comes in part: gRPC's library takes the beginning.
        """
        is_open = self._early is None and not (self._transport.is_closing() or self._is_ending)
        return is_open and self._is_taking and not (self._is_held or self.unread_calls)

    def has_read(self, message: bytes | None) -> None:
        """A call has read ``message``."""
        if message is not None:
            self._unread_bytes[1] -= len(message)

    def forget(self) -> None:
        """What was sent before the last time that this was called is not lately any more."""
        self._unread_bytes = [self._unread_bytes[1], 0]

    def cut(self) -> None:
        """Ends it at once, and so all its calls."""
        self._transport.abort()

    def end_soon(self) -> None:
        """Takes nothing more, and ends it once the client has been told why."""
        if not self._is_ending:
            self._is_ending = True
            self._pace()
            asyncio.get_running_loop().call_later(_TOLD_S, self.cut)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        name = transport.get_extra_info("peername")
        if name is None or not self._gate.admits(self):  # it has gone already, or is one too many
            self.cut()
            return
        subject = subject_of(transport.get_extra_info("peercert"))
        self.client = ClientAddress.of_peer(name[0], name[1], subject)
        loop = asyncio.get_running_loop()
        # Just now, uvloop would not heed it: it begins to read behind this.
        loop.call_soon(self._pace)
        self._entering = loop.create_task(self._enter())

    async def _enter(self) -> None:
        try:
            await self._gate.enter(self)
        except OSError:
            self.cut()

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        if self._early is not None:
            self._early.append(data)
            return
        self.messages.came(data)
        if self._opening is not None:
            data = self._opening.passed(data)
            if self._opening.is_over:
                self._opening = None
        if self._library is not None:
            self._unread_bytes[1] += len(data)
            self._library.write(data)

    def pause_writing(self) -> None:
        """The client takes nothing for now. So nothing is taken of it that asks for more."""
        self._is_taking = False
        self._pace()
        if self._library is not None:
            self._library.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_taking = True
        self._pace()
        if self._library is not None:
            self._library.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self._gate.leave(self)
        if self._entering is not None:
            self._entering.cancel()
        if self._library is not None:
            self._library.abort()

    def other_end(self) -> asyncio.Protocol:
        """The protocol of its other end, which leads to the library."""
        return _Library(self)

    def library_is_there(self, transport: asyncio.Transport) -> None:
        """The library accepts it, too."""
        self._library = transport
        if self._transport.is_closing():
            transport.abort()

    def library_said(self, data: bytes) -> None:
        """It goes to the client. The library begins with its settings."""
        if self._transport.is_closing():
            return
        self.said_bytes += len(data)
        self._ends.came(data)
        self._transport.write(data)
        if (early := self._early) is not None:
            self._early = None
            for each in early:
                self.data_received(each)
            self._pace()

    def library_has_gone(self) -> None:
        """It has ended the connection, or was left."""
        self._transport.close()

    def pace(self, is_held: bool) -> None:
        """The library takes no more for now, or does again."""
        self._is_held = is_held
        self._pace()

    def _pace(self) -> None:
        if self._transport.is_closing():
            return
        if self._early is None and self._is_taking and not (self._is_held or self._is_ending):
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


class _Library(asyncio.Protocol):
    """The other end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.data_received = connection.library_said  # type: ignore[method-assign]

    def connection_made(self, transport: Any) -> None:
        self._connection.library_is_there(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connection.library_has_gone()

    def pause_writing(self) -> None:
        self._connection.pace(is_held=True)

    def resume_writing(self) -> None:
        self._connection.pace(is_held=False)
