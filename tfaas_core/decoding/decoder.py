"""Decoder: one confined process that decodes, as an HTTP worker sees it; and a pool of them."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import math
import mmap
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from struct import Struct as Layout
from typing import TypeAlias, TypeVar

from tfaas_core.decoding.serving import HEAD, MOST_MESSAGE_BYTES, MOST_SENT_BYTES, PID
from tfaas_core.errors import Unavailable
from tfaas_core.system.lives.stopped import LOOK_EVERY_S, Stopped
from tfaas_core.system.resources.pages import are_there

OpenDecoder: TypeAlias = Callable[[str], Awaitable[tuple[socket.socket, int]]]
"""Has a decoder for a work started: its socket, and the descriptor that keeps it alive."""

ANSWER_S = 20.0
"""Several times what the most that may be sent takes."""

_OPENING_S = 10.0
_KEPT_BYTES = 4 << 20
"""Of the shared memory; what a larger picture took is given back."""

_TIMEVAL = Layout("ll")

_log = logging.getLogger("tfaas.decoding")

T = TypeVar("T")


class Decoder:
    """``leash``: the process is killed when that is closed. One thread at a time may ask."""

    def __init__(
        self, sock: socket.socket, leash: int, pid: int, shared_bytes: int, timeout_s: float
    ) -> None:
        """``timeout_s``: for an answer. Raises OSError; then both stay the caller's to close."""
        # By the kernel: Python would ask it twice each time.
        sock.setblocking(True)
        for option, wait_s in ((socket.SO_RCVTIMEO, LOOK_EVERY_S), (socket.SO_SNDTIMEO, timeout_s)):
            sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(wait_s), 0))
        self._sock = sock
        self._pid = pid
        self._looks = math.ceil(timeout_s / LOOK_EVERY_S)
        self._leash = leash
        shared = os.memfd_create("tfaas-decoder", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(shared, shared_bytes)
            # It cannot be cut off under whoever reads it.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(shared, fcntl.F_ADD_SEALS, seals)
            self.shared = mmap.mmap(shared, shared_bytes)
            socket.send_fds(sock, [b"\0"], [shared])
        finally:
            os.close(shared)

    def ask(self, job: bytes, data: bytes) -> bytes:
        """The answer to a job.

        Raises ConnectionError if the process is gone or was stopped, BlockingIOError if it takes
        too long, MemoryError if there is no memory to share.
        """
        head = HEAD.pack(len(job), len(data)) + job
        if len(data) <= MOST_SENT_BYTES:
            self._sock.send(head + data)
        else:
            if not are_there(self.shared, 0, len(data), to_write=True):
                raise MemoryError
            self.shared[: len(data)] = data
            self._sock.send(head)
        answer = self._received()
        if not answer:
            raise ConnectionError("it is gone")
        return answer

    def wrote(self, size: int) -> memoryview:
        """The first so many bytes of the shared memory. Raises MemoryError if they are not there:
        it may say that it has written what it has not."""
        if not are_there(self.shared, 0, size, to_write=False):
            raise MemoryError
        return memoryview(self.shared)[:size]

    def _received(self) -> bytes:
        stopped = Stopped()
        for _ in range(self._looks - 1):
            with suppress(BlockingIOError):
                return self._sock.recv(MOST_MESSAGE_BYTES)
            if stopped.for_long(self._pid):
                raise ConnectionError("it is stopped")
        return self._sock.recv(MOST_MESSAGE_BYTES)

    def shrink(self, used_bytes: int) -> None:
        """Gives back what ``used_bytes`` of shared memory take, if they are many."""
        if used_bytes > _KEPT_BYTES:
            self.shared.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Ends the process, whatever it is at."""
        os.close(self._leash)
        self._sock.close()
        with suppress(BufferError):  # somebody still reads it
            self.shared.close()


class Decoders:
    """The decoders of one HTTP worker for one work, started when they are needed.

    Threads ask them, never the event loop, to which ``close`` belongs.
    """

    def __init__(
        self,
        work: str,
        opened: OpenDecoder,
        shared_bytes: int,
        timeout_s: float = ANSWER_S,
    ) -> None:
        """``timeout_s``: for each answer."""
        self._work = work
        self._open = opened
        self._shared_bytes = shared_bytes
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._idle: list[Decoder] = []
        self._is_closed = False

    def ask(self, job: bytes, data: bytes, place: str, read: Callable[[bytes, Decoder], T]) -> T:
        """What ``read`` makes of the answer while nobody else asks this decoder.

        ``place`` is how messages name what ``data`` is. A decoder that ends is no fault of what it
        was given if somebody killed or stopped it: then another one is asked. Raises Unavailable
        if there is no answer, and MemoryError if there is no memory to share.
        """
        if threading.get_ident() == self._thread:
            raise RuntimeError("the event loop does not wait for decoders")
        try:
            return self._asked(self._taken(place), job, data, read)
        except ConnectionError:
            _log.warning(
                "the process that decoded %s ended, or was stopped; another one tries", place
            )
        except OSError as error:
            raise _lost(place, error) from None
        try:
            # Of those that are idle, more may have ended.
            return self._asked(self._started(place), job, data, read)
        except OSError as error:
            raise _lost(place, error) from None

    def close(self) -> None:
        """Ends all of them."""
        self._is_closed = True
        self._end_idle()

    def _asked(
        self, decoder: Decoder, job: bytes, data: bytes, read: Callable[[bytes, Decoder], T]
    ) -> T:
        try:
            answer = decoder.ask(job, data)
        except (OSError, MemoryError):
            decoder.close()
            raise
        try:
            told = read(answer, decoder)
            decoder.shrink(len(data))
            return told
        finally:
            self._idle.append(decoder)
            if self._is_closed:
                self._end_idle()

    def _taken(self, place: str) -> Decoder:
        try:
            return self._idle.pop()
        except IndexError:
            return self._started(place)

    def _started(self, place: str) -> Decoder:
        try:
            return asyncio.run_coroutine_threadsafe(self._opened(), self._loop).result()
        except Exception as error:
            _log.warning("no process can be started that decodes: %s", error)
            raise Unavailable(f"{place} cannot be decoded at the moment; try again") from None

    async def _opened(self) -> Decoder:
        async with asyncio.timeout(_OPENING_S):
            sock, leash = await self._open(self._work)
            try:
                sock.setblocking(False)
                if not (told := await self._loop.sock_recv(sock, PID.size)):
                    raise ConnectionError("it ended before it began")
                (pid,) = PID.unpack(told)
                return Decoder(sock, leash, pid, self._shared_bytes, self._timeout_s)
            except BaseException:
                sock.close()
                os.close(leash)
                raise

    def _end_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def _lost(place: str, error: OSError) -> Unavailable:
    took = "took too long" if isinstance(error, BlockingIOError) else "ended"
    what = f"the process that decoded {place} {took}, and was replaced"
    _log.warning("%s", what)
    return Unavailable(f"{what}; if that happens again, {place} is to blame")
