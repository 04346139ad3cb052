"""Messages, and sockets that pass them on in pieces, for the tests of links."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from hypothesis import strategies as st

from tfaas_core.system.links.link import Link
from tfaas_core.testing.waiting import eventually

MEGABYTE = 1_000_000


class Parcel(msgspec.Struct, tag=True):
    """``labels``: what the files hold whose descriptors go with it."""

    number: int
    content: bytes = b""
    labels: list[int] = []


class Note(msgspec.Struct, tag=True):
    text: str


Message = Parcel | Note


class Foreign(msgspec.Struct, tag=True):
    """No Message."""

    number: int


def big(number: int) -> Parcel:
    """More than a socket takes at a time."""
    content = number.to_bytes(4, "little") * (MEGABYTE // 2)
    return Parcel(number, content, labels=[number, number + 1])


def labelled(label: int) -> int:
    """A descriptor of a file that holds ``label``."""
    descriptor = os.memfd_create("test")
    os.write(descriptor, str(label).encode())
    return descriptor


def read_labels(descriptors: Sequence[int]) -> list[int]:
    """What the files behind ``descriptors`` hold; closes them."""
    labels = [int(os.pread(descriptor, 20, 0)) for descriptor in descriptors]
    close_all(descriptors)
    return labels


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Side:
    """One side of a connection with a Link, and what that has received."""

    def __init__(self, sock: socket.socket, peer: str = "the test") -> None:
        self.messages: list[Message] = []
        self.closings = 0
        self.link: Link[Message] = Link(sock, Message, self._received, self._closed, peer)

    def send(self, *messages: Message) -> None:
        for message in messages:
            descriptors = [labelled(label) for label in getattr(message, "labels", [])]
            self.link.send(message, descriptors)
            close_all(descriptors)

    async def until_received(self, count: int) -> None:
        await eventually(lambda: len(self.messages) >= count, f"{count} messages are there")

    async def until_closed(self) -> None:
        await eventually(lambda: self.closings > 0, "the end of the stream is seen")

    def _received(self, message: Message, descriptors: list[int]) -> None:
        assert read_labels(descriptors) == getattr(message, "labels", [])
        self.messages.append(message)

    def _closed(self) -> None:
        self.closings += 1


@asynccontextmanager
async def relayed(sizes: Sequence[int]) -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a stream that arrives in pieces of these sizes in turn."""
    ours, source = socket.socketpair()
    target, theirs = socket.socketpair()
    thread = threading.Thread(target=relay, args=(source, target, itertools.cycle(sizes)))
    thread.start()
    try:
        yield ours, theirs
    finally:
        await asyncio.to_thread(thread.join)


def relay(source: socket.socket, target: socket.socket, sizes: Iterator[int]) -> None:
    """Passes a stream on, with its descriptors, until it ends."""
    with source, target:
        while True:
            data, descriptors, _flags, _address = socket.recv_fds(source, next(sizes), 100)
            if not data:
                return
            if descriptors:
                assert socket.send_fds(target, [data[:1]], descriptors) == 1
                data = data[1:]
                close_all(descriptors)
            target.sendall(data)


def parcels() -> st.SearchStrategy[list[Parcel]]:
    labels = st.lists(st.integers(0, 99), max_size=4)
    parcel = st.builds(Parcel, st.integers(0, 1 << 40), st.binary(max_size=300), labels)
    return st.lists(parcel, max_size=12)


def sizes() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, 70), min_size=1, max_size=9)
