"""Hello: how a connection to a door begins. Both sides prove that they know the token.

Whoever connects speaks first, and four pieces go to and fro, each ``<H`` (bytes) and MessagePack::

    caller   MAGIC, <H version, the byte order, then a Greeting
    host     a Challenge
    caller   a Proof: HMAC-SHA-256 by the token of "caller" and all that was said
    host     a Proof: the same of "host"; or, in the place of any piece of its, a Refusal

Both nonces are random, so what was said once proves nothing again. A caller of another version or
byte order is told so before anything else of it is read.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import sys
import time
from struct import Struct as Layout
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from tfaas_core.errors import Unavailable
from tfaas_core.texts.unreadable import UNREADABLE

DOOR_VERSION = 3
"""Of the hello and of all that follows; both sides need the same."""

HELLO_LIMIT_S = 5.0
"""For all of a hello: who takes longer is hung up on."""

MAGIC = b"TFaaSdoor"
_HEAD = Layout(f"<{len(MAGIC)}sHB")
_LENGTH = Layout("<H")
_MOST_BYTES = 2048
_NONCE_BYTES = 32
_ORDERS = {"little": 1, "big": 2}
_ORDER = _ORDERS[sys.byteorder]
_TLS = b"\x16\x03"
"""How a handshake of TLS begins."""

Purpose: TypeAlias = Literal["worker", "model", "upload"]


class Greeting(msgspec.Struct, frozen=True):
    """What a connection is for: a worker's link, a model's requests, or the files of an upload.

    ``session`` names the link that the others belong to. ``ticket`` and ``key`` are the servable's
    and its version's, empty for an upload's. ``timeout_s`` is what each request has left when it is
    sent, and ``sent_s`` the caller's ``time.monotonic``.
    """

    nonce: bytes
    purpose: Purpose
    session: str = ""
    ticket: int = 0
    key: str = ""
    timeout_s: float = 0.0
    sent_s: float = 0.0


class _Challenge(msgspec.Struct, frozen=True, tag=True):
    nonce: bytes


class _Proof(msgspec.Struct, frozen=True, tag=True):
    proof: bytes


class _Refusal(msgspec.Struct, frozen=True, tag=True):
    why: str


class Caller(msgspec.Struct, frozen=True):
    """Who has proved that it knows the token, and the proof that the host still owes."""

    greeting: Greeting
    proof: bytes


class RefusedError(Unavailable):
    """The other side of a door refuses to go on; the message says why."""


P = TypeVar("P")


async def call_host(sock: socket.socket, token: str, greeting: Greeting) -> None:
    """The caller's side. Raises RefusedError, OSError and TimeoutError."""
    async with asyncio.timeout(HELLO_LIMIT_S):
        said = _HEAD.pack(MAGIC, DOOR_VERSION, _ORDER) + _piece(greeting)
        await _send(sock, said)
        _challenge, heard = await _heard(sock, _Challenge)
        said += heard
        await _send(sock, _piece(_Proof(_proof(token, b"caller", said))))
        proof, _heard_last = await _heard(sock, _Proof)
        if not hmac.compare_digest(proof.proof, _proof(token, b"host", said)):
            raise RefusedError(_WRONG_TOKEN)


async def meet_caller(sock: socket.socket, token: str) -> Caller:
    """The host's side, but for its last word, ``let_in`` or ``turn_away``.

    Raises OSError, TimeoutError, and RefusedError, which the caller has been told, unless what it
    sends is no hello at all.
    """
    async with asyncio.timeout(HELLO_LIMIT_S):
        head = await _received(sock, _HEAD.size)
        if (why := _wrong_with(head)) is not None:
            await turn_away(sock, why)
            raise RefusedError(why)
        greeting, heard = await _read(sock, Greeting)
        challenge = _piece(_Challenge(secrets.token_bytes(_NONCE_BYTES)))
        await _send(sock, challenge)
        said = head + heard + challenge
        proof, _heard_last = await _read(sock, _Proof)
        if not hmac.compare_digest(proof.proof, _proof(token, b"caller", said)):
            await turn_away(sock, _WRONG_TOKEN)
            raise RefusedError(_WRONG_TOKEN)
        return Caller(greeting, _proof(token, b"host", said))


