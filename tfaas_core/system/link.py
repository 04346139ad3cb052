"""Link: messages between two processes over a Unix stream socket, with file descriptors; and
questions, which the other side answers.

A message is ``<II`` (bytes of payload, number of descriptors), then the payload, one msgspec
Struct as MessagePack. Descriptors travel with the message's first byte. The end of a stream is how
each side learns that the other is gone, even after SIGKILL.

A message that the other side could not read is refused where it is sent. One that cannot be read
all the same ends the link, so that nobody waits for an answer to it.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from struct import Struct as Layout
from typing import Any, Generic, TypeVar

import msgspec

_HEAD = Layout("<II")
_RECEIVE_BYTES = 1 << 16
_MAX_DESCRIPTORS = 16
_ANCILLARY_BYTES = socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)

M = TypeVar("M")

_log = logging.getLogger("tfaas.link")


class Answer(msgspec.Struct, frozen=True):
    """What answers the question of this number: its link hands it to whoever asked."""

    call: int


class _Call(msgspec.Struct, frozen=True):
    answer: asyncio.Future[Any]
    about: Any


class _GarbledError(ConnectionError):
    """A message cannot be read; nor, perhaps, can what comes behind it."""


class Inbox(Generic[M]):
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
        self._bytes += data
        return bool(data)

    def messages(self) -> Iterator[tuple[M, list[int]]]:
        """Raises ConnectionError, and logs it, if one cannot be read."""
        while len(self._bytes) >= _HEAD.size:
            size, count = _HEAD.unpack_from(self._bytes)
            end = _HEAD.size + size
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
            _log.error("%s sent what cannot be read, so the link ends: %s", self._peer, error)
            raise _GarbledError from error

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
    return payload


def framed(message: Any, descriptors: Sequence[int] = ()) -> bytes:
    """The message as it is sent, with so many descriptors. Raises what ``packed`` does."""
    payload = packed(message)
    return _HEAD.pack(len(payload), len(descriptors)) + payload


def _send_some(sock: socket.socket, data: bytes, descriptors: Sequence[int]) -> int:
    if descriptors:
        return socket.send_fds(sock, [data], list(descriptors))
    return sock.send(data)


class Link(Generic[M]):
    """A link for a process with an event loop.

    ``on_message`` gets each message but an Answer, and the descriptors that came with it, which are
    then its own to close; they are fewer than were sent if this process has too many files open.
    ``on_close`` is called once, when the other side is gone. Messages sent before a ``close`` that
    follows at once may be lost. ``messages`` is the type of what ``peer`` sends; that names it in
    the log.
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
        self._inbox: Inbox[M] = Inbox(messages, peer)
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._numbers = itertools.count()
        self._calls: dict[int, _Call] = {}
        self._ended: Callable[[], Exception] | None = None
        self._loop.add_reader(sock, self._readable)

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Sends a message without waiting. The descriptors stay the caller's to close.

        Raises what ``packed`` does.
        """
        if not self._open:
            return
        self._outbox.append((framed(message, descriptors), [os.dup(fd) for fd in descriptors]))
        if len(self._outbox) == 1:
            self._flush()

    async def ask(
        self, question: Callable[[int], Any], descriptors: Sequence[int] = (), about: Any = None
    ) -> Any:
        """Sends the question that is made with a new number; returns its answer.

        That is an Answer of this number, or what ``answer`` is given; or it raises what ``fail``
        is. ``about`` is what ``about`` tells of it while it is waited for. If nobody waits for an
        answer any more, it is dropped. Raises what ``send`` does.
        """
        if self._ended is not None:
            raise self._ended()
        number = next(self._numbers)
        call = self._calls[number] = _Call(self._loop.create_future(), about)
        try:
            self.send(question(number), descriptors)
            return await call.answer
        finally:
            del self._calls[number]

    def about(self, number: int) -> Any:
        """What a question is about; None if nobody waits for its answer."""
        call = self._waiting(number)
        return None if call is None else call.about

    def waited_for(self) -> list[Any]:
        """What all questions are about whose answers are waited for, the oldest first."""
        return [call.about for call in self._calls.values() if not call.answer.done()]

    def answer(self, number: int, answer: Any) -> bool:
        """Hands the answer to whoever waits for it; False if nobody does."""
        if (call := self._waiting(number)) is not None:
            call.answer.set_result(answer)
        return call is not None

    def fail(self, number: int, error: Exception) -> None:
        """Has ``error`` raised where the answer is waited for."""
        call = self._waiting(number)
        if call is not None:
            call.answer.set_exception(error)

    def end(self, error: Callable[[], Exception]) -> None:
        """Closes this side: who waits for an answer gets an error, as does who asks afterwards."""
        self.close()
        self._ended = error
        for number in list(self._calls):
            self.fail(number, error())

    def _waiting(self, number: int) -> _Call | None:
        call = self._calls.get(number)
        return None if call is None or call.answer.done() else call

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
        self._inbox.close()
        self._drop_outbox()
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
                if isinstance(message, Answer):
                    self.answer(message.call, message)
                else:
                    self._tell(message, descriptors)
                if not self._open:
                    break
        except _GarbledError:
            return False
        return True

    def _tell(self, message: M, descriptors: list[int]) -> None:
        try:
            self._on_message(message, descriptors)
        except Exception as error:  # those that came behind it are heeded all the same
            told = {"message": f"{type(message).__name__} could not be heeded", "exception": error}
            self._loop.call_exception_handler(told)

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
