from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.core.system.links.links import (
    MEGABYTE,
    Foreign,
    Message,
    Note,
    Parcel,
    Side,
    big,
    parcels,
    read_labels,
    relayed,
    sizes,
)
from tfaas_core.system.links.blocking_link import BlockingLink
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.tries import tries


def read(sock: socket.socket, most: int) -> list[Message]:
    """The first messages that a BlockingLink receives, or all until the stream ends."""
    link: BlockingLink[Message] = BlockingLink(sock, Message, "the test")
    messages = []
    for message, descriptors in itertools.islice(link.receive(), most):
        assert read_labels(descriptors) == getattr(message, "labels", [])
        messages.append(message)
    link.close()
    return messages


class TestBlockingLink:
    @settings(max_examples=tries(50))
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
        link: BlockingLink[Message] = BlockingLink(theirs, Message, "the test")
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
        link: BlockingLink[Message] = BlockingLink(theirs, Message, "the test")

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
        link: BlockingLink[Message] = BlockingLink(ours, Message, "the test")
        theirs.close()
        link.send(Note("unheard"))
        link.send(Parcel(1, bytes(MEGABYTE)))
        assert list(link.receive()) == []
        link.close()
        link.send(Note("closed"))

    @in_event_loop
    async def test_what_cannot_be_read_ends_it_and_the_log_names_who_sent_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours)
        side.link.send(Foreign(1))
        assert await asyncio.to_thread(read, theirs, 1) == []
        assert "the test sent what cannot be read, so the link ends: Invalid value" in caplog.text
        await side.until_closed()

    def test_what_could_not_be_read_is_refused_where_it_is_sent(self) -> None:
        ours, theirs = socket.socketpair()
        link: BlockingLink[Message] = BlockingLink(theirs, Message, "the test")
        note: Any = np.bool_(False)
        with pytest.raises(TypeError, match=r"Note cannot be sent: .*numpy"):
            link.send(Note(note))
        link.send(Note("next"))
        link.close()
        assert read(ours, 2) == [Note("next")]
