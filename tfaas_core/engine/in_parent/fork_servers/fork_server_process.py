"""One life of a fork server, as the parent sees it: started, asked, buried."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import msgspec

from tfaas_core.engine.in_fork_server.process import Work
from tfaas_core.engine.in_parent.fork_servers.fork_server_launch import launched
from tfaas_core.engine.in_parent.starter import ProcessHandle
from tfaas_core.engine.shared.forks import (
    CannotFork,
    Ended,
    Fork,
    Forked,
    FromForkServer,
    Importing,
    NotReady,
    Orders,
    Ready,
)
from tfaas_core.errors import Unavailable
from tfaas_core.system.links.link import Link
from tfaas_core.system.lives.ending import Ending
from tfaas_core.system.lives.lifeline import Lifeline
from tfaas_core.system.output.relay import Relay
from tfaas_core.system.resources.thread_times import starved_s
from tfaas_core.withheld import without_folders

_ENDING_TIMEOUT_S = 1.0


class NeverReadyError(Exception):
    """A fork server ended before it was ready; the message is a clause that says why."""


class _RemoteTraceback(Exception):
    """Shows in a log what was raised in another process."""

    def __str__(self) -> str:
        return f"in the fork server:\n{self.args[0]}"


class _Asked(msgspec.Struct):
    """A process is wanted ``since_s``; ``process``: it, once it is there."""

    since_s: float
    process: ForkedProcess | None = None


class ForkServerProcess:
    """Raises OSError if it cannot be started. ``on_end`` is called once, when it has ended.

    ``ready`` ends in NeverReadyError if it is over before.
    """

    def __init__(
        self,
        orders: Orders,
        lifeline: Lifeline,
        on_end: Callable[[], None],
        environment: Mapping[str, str] = os.environ,
        relays: set[Relay] | None = None,
    ) -> None:
        """``relays`` gets those of its children, which may outlive it."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Perhaps nobody waits for it.
        self.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self.ending: Ending | None = None
        self._on_end = on_end
        self._since_s = time.monotonic()
        self._importing = ""
        self._why: NeverReadyError | None = None
        self._seen_ended = False
        self._children: dict[int, asyncio.Future[Ending]] = {}
        self._relays = set() if relays is None else relays
        self._confined = orders.cell is not None
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = launched(theirs, lifeline.end("tfaas-fork"), environment)
        except BaseException:
            ours.close()
            raise
        self.pid = self._process.pid
        self._link: Link[FromForkServer] = Link(
            ours, FromForkServer, self._heard, self.end, f"the fork server {self.pid}"
        )
        self._link.send(orders)

    @property
    def has_children(self) -> bool:
        """Whether a process that it forked has not ended yet, as far as it has told."""
        return bool(self._children)

    async def fork(
        self, sock: socket.socket, work: Work, artifact: str, memory_bytes: int
    ) -> ForkedProcess:
        """A new process. Raises ConnectionError if the fork server dies, and Unavailable."""
        pickled = pickle.dumps(work)
        asked = _Asked(time.monotonic())
        with self._stderr() as stderr:
            descriptors = [stream.fileno() for stream in (sock, stderr) if stream is not None]
            try:
                forked: ForkedProcess = await self._link.ask(
                    partial(Fork, work=pickled, artifact=artifact, memory_bytes=memory_bytes),
                    descriptors,
                    about=asked,
                )
            except BaseException:  # cancelled just as it came, say
                if asked.process is not None:
                    asked.process.kill()
                raise
        return forked

    @contextmanager
    def _stderr(self) -> Iterator[socket.socket | None]:
        """Of a new process, if it is not to have this one's."""
        if not self._confined:
            yield None
            return
        relay = Relay(self._relays.discard)
        self._relays.add(relay)
        try:
            with relay.theirs:
                yield relay.theirs
        except BaseException:
            self._relays.discard(relay)
            relay.close()
            raise

    def end_where_it_hangs(self, preload_limit_s: float, fork_limit_s: float) -> bool:
        """Ends it if it takes longer than that to be ready, or to fork; says whether.

        To be ready, it may take longer by the time in which it could run, but got no core.
        """
        now_s = time.monotonic()
        late_s = now_s - self._since_s - preload_limit_s
        if not self.ready.done() and late_s > 0 and late_s > starved_s(self.pid):
            self._why = NeverReadyError(f"{self._what()} takes longer than {preload_limit_s:g} s")
        elif not any(a.since_s < now_s - fork_limit_s for a in self._link.waited_for()):
            # A process that ended while another one holds its link is not heard to end. What it
            # said last may still be on its way to the event loop: that comes before the next look.
            if self.ending is None and self._process.poll() is not None:
                if self._seen_ended:
                    self.end()
                self._seen_ended = True
            return False
        self.end()
        return True

    def _what(self) -> str:
        return f"importing {self._importing!r}" if self._importing else "its start"

    def _heard(self, message: FromForkServer, _descriptors: list[int]) -> None:
        match message:
            case Importing():
                self._importing = message.module
            case Ready():
                self.ready.set_result(None)
            case NotReady():
                self._why = NeverReadyError(message.reason)
                self._why.__cause__ = _RemoteTraceback(message.trace) if message.trace else None
            case Forked():
                self._forked(message)
            case CannotFork():
                reason = f"a model process cannot be started: {message.reason}"
                told = without_folders(reason)
                self._link.fail(message.call, Unavailable(reason, told))
            case Ended():
                ended = self._children.pop(message.pid, None)
                if ended is not None:
                    ended.set_result(Ending(message.code))

    def _forked(self, message: Forked) -> None:
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._children[message.pid] = ended
        process = ForkedProcess(message.pid, ended)
        asked: _Asked | None = self._link.about(message.call)
        if asked is not None:
            asked.process = process
        if not self._link.answer(message.call, process):
            process.kill()

    def end(self) -> None:
        """Kills what is left of it; those who wait for it learn of it at once."""
        if self.ending is not None:
            return
        self._process.kill()
        self.ending = Ending(self._process.wait())
        self._on_end()
        if not self.ready.done():
            why = self._why or NeverReadyError(f"{self._what()} ends its process: it {self.ending}")
            self.ready.set_exception(why)
        self._link.end(lambda: ConnectionResetError("the fork server has ended"))
        for ended in self._children.values():
            ended.set_result(Ending())


class ForkedProcess(ProcessHandle):
    """A process that a fork server forked; ``ended`` is done when that has told how it ended."""

    def __init__(self, pid: int, ended: asyncio.Future[Ending]) -> None:
        self.pid = pid
        self._ended = ended

    def kill(self) -> None:
        # When its end is known, its number may be another's.
        if not self._ended.done() or self._ended.result().code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def how_it_ended(self) -> Ending:
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), _ENDING_TIMEOUT_S)
        except TimeoutError:
            return Ending()
