from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tfaas_core.system.link import BlockingLink, Link
from tfaas_core.testing.engine_harness import eventually
from tfaas_core.testing.loops import in_event_loop

MEGABYTE = 1_000_000


class Parcel(msgspec.Struct, tag=True):
    """``labels``: what the files hold whose descriptors go with it."""

    number: int
    content: bytes = b""
    labels: list[int] = []


class Note(msgspec.Struct, tag=True):
    text: str


Message = Parcel | Note


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


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Side:
    """One side of a connection with a Link, and what that has received."""

    def __init__(self, sock: socket.socket) -> None:
        self.messages: list[Message] = []
        self.closings = 0
        self.link: Link[Message] = Link(sock, Message, self._received, self._closed)

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


def read(sock: socket.socket, most: int) -> list[Message]:
    """The first messages that a BlockingLink receives, or all until the stream ends."""
    link: BlockingLink[Message] = BlockingLink(sock, Message)
    messages = []
    for message, descriptors in itertools.islice(link.receive(), most):
        assert read_labels(descriptors) == getattr(message, "labels", [])
        messages.append(message)
    link.close()
    return messages


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


class TestLink:
    @settings(deadline=None, max_examples=50)
    @given(sent=parcels(), sizes=sizes())
    def test_messages_and_their_descriptors_arrive_in_whatever_pieces(
        self, sent: list[Parcel], sizes: list[int]
    ) -> None:
        @in_event_loop
        async def scenario() -> None:
            async with relayed(sizes) as (ours, theirs):
                sender, receiver = Side(ours), Side(theirs)
                sender.send(*sent)
                sender.link.close()
                await receiver.until_closed()
                assert receiver.messages == sent

        scenario()

    @in_event_loop
    async def test_big_messages_go_both_ways_at_once_and_in_order(self) -> None:
        sides = [Side(sock) for sock in socket.socketpair()]
        sent: list[Message] = []
        for number in range(6):
            sent += [big(number), Note(str(number))]
            for side in sides:
                side.send(*sent[-2:])
        for side in sides:
            await side.until_received(12)
            assert side.messages == sent
        for side in sides:
            side.link.close()

    @in_event_loop
    async def test_sending_never_waits(self) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours)
        side.send(*[big(number) for number in range(4)])
        with theirs:
            assert side.messages == []
            side.link.close()

    @in_event_loop
    async def test_all_messages_are_received_before_the_end_is_seen(self) -> None:
        sides = [Side(sock) for sock in socket.socketpair()]
        sent = [Note(str(number)) for number in range(100)]
        sides[0].send(*sent)
        sides[0].link.close()
        await sides[1].until_closed()
        assert sides[1].messages == sent
        assert sides[1].closings == 1
        assert sides[0].closings == 0

    @in_event_loop
    async def test_the_end_amid_a_message_is_an_end(self) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours)
        other = Side(theirs)
        other.send(Note("whole"), big(1))
        other.link.close()
        await side.until_closed()
        assert side.messages == [Note("whole")]

    @in_event_loop
    async def test_sending_to_the_dead_does_nothing(self) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours)
        theirs.close()
        side.send(big(1), Note("unheard"))
        await side.until_closed()
        side.send(big(2))
        side.link.close()
        assert side.closings == 1

    @in_event_loop
    async def test_what_the_dead_had_sent_is_received_though_an_answer_cannot_be_sent(
        self,
    ) -> None:
        ours, theirs = socket.socketpair()
        side, other = Side(ours), Side(theirs)
        other.send(Note("last words"))
        other.link.close()
        side.send(Note("too late"))
        await side.until_closed()
        assert side.messages == [Note("last words")]

    @in_event_loop
    async def test_a_link_may_be_closed_by_a_message(self) -> None:
        ours, theirs = socket.socketpair()
        received = []

        def close(message: Message, descriptors: list[int]) -> None:
            received.append(message)
            close_all(descriptors)
            link.close()

        link: Link[Message] = Link(ours, Message, close, lambda: None)
        other = Side(theirs)
        other.send(Parcel(1, labels=[1]), Parcel(2, labels=[2]))
        await other.until_closed()
        assert received == [Parcel(1, labels=[1])]

    @in_event_loop
    async def test_no_descriptor_is_left_open_whatever_is_sent_and_not_received(self) -> None:
        before = open_files()
        for _turn in range(3):
            sides = [Side(sock) for sock in socket.socketpair()]
            sides[0].send(*[big(number) for number in range(5)])
            await sides[1].until_received(1)
            sides[1].link.close()
            sides[0].send(big(5))
            await sides[0].until_closed()
        assert open_files() == before

    def test_it_works_on_uvloop(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._exchange())

    async def _exchange(self) -> None:
        sides = [Side(sock) for sock in socket.socketpair()]
        sent = [big(number) for number in range(6)]
        for side in sides:
            side.send(*sent)
        for side in sides:
            await side.until_received(6)
            assert side.messages == sent
        sides[0].link.close()
        await sides[1].until_closed()


class TestBlockingLink:
    @settings(deadline=None, max_examples=50)
    @given(sent=parcels(), sizes=sizes())
    def test_messages_and_their_descriptors_arrive_in_whatever_pieces(
        self, sent: list[Parcel], sizes: list[int]
    ) -> None:
        @in_event_loop
        async def scenario() -> None:
            async with relayed(sizes) as (ours, theirs):
                sender = Side(ours)
                sender.send(*sent)
                sender.link.close()
                assert await asyncio.to_thread(read, theirs, 100) == sent

        scenario()

    @in_event_loop
    async def test_big_messages_arrive_in_order(self) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours)
        sent = [big(number) for number in range(6)]
        side.send(*sent)
        assert await asyncio.to_thread(read, theirs, 6) == sent
        await side.until_closed()

    @in_event_loop
    async def test_what_it_sends_arrives_in_order(self) -> None:
        ours, theirs = socket.socketpair()
        receiver = Side(ours)
        link: BlockingLink[Message] = BlockingLink(theirs, Message)
        sent = [Parcel(number, bytes(number % 5 * MEGABYTE)) for number in range(10)]
        for parcel in sent:
            await asyncio.to_thread(link.send, parcel)
        link.close()
        await receiver.until_closed()
        assert receiver.messages == sent

    @in_event_loop
    async def test_several_threads_may_send(self) -> None:
        ours, theirs = socket.socketpair()
        receiver = Side(ours)
        link: BlockingLink[Message] = BlockingLink(theirs, Message)

        def send_all(thread: int) -> None:
            for number in range(10):
                link.send(Parcel(100 * thread + number, bytes(MEGABYTE)))

        await asyncio.gather(*[asyncio.to_thread(send_all, thread) for thread in range(4)])
        link.close()
        await receiver.until_closed()
        numbers = [message.number for message in receiver.messages if isinstance(message, Parcel)]
        for thread in range(4):
            own = [number for number in numbers if number // 100 == thread]
            assert own == list(range(100 * thread, 100 * thread + 10))

    def test_sending_to_the_dead_does_nothing(self) -> None:
        ours, theirs = socket.socketpair()
        link: BlockingLink[Message] = BlockingLink(ours, Message)
        theirs.close()
        link.send(Note("unheard"))
        link.send(Parcel(1, bytes(MEGABYTE)))
        assert list(link.receive()) == []
        link.close()
        link.send(Note("closed"))
