"""Link: messages between two processes over a stream socket, of Unix with file descriptors; and
questions, which the other side answers.

``inbox`` says what a message is on the wire. The end of a stream is how each side learns that the
other is gone, even after SIGKILL.

A message that the other side could not read is refused where it is sent. One that cannot be read
all the same ends the link, so that nobody waits for an answer to it. So does one of more than
256 MiB, and so do more descriptors than any message has.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from tfaas_core.system.links.breakage import breakage_of
from tfaas_core.system.links.inbox import Inbox, framed
from tfaas_core.system.network.silence import end_when_silent

M = TypeVar("M")


class Answer(msgspec.Struct, frozen=True):
    """What answers the question of this number: its link hands it to whoever asked."""

    call: int


class _Call(msgspec.Struct, frozen=True):
    answer: asyncio.Future[Any]
    about: Any


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

    carries_descriptors: ClassVar[bool] = True
    """Whether the other side is on this machine."""

    def __init__(
        self,
        sock: socket.socket,
        messages: Any,
        on_message: Callable[[M, list[int]], None],
        on_close: Callable[[], None],
        peer: str,
    ) -> None:
        sock.setblocking(False)
        self._sock, self._is_broken = sock, breakage_of(sock)
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
        end_when_silent(sock)

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Sends a message without waiting. The descriptors stay the caller's to close.

        Raises what ``packed`` does, and OSError.
        """
        if not self._open:
            return
        self._outbox.append((framed(message, descriptors), _copies(descriptors)))
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
            is_going_on = self._inbox.receive(self._sock)
        except BlockingIOError:
            return
        except OSError:  # the other machine is gone, say
            is_going_on = False
        while self._open and self._inbox.messages:
            message, descriptors = self._inbox.messages.popleft()
            if isinstance(message, Answer):
                _close_all(descriptors)
                self.answer(message.call, message)
            else:
                self._tell(message, descriptors)
        if not self._open:
            return
        if not is_going_on:
            self._lost()
        elif self._is_broken():
            self._loop.call_soon(self.receive)

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


class FarLink(Link[M]):
    """A link over any stream socket, to another machine, say: no descriptor goes with a message."""

    carries_descriptors = False


def _copies(descriptors: Sequence[int]) -> list[int]:
    copies: list[int] = []
    try:
        for descriptor in descriptors:
            copies.append(os.dup(descriptor))
    except OSError:
        _close_all(copies)
        raise
    return copies


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
