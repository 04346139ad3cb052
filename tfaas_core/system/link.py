"""Link: messages between two processes over a Unix stream socket, with file descriptors.

A message is ``<II`` (bytes of payload, number of descriptors), then the payload, one msgspec
Struct as MessagePack. Descriptors travel with the message's first byte. The end of a stream is how
each side learns that the other is gone, even after SIGKILL.

A message that the other side could not read is refused where it is sent. One that cannot be read
all the same ends the link, so that nobody waits for an answer to it. So does one of more than
256 MiB, and so do more descriptors than any message has.
"""

from __future__ import annotations

import array
import asyncio
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from struct import Struct as Layout
from typing import Any, Generic, TypeVar

import msgspec

_HEAD = Layout("<II")
_RECEIVE_BYTES = 1 << 16
_MAX_DESCRIPTORS = 16
_MOST_BYTES = 1 << 28
_ANCILLARY_BYTES = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)

M = TypeVar("M")

_log = logging.getLogger("tfaas.link")


class _GarbledError(ConnectionError):
    """A message cannot be read; nor, perhaps, can what comes behind it."""


class _Inbox(Generic[M]):
    """Puts messages together from what arrives, and hands each the descriptors sent with it.

    Those may be fewer than were sent, if this process has too many files open.
    ``peer`` is whoever sends them, for the log.
    """

    def __init__(self, messages: Any, peer: str) -> None:
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(messages)
        self._peer = peer
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self, sock: socket.socket) -> bool:
        """Takes what ``sock`` has; False at the end of the stream."""
        data, ancillary, _flags, _address = sock.recvmsg(_RECEIVE_BYTES, _ANCILLARY_BYTES)
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(value[: len(value) - len(value) % descriptors.itemsize])
                self._descriptors.extend(descriptors)
        if len(self._descriptors) > 2 * _MAX_DESCRIPTORS:
            raise self._garbled(f"{len(self._descriptors)} descriptors that belong to no message")
        self._bytes += data
        return bool(data)

    def messages(self) -> Iterator[tuple[M, list[int]]]:
        """Raises ConnectionError, and logs it, if one cannot be read."""
        while len(self._bytes) >= _HEAD.size:
            size, count = _HEAD.unpack_from(self._bytes)
            end = _HEAD.size + size
            if size > _MOST_BYTES:
                raise self._garbled(f"{size} bytes")
            if len(self._bytes) < end:
                return
            payload = bytes(self._bytes[_HEAD.size : end])
            del self._bytes[:end]
            message = self._read(payload)
            # The kernel drops those for which this process has too many files open.
            arrived = min(count, len(self._descriptors))
            yield message, [self._descriptors.popleft() for _ in range(arrived)]

    def _read(self, payload: bytes) -> M:
        try:
            return self._decoder.decode(payload)
        except Exception as error:
            raise self._garbled(str(error)) from error

    def _garbled(self, what: str) -> _GarbledError:
        _log.error("%s sent what cannot be read, so the link ends: %s", self._peer, what)
        return _GarbledError()

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.popleft())


def packed(message: Any) -> bytes:
    """The message, one msgspec Struct, as MessagePack.

    Raises TypeError if a value is not of its field's type, or no message can hold it.
    """
    try:
        payload = msgspec.msgpack.encode(message)
        msgspec.msgpack.decode(payload, type=type(message))
    except Exception as error:
        raise TypeError(f"{type(message).__name__} cannot be sent: {error}") from error
    if len(payload) > _MOST_BYTES:
        raise TypeError(f"{type(message).__name__} cannot be sent: it has {len(payload)} bytes")
    return payload


def _pack(message: Any, descriptors: Sequence[int]) -> bytes:
    payload = packed(message)
    return _HEAD.pack(len(payload), len(descriptors)) + payload


def _send_some(sock: socket.socket, data: bytes, descriptors: Sequence[int]) -> int:
    if descriptors:
        return socket.send_fds(sock, [data], list(descriptors))
    return sock.send(data)


