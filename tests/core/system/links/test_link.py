from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings

from tests.core.system.links.links import (
    Foreign,
    Message,
    Note,
    Parcel,
    Side,
    big,
    close_all,
    labelled,
    parcels,
    read_labels,
    relayed,
    sizes,
)
from tfaas_core.system.links.link import Link
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.tries import tries
from tfaas_core.testing.waiting import eventually


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process may open none in the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestLink:
    @settings(max_examples=tries(50))
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
    async def test_descriptors_that_there_is_no_room_for_are_missing_and_later_ones_are_not(
        self,
    ) -> None:
        ours, theirs = socket.socketpair()
        sender, received = Side(ours), list[list[int]]()
        link: Link[Message] = Link(
            theirs, Message, lambda _, came: received.append(came), lambda: None, "the test"
        )
        sender.send(Parcel(1, labels=[1, 2]))
        with no_more_files():
            link.receive()
        assert received == [[]]
        sender.send(Parcel(2, labels=[3, 4]))
        await eventually(lambda: len(received) == 2, "the second message is there")
        assert read_labels(received[1]) == [3, 4]
        link.close()
        sender.link.close()

    @in_event_loop
    async def test_none_stay_open_of_those_that_there_was_no_room_to_keep(self) -> None:
        ours, theirs = socket.socketpair()
        link: Link[Message] = Link(ours, Message, lambda *_: None, lambda: None, "the test")
        # Once that is closed, there is room for one.
        spare, before = os.dup(0), open_files()
        with no_more_files():
            os.close(spare)
            with pytest.raises(OSError, match="Too many open files"):
                link.send(Note("two"), [theirs.fileno()] * 2)
        assert open_files() == before - 1
        link.close()
        theirs.close()

    @in_event_loop
    async def test_a_message_that_cannot_be_heeded_holds_up_no_other(self) -> None:
        ours, theirs = socket.socketpair()
        heard: list[Message] = []

        def hear(message: Message, _descriptors: list[int]) -> None:
            heard.append(message)
            if len(heard) == 1:
                raise OSError("too many open files")

        link: Link[Message] = Link(theirs, Message, hear, lambda: None, "the test")
        sender = Side(ours)
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
        sender.send(Note("one"), Note("two"))
        await eventually(lambda: len(heard) == 2, "both are heard")
        assert [what["message"] for what in told] == ["Note could not be heeded"]
        link.close()
        sender.link.close()

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
        before = open_files()
        ours, theirs = socket.socketpair()
        received = []

        def close(message: Message, descriptors: list[int]) -> None:
            received.append(message)
            close_all(descriptors)
            link.close()

        link: Link[Message] = Link(ours, Message, close, lambda: None, "the test")
        other = Side(theirs)
        other.send(Parcel(1, labels=[1]), Parcel(2, labels=[2]))
        await other.until_closed()
        assert received == [Parcel(1, labels=[1])]
        assert open_files() == before  # those of the message behind it are closed, too

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

    @in_event_loop
    async def test_what_cannot_be_read_ends_the_link_and_the_log_names_who_sent_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = open_files()
        sides = [Side(sock, peer="a stranger") for sock in socket.socketpair()]
        sides[0].send(Note("first"))
        sides[0].link.send(Foreign(1), [labels := labelled(1)])
        os.close(labels)
        await sides[1].until_closed()
        assert sides[1].messages == [Note("first")]
        assert "a stranger sent what cannot be read, so the link ends: Invalid value" in caplog.text
        await sides[0].until_closed()
        assert open_files() == before

    @pytest.mark.parametrize("head", [(1 << 28) + 1, (1 << 32) - 1])
    @in_event_loop
    async def test_a_message_that_is_too_large_ends_the_link_at_its_head(
        self, head: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        ours, theirs = socket.socketpair()
        side = Side(ours, peer="a stranger")
        with theirs:
            theirs.sendall(struct.pack("<II", head, 0))
            await side.until_closed()
        assert f"a stranger sent what cannot be read, so the link ends: {head} bytes" in caplog.text

    @in_event_loop
    async def test_descriptors_that_no_message_has_end_the_link_and_are_closed(self) -> None:
        before = open_files()
        ours, theirs = socket.socketpair()
        side = Side(ours)
        with theirs:
            for _turn in range(3):
                socket.send_fds(theirs, [b"\0"], [theirs.fileno()] * 16)
            await side.until_closed()
        assert open_files() == before

    @pytest.mark.parametrize("value", [1, object(), "\udcff"])
    @in_event_loop
    async def test_what_could_not_be_read_is_refused_where_it_is_sent(self, value: Any) -> None:
        sides = [Side(sock) for sock in socket.socketpair()]
        with pytest.raises(TypeError, match="Note cannot be sent: "):
            sides[0].link.send(Note(value))
        sides[0].send(Note("next"))
        sides[0].link.close()
        await sides[1].until_closed()
        assert sides[1].messages == [Note("next")]

    def test_it_works_on_uvloop(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._exchange())

    def test_who_went_without_reading_all_is_heard_to_the_end_on_uvloop_too(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._farewell())

    async def _farewell(self) -> None:
        side, other = (Side(sock) for sock in socket.socketpair())
        side.send(Note("unread"))
        other.send(Note("last words"))
        other.link.close()
        await side.until_closed()
        assert side.messages == [Note("last words")]

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
