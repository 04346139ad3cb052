"""Messages of a link on the wire: packed by who sends them, and put together by who gets them.

A message is ``<II`` (bytes of payload, number of descriptors), then the payload, one msgspec
Struct as MessagePack. Descriptors travel with the message's first byte.
"""

from __future__ import annotations

import array
import logging
import os
import socket
from collections import deque
from collections.abc import Sequence
from struct import Struct as Layout
from typing import Any, Generic, TypeVar

import msgspec

_HEAD = Layout("<II")
_RECEIVE_BYTES = 1 << 16
_MAX_DESCRIPTORS = 16
_MOST_BYTES = 1 << 28

M = TypeVar("M")

_log = logging.getLogger("tfaas.link")


class Inbox(Generic[M]):
    """Puts messages together from what arrives, and hands each the descriptors sent with it.

    Those may be fewer than were sent, if this process has too many files open.
    ``messages`` are those that are whole, until somebody takes them. ``peer`` is whoever sends
    them, for the log. ``most_descriptors``: with one message.
    """

    def __init__(self, messages: Any, peer: str, most_descriptors: int = _MAX_DESCRIPTORS) -> None:
        self._most_descriptors = most_descriptors
        self._ancillary_bytes = socket.CMSG_SPACE(most_descriptors * array.array("i").itemsize)
        self.messages: deque[tuple[M, list[int]]] = deque()
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(messages)
        self._peer = peer
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self, sock: socket.socket) -> bool:
        """Takes what ``sock`` has; False at the end of the stream, or if a message cannot be read,
        which is logged. Raises OSError."""
        data, ancillary, _flags, _address = sock.recvmsg(_RECEIVE_BYTES, self._ancillary_bytes)
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(value[: len(value) - len(value) % descriptors.itemsize])
                self._descriptors.extend(descriptors)
        if len(self._descriptors) > 2 * self._most_descriptors:
            return self._garbled(f"{len(self._descriptors)} descriptors that belong to no message")
        self._bytes += data
        return self._put_together() and bool(data)

    def _put_together(self) -> bool:
        while len(self._bytes) >= _HEAD.size:
            size, count = _HEAD.unpack_from(self._bytes)
            end = _HEAD.size + size
            if size > _MOST_BYTES:
                return self._garbled(f"{size} bytes")
            if len(self._bytes) < end:
                break
            payload = bytes(self._bytes[_HEAD.size : end])
            del self._bytes[:end]
            try:
                message = self._decoder.decode(payload)
            except Exception as error:
                return self._garbled(str(error))
            # The kernel drops those for which this process has too many files open.
            arrived = min(count, len(self._descriptors))
            self.messages.append((message, [self._descriptors.popleft() for _ in range(arrived)]))
        return True

    def _garbled(self, what: str) -> bool:
        _log.error("%s sent what cannot be read, so the link ends: %s", self._peer, what)
        return False

    def close(self) -> None:
        """Closes the descriptors that nobody took."""
        for _message, descriptors in self.messages:
            self._descriptors.extend(descriptors)
        self.messages.clear()
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


def framed(message: Any, descriptors: Sequence[int] = ()) -> bytes:
    """The message as it is sent, with so many descriptors. Raises what ``packed`` does."""
    payload = packed(message)
    return _HEAD.pack(len(payload), len(descriptors)) + payload