async def begins_tls(sock: socket.socket) -> bool:
    """Whether what the caller says first, which is still to be read, is TLS. Raises OSError."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(sock)
    first = sock.recv(1, socket.MSG_PEEK)
    if not first:
        raise ConnectionError(_HUNG_UP)
    return first == _TLS[:1]


async def refuse_plain(sock: socket.socket) -> None:
    """Tells a caller without TLS that the host takes none such. Raises RefusedError, OSError."""
    await asyncio.get_running_loop().sock_recv(sock, _MOST_BYTES)
    await turn_away(sock, _PLAIN)
    raise RefusedError(_PLAIN)


async def let_in(sock: socket.socket, caller: Caller) -> None:
    """The host's last word to a caller: from here on frames, messages or files follow."""
    async with asyncio.timeout(HELLO_LIMIT_S):
        await _send(sock, _piece(_Proof(caller.proof)))


async def turn_away(sock: socket.socket, why: str) -> None:
    """The host's last word to a caller that it does not take."""
    async with asyncio.timeout(HELLO_LIMIT_S):
        await _send(sock, _piece(_Refusal(why[:1000])))


def new_nonce() -> bytes:
    """What makes a hello, or a name, differ from all others."""
    return secrets.token_bytes(_NONCE_BYTES)


def new_greeting(
    purpose: Purpose, session: str, ticket: int = 0, key: str = "", timeout_s: float = 0.0
) -> Greeting:
    """One that is said now."""
    now_s = time.monotonic()
    return Greeting(new_nonce(), purpose, session, ticket, key, timeout_s, now_s)


_WRONG_TOKEN = (
    "the tokens differ: engine.remote.token has to be the same on all machines of the server"
)


_HUNG_UP = "the other side hung up amid the hello"
_PLAIN = "the host takes TLS alone: engine.remote.tls_ca has to be set on servers, too"
_NO_DOOR = "what answers there is not `tfaas serve-engine`, nor a host that Ray has started"
_NO_TLS = "the host takes no TLS: set engine.remote.tls_cert there, or no tls_ca on servers"


def _wrong_with(head: bytes) -> str | None:
    magic, version, order = _HEAD.unpack(head)
    if head.startswith(_TLS):
        return _NO_TLS
    if magic != MAGIC:
        return "this is the door of a TFaaS host, which takes no other clients"
    if version != DOOR_VERSION:
        return f"its door speaks version {DOOR_VERSION}, and not {version}: install the same TFaaS"
    if order != _ORDER:
        return "the byte orders of the two machines differ"
    return None


def _proof(token: str, who: bytes, said: bytes) -> bytes:
    return hmac.digest(token.encode(), who + said, "sha256")


def _piece(message: Any) -> bytes:
    payload = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(payload)) + payload


async def _heard(sock: socket.socket, kind: type[P]) -> tuple[P, bytes]:
    """The host's next piece, which may be a refusal."""
    try:
        found, heard = await _read(sock, kind | _Refusal)
    except RefusedError:
        raise ConnectionError(_NO_DOOR) from None
    if isinstance(found, _Refusal):
        raise RefusedError(found.why)
    return found, heard


async def _read(sock: socket.socket, kind: Any) -> tuple[Any, bytes]:
    length = await _received(sock, _LENGTH.size)
    (size,) = _LENGTH.unpack(length)
    if size > _MOST_BYTES:
        raise RefusedError(f"a piece of {size} bytes is none of a hello")
    payload = await _received(sock, size)
    try:
        return msgspec.msgpack.decode(payload, type=kind), length + payload
    except UNREADABLE as error:
        raise RefusedError(f"a piece of the hello cannot be read: {error}") from None


async def _received(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes: what comes behind the hello is not for this module."""
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < size:
        if not (more := await loop.sock_recv(sock, size - len(data))):
            raise ConnectionError(_HUNG_UP)
        data += more
    return data


async def _send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)
