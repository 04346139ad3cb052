"""Door: where HTTP workers of other machines come in, to the pool of this one."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import socket
import ssl
import time
from typing import Any

import msgspec

from tfaas_core.engine.in_door.session import ModelFiles, Session
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.shared import hello
from tfaas_core.engine.shared.calm import CALM_S
from tfaas_core.engine.shared.door_tls import HostTls, why_refused
from tfaas_core.engine.shared.far_messages import Far, Leaving
from tfaas_core.engine.shared.fleet_messages import MoreWanted
from tfaas_core.engine.shared.sent_files import in_thread, receive_files, tell_sender
from tfaas_core.errors import TfaasError
from tfaas_core.settings.tables import Limits
from tfaas_core.system.links.link import FarLink
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.network.address import shown_address
from tfaas_core.system.network.keepalive import keep_alive
from tfaas_core.system.output.one_line import described

MOST_GREETING = 128
"""Connections in a hello: beyond it, the one that began first is hung up on."""

_MOST_UPLOADS = 2
_TELLS_EVERY_S = 1.0
_RETRY_S = 0.1
_PLACE = 0
"""Of a servable's meter, for all rows from other machines."""

_log = logging.getLogger("tfaas.door")


class DoorSettings(msgspec.Struct, frozen=True):
    """``token``: what callers have to know. ``dead_after_s``: when a silent machine is gone.

    ``tls``: what callers have to speak through; None: they speak without TLS. ``calm_s``: models
    that were not used for so long give way to those that callers ask for.
    """

    token: str
    dead_after_s: float
    max_queue_rows: int
    limits: Limits
    tls: HostTls | None = None
    calm_s: float = CALM_S


