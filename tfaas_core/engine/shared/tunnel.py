"""Tunnel: TLS over a connection between hosts, for those who need a plain socket.

Models' processes are handed sockets, and speak no TLS. So whoever began it passes on what comes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from tfaas_core.engine.shared.hello import HELLO_LIMIT_S
from tfaas_core.system.links.breakage import breakage_of
from tfaas_core.system.network.silence import end_when_silent

_RECEIVE_BYTES = 1 << 18

STUCK_S = 10.0
"""For so long may the far side take nothing of what is left once our socket was closed."""

_LOOK_S = 1.0
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Tunnel:
    """What is sent to ``sock`` leaves encrypted, and what comes encrypted is read from it.

    The socket belongs to whoever asked for the tunnel, which ends when that is closed: once the far
    side has taken what was sent, or does not go on with it. All methods belong to the event loop's
    thread.
    """

    def __init__(self, outer: ssl.SSLSocket, on_end: Callable[[Tunnel], None]) -> None:
        """``outer``: after its handshake. ``on_end`` is called once, when both ends are closed."""
        self._outer, self._on_end = outer, on_end
        self.sock, self._inner = socket.socketpair()
        self.error: OSError | None = None
        """Why it has ended, unless one of the two sides has hung up."""
        self.sock.setblocking(False)
        self._inner.setblocking(False)
        self._ways = (_Way(self._outer, self._inner, self), _Way(self._inner, self._outer, self))
        end_when_silent(outer)

    def close(self) -> None:
        """Ends it at once. A second time, it does nothing."""
        if self._inner.fileno() < 0:
            return
        for way in self._ways:
            way.stop()
        with suppress(OSError, ValueError):
            self._outer.unwrap()  # says good-bye, and does not wait for an answer
        self._outer.close()
        self._inner.close()
        self._on_end(self)

    def source_ended(self, error: OSError | None = None) -> None:
        """Nothing will come any more on one of the ways."""
        self.error = error
        self.close()

    def sink_ended(self) -> None:
        """One of the ways leads nowhere. The other one learns why, after what is to be read."""
        if all(way.is_over for way in self._ways):
            self.close()


class _Way:
    """What comes from ``source`` goes to ``sink``, and no faster than that takes it."""

    def __init__(self, source: socket.socket, sink: socket.socket, tunnel: Tunnel) -> None:
        self._source, self._sink, self._tunnel = source, sink, tunnel
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")
        self._is_broken = breakage_of(source)
        self._looking: asyncio.TimerHandle | None = None
        self.is_over = False
        """Whether it passes on no more."""
        # What the handshake brought along makes no socket readable.
        self._loop.call_soon(self._readable)
        self._loop.add_reader(source, self._readable)

    def stop(self) -> None:
        """Passes on no more."""
        self.is_over = True
        self._look_no_more()
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._sink)

    def _readable(self) -> None:
        if self.is_over or self._rest:
            return
        try:
            data = self._source.recv(_RECEIVE_BYTES)
        except _NOT_NOW:
            return
        except OSError as error:
            self._tunnel.source_ended(error)
            return
        if not data:
            self._tunnel.source_ended()
            return
        self._rest = memoryview(data)
        self._send()
        if self._rest and not self.is_over:
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._writable)
            # From a machine that is gone, nothing comes any more.
            if isinstance(self._sink, ssl.SSLSocket):
                self._look_again()

    def _writable(self) -> None:
        self._send()
        if not self._rest and not self.is_over:
            self._look_no_more()
            self._loop.remove_writer(self._sink)
            self._loop.add_reader(self._source, self._readable)

    def _look_again(self, idle_s: float = 0.0) -> None:
        self._looking = self._loop.call_later(_LOOK_S, self._look, len(self._rest), idle_s)

    def _look(self, left_bytes: int, idle_s: float) -> None:
        is_idle = len(self._rest) == left_bytes and bool(self._is_broken())
        if is_idle and idle_s + _LOOK_S >= STUCK_S:
            self._tunnel.close()
        else:
            self._look_again(idle_s + _LOOK_S if is_idle else 0.0)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    def _send(self) -> None:
        try:
            self._rest = self._rest[self._sink.send(self._rest) :]
        except _NOT_NOW:
            return
        except OSError:
            self.stop()
            self._tunnel.sink_ended()
            return
        if not self._rest and self._is_unseen():
            self._loop.call_soon(self._readable)

    def _is_unseen(self) -> bool:
        """Whether there may be something to read of which the event loop does not tell."""
        if isinstance(self._source, ssl.SSLSocket) and self._source.pending():
            return True
        return bool(self._is_broken())


async def tls_over(
    sock: socket.socket, context: ssl.SSLContext, name: str | None = None
) -> ssl.SSLSocket:
    """``sock``, which is detached, after a handshake. Raises OSError, and then it is closed.

    ``name``: of the host that is called, which its certificate has to have; None: the other side
    has called.
    """
    outer = context.wrap_socket(
        sock,
        server_side=name is None,
        server_hostname=name,
        do_handshake_on_connect=False,
    )
    try:
        async with asyncio.timeout(HELLO_LIMIT_S):
            while not await _is_shaken(outer):
                pass
    except BaseException:
        outer.close()
        raise
    return outer


async def _is_shaken(outer: ssl.SSLSocket) -> bool:
    loop = asyncio.get_running_loop()
    try:
        outer.do_handshake()
    except ssl.SSLWantReadError:
        await _wait(outer, loop.add_reader, loop.remove_reader)
    except ssl.SSLWantWriteError:
        await _wait(outer, loop.add_writer, loop.remove_writer)
    else:
        return True
    return False


async def _wait(
    outer: ssl.SSLSocket, add: Callable[..., object], remove: Callable[..., object]
) -> None:
    ready = asyncio.Event()
    add(outer, ready.set)
    try:
        await ready.wait()
    finally:
        remove(outer)