class BlockingLink(Generic[M]):
    """A link for a process without an event loop. One thread receives; any thread may send.

    ``messages`` is the type of what ``peer`` sends; that names it in the log.
    """

    def __init__(self, sock: socket.socket, messages: Any, peer: str) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._inbox: _Inbox[M] = _Inbox(messages, peer)
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For a selector."""
        return self._sock.fileno()

    def receive(self) -> Iterator[tuple[M, list[int]]]:
        """Messages and their descriptors, until the other side is gone."""
        try:
            while (messages := self.receive_some()) is not None:
                yield from messages
        finally:
            self._inbox.close()

    def receive_some(self) -> list[tuple[M, list[int]]] | None:
        """Waits for bytes; the messages that are whole then, None once the other side is gone."""
        try:
            return list(self._inbox.messages()) if self._inbox.receive(self._sock) else None
        except ConnectionError:
            return None

    def send(self, message: Any) -> None:
        """Sends a message; does nothing if the other side is gone. Raises what ``packed`` does."""
        data = _pack(message, ())
        with self._sending, suppress(OSError):
            self._sock.sendall(data)

    def close(self) -> None:
        self._sock.close()


class Link(Generic[M]):
    """A link for a process with an event loop.

    ``on_message`` gets each message and the descriptors that came with it, which are then its own
    to close; they are fewer than were sent if this process has too many files open. ``on_close`` is
    called once, when the other side is gone. Messages sent before a ``close`` that follows at once
    may be lost. ``messages`` is the type of what ``peer`` sends; that names it in the log.
    """

    def __init__(
        self,
        sock: socket.socket,
        messages: Any,
        on_message: Callable[[M, list[int]], None],
        on_close: Callable[[], None],
        peer: str,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_close = on_close
        self._inbox: _Inbox[M] = _Inbox(messages, peer)
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._loop.add_reader(sock, self._readable)

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Sends a message without waiting. The descriptors stay the caller's to close.

        Raises what ``packed`` does.
        """
        if not self._open:
            return
        self._outbox.append((_pack(message, descriptors), [os.dup(fd) for fd in descriptors]))
        if len(self._outbox) == 1:
            self._flush()

    def receive(self) -> None:
        """Takes note at once of what has arrived."""
        if self._open:
            self._readable()

    def close(self) -> None:
        """Closes this side, without a call of ``on_close``."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._inbox.close()
        for _data, descriptors in self._outbox:
            _close_all(descriptors)
        self._outbox.clear()
        self._sock.close()

    def _readable(self) -> None:
        try:
            more = self._inbox.receive(self._sock)
        except BlockingIOError:
            return
        except ConnectionError:
            more = False
        if not (self._hand_over() and more) and self._open:
            self._lost()

    def _hand_over(self) -> bool:
        """Hands over what is whole; False if it cannot be read."""
        try:
            for message, descriptors in self._inbox.messages():
                self._on_message(message, descriptors)
                if not self._open:
                    break
        except _GarbledError:
            return False
        return True

    def _flush(self) -> None:
        while self._outbox:
            data, descriptors = self._outbox[0]
            try:
                sent = _send_some(self._sock, data, descriptors)
            except BlockingIOError:
                self._loop.add_writer(self._sock, self._flush)
                return
            except OSError:
                # The reader learns of the end of the stream, after what is still to be read.
                self._drop_outbox()
                return
            _close_all(descriptors)
            if sent == len(data):
                self._outbox.popleft()
            else:
                self._outbox[0] = (data[sent:], [])
        self._loop.remove_writer(self._sock)

    def _drop_outbox(self) -> None:
        for _data, descriptors in self._outbox:
            _close_all(descriptors)
        self._outbox.clear()
        self._loop.remove_writer(self._sock)

    def _lost(self) -> None:
        self.close()
        self._on_close()


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