class PoolDoor:
    """Takes connections from ``listener``, and hands them to the pool and to models' processes.

    Nobody but who knows the token gets further than the hello, which is bounded in time, bytes and
    number. The pool, which has no other workers, is the caller's to start and to close, as are
    the listener and the files. All methods belong to the event loop's thread.
    """

    def __init__(
        self, pool: Pool, listener: socket.socket, settings: DoorSettings, shelf: ModelFiles
    ) -> None:
        self._pool, self._listener = pool, listener
        self._settings, self._shelf = settings, shelf
        self._sessions: dict[str, Session] = {}
        self._numbers = itertools.count(1)
        self._greeting: dict[asyncio.Task[None], None] = {}
        self._meeting: set[asyncio.Task[None]] = set()
        self._uploads = asyncio.Semaphore(_MOST_UPLOADS)
        self._tasks = Tasks(_log)
        self._leaving = False
        self._told_s, self._untold = 0.0, 0

    def start(self) -> None:
        """Takes connections from now on."""
        self._listener.setblocking(False)
        self._pool.attach_far(_PLACE, _Asking(self._ask_for_more))
        self._tasks.spawn(self._accept())

    async def drain(self) -> None:
        """Tells all to go elsewhere, and returns once all have, and what they asked is answered."""
        self._leaving = True
        for session in list(self._sessions.values()):
            self._tell_if_leaving(session)
        while self._sessions:
            await asyncio.sleep(_RETRY_S)
        await self._pool.drain()

    async def close(self) -> None:
        """Hangs up on all."""
        await self._tasks.cancel()
        for task in self._meeting:
            task.cancel()
        await asyncio.gather(*self._meeting, return_exceptions=True)
        for session in list(self._sessions.values()):
            await session.close()
        self._sessions.clear()
        if self._settings.tls is not None:
            self._settings.tls.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._listener)
            except OSError as error:  # too many files are open, say
                self._tell("nobody can be taken in at the moment", error)
                await asyncio.sleep(_RETRY_S)
                continue
            if len(self._greeting) >= MOST_GREETING:
                oldest = next(iter(self._greeting))
                del self._greeting[oldest]
                oldest.cancel()
            peer = shown_address(*address[:2])
            task = asyncio.create_task(self._meet(sock, peer))
            self._greeting[task] = None
            self._meeting.add(task)
            task.add_done_callback(self._met)
            await asyncio.sleep(0)  # a flood of them holds up nobody else

    async def _meet(self, sock: socket.socket, peer: str) -> None:
        try:
            with sock:
                sock.setblocking(False)
                keep_alive(sock, self._settings.dead_after_s)
                if self._settings.tls is None:
                    await self._greet(sock, peer)
                    return
                async with asyncio.timeout(hello.HELLO_LIMIT_S):
                    if not await hello.begins_tls(sock):
                        await hello.refuse_plain(sock)
                    tunnel = await self._settings.tls.tunnel(sock)
            with tunnel.sock:
                await self._greet(tunnel.sock, peer)
        except (OSError, TfaasError) as error:
            self._tell(f"a connection of {peer} is not taken in", error)

    async def _greet(self, sock: socket.socket, peer: str) -> None:
        """Whoever takes ``sock`` over detaches it, or has a copy of its own."""
        came = await hello.meet_caller(sock, self._settings.token)
        came_s = time.monotonic()
        if (task := asyncio.current_task()) is not None:
            self._greeting.pop(task, None)
        await self._take(sock, peer, came, came_s)

    def _met(self, task: asyncio.Task[None]) -> None:
        self._greeting.pop(task, None)
        self._meeting.discard(task)

    async def _take(
        self, sock: socket.socket, peer: str, came: hello.Caller, came_s: float
    ) -> None:
        greeting = came.greeting
        session = self._sessions.get(greeting.session)
        if greeting.purpose == "worker":
            await self._begin_session(sock, peer, came)
        elif session is None:
            await hello.turn_away(sock, "the host does not know this worker any more; try again")
        elif greeting.purpose == "model":
            await self._connect(session, sock, came, came_s)
        else:
            await self._receive(session, sock, came)

    async def _begin_session(self, sock: socket.socket, peer: str, came: hello.Caller) -> None:
        name = came.greeting.session
        if self._leaving:
            await hello.turn_away(sock, "the host is about to end")
            return
        if not name or name in self._sessions:
            await hello.turn_away(sock, "another worker has this session")
            return
        await hello.let_in(sock, came)
        number = next(self._numbers)
        own = socket.socket(fileno=sock.detach())
        self._sessions[name] = Session(
            *(number, own, peer, self._pool, self._shelf, self._settings.calm_s),
            on_end=lambda: self._forget(name),
        )
        self._tell_if_leaving(self._sessions[name])

    def _tell_if_leaving(self, session: Session) -> None:
        if self._leaving:
            session.link.send(Leaving())

    def _forget(self, name: str) -> None:
        self._sessions.pop(name, None)

    async def _connect(
        self, session: Session, sock: socket.socket, came: hello.Caller, came_s: float
    ) -> None:
        greeting, most = came.greeting, self._settings.max_queue_rows
        far = Far(_PLACE, most, greeting.timeout_s, greeting.sent_s, came_s)
        await self._pool.until_lost(session.worker, greeting.ticket)
        try:
            self._pool.connect(session.worker, greeting.ticket, greeting.key, sock, far)
        except TfaasError as error:
            await hello.turn_away(sock, error.message)
            return
        await hello.let_in(sock, came)

    async def _receive(self, session: Session, sock: socket.socket, came: hello.Caller) -> None:
        await hello.let_in(sock, came)  # its turn may come later than a hello may take
        async with self._uploads:
            staging = await asyncio.to_thread(self._shelf.stage)
            try:
                limits = self._settings.limits
                artifact = await in_thread(sock, receive_files, staging, limits)
            except BaseException:
                await asyncio.to_thread(self._shelf.discard, staging)
                raise
            session.put(came.greeting.key, staging, artifact)
            await asyncio.to_thread(tell_sender, sock, None)

    def _ask_for_more(self, message: MoreWanted) -> None:
        """Only who uses a version knows its record, from which the storage finds its files."""
        users = self._pool.far.users(message.key)
        links = [each.link for each in self._sessions.values() if each.worker in users]
        if links:  # one of them may use it no more: another time, another one is asked
            secrets.choice(links).send(message)

    def _tell(self, what: str, error: Exception) -> None:
        """Logs it, once a second at most: strangers can bring it about."""
        now_s = time.monotonic()
        if now_s - self._told_s < _TELLS_EVERY_S:
            self._untold += 1
            return
        more = f"; {self._untold} more such lines were left out" if self._untold else ""
        self._told_s, self._untold = now_s, 0
        why = error.message if isinstance(error, TfaasError) else described(error)
        if isinstance(error, TimeoutError) and error.errno is None:  # ours: the system's has one
            why = f"it has not said a whole hello within {hello.HELLO_LIMIT_S:g} s"
        if isinstance(error, ssl.SSLError):
            why = f"it {why_refused(error, 'engine.remote.tls_client_ca')}"
        _log.warning("%s: %s%s", what, why, more)


class _Asking(FarLink[Any]):
    """In the place of a link to the worker in whose place of the meter far rows are counted."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    def send(self, message: Any, descriptors: Any = ()) -> None:
        if isinstance(message, MoreWanted):
            self._ask(message)

    def close(self) -> None:
        """Has nothing to close."""
