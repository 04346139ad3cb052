"""Messages on their way, in whatever pieces they come, and which of them are too slow."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from tfaas_plugins.grpc_server.messages import Ends, LeastPace, Messages

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, PING, CONTINUATION = 0, 1, 3, 6, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
LEAST = LeastPace(look_s=1, head_looks=3, window_looks=8, window_bytes=40, look_bytes=5)
MANY = 200
"""Looks, which none that is too slow outlives."""


def frame(kind: int, stream: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload


def head(stream: int) -> bytes:
    return frame(HEADERS, stream, b"\x82" * 20, END_HEADERS)


def message(size: int) -> bytes:
    return struct.pack(">BI", 0, size) + bytes(size)


def padded(payload: bytes, padding: bytes) -> bytes:
    return bytes([len(padding)]) + payload + padding


BEGUN = PREFACE + frame(4, 0, b"") + head(1)
SENT = {
    "nothing": (BEGUN, 0),
    "a message": (BEGUN + frame(DATA, 1, message(9)), 0),
    "several, one of them empty": (BEGUN + frame(DATA, 1, message(0) + message(7)), 0),
    "one in frames": (BEGUN + b"".join(frame(DATA, 1, bytes([x])) for x in message(9)), 0),
    "a part": (BEGUN + frame(DATA, 1, message(9)[:-1]), 1),
    "a part of what comes before": (BEGUN + frame(DATA, 1, message(9) + b"\0\0"), 1),
    "two": (BEGUN + head(3) + frame(DATA, 1, message(9)[:8]) + frame(DATA, 3, b"\0"), 2),
    "one that ends": (BEGUN + frame(DATA, 1, message(9)[:8], END_STREAM), 0),
    "one that is cancelled": (BEGUN + frame(DATA, 1, b"\0") + frame(RESET, 1, bytes(4)), 0),
    "padding": (BEGUN + frame(DATA, 1, padded(message(9), b"\1" * 99), PADDED), 0),
    "a part and padding": (BEGUN + frame(DATA, 1, padded(message(9)[:7], b"\1" * 9), PADDED), 1),
    "of a stream that is none": (BEGUN + frame(DATA, 3, b"\0") + frame(DATA, 2, b"\0"), 0),
}


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("size", [1, 2, 7, 13, 50, 1000])
def test_what_has_come_in_part_is_known_however_it_is_cut(name: str, size: int) -> None:
    sent, count = SENT[name]
    messages = Messages()
    for at in range(0, len(sent), size):
        messages.came(sent[at : at + size])
    assert messages.open == count


@pytest.mark.parametrize(
    "end", [frame(RESET, 1, bytes(4)), frame(HEADERS, 1, b"\x88", END_STREAM | END_HEADERS)]
)
def test_what_comes_for_a_call_that_was_answered_is_no_message(end: bytes) -> None:
    messages = Messages()
    ends = Ends(messages)
    messages.came(BEGUN + frame(DATA, 1, message(9)[:8]))
    ends.came(frame(HEADERS, 1, b"\x88", END_HEADERS) + frame(DATA, 1, message(3)))
    assert messages.open == 1
    ends.came(end)
    messages.came(frame(DATA, 1, b"\0"))
    assert messages.open == 0
    assert is_kept(messages, iter([]))


SLOW = {
    "what a message begins with": BEGUN + frame(DATA, 1, message(999)[:2]),
    "a message": BEGUN + frame(DATA, 1, message(999)[:500]),
    "within a frame": BEGUN + frame(DATA, 1, message(999))[:500],
    "a frame": BEGUN + frame(PING, 0, bytes(8))[:12],
    "what a frame begins with": BEGUN + frame(PING, 0, bytes(8))[:7],
    "a head": BEGUN + head(3)[:11],
    "a head of frames": BEGUN + frame(HEADERS, 3, b"\x82"),
    "what all begins with": PREFACE[:9],
}


@pytest.mark.parametrize("name", SLOW)
def test_what_does_not_go_on_is_too_slow(name: str) -> None:
    messages = Messages()
    messages.came(SLOW[name])
    assert not is_kept(messages, iter([]))


def test_one_that_comes_a_byte_at_a_time_is_too_slow_though_it_comes() -> None:
    begins = message(999)[:5]
    within_a_frame = BEGUN + frame(DATA, 1, message(999))[:14], b"\0"
    in_frames = BEGUN + frame(DATA, 1, begins), frame(DATA, 1, b"\0")
    for sent, piece in (within_a_frame, in_frames):
        messages = Messages()
        messages.came(sent)
        assert not is_kept(messages, iter([piece] * MANY))


def test_a_head_of_frames_that_does_not_end_is_too_slow_though_they_come_quickly() -> None:
    messages = Messages()
    messages.came(BEGUN + frame(HEADERS, 3, b"\x82"))
    assert not is_kept(messages, iter([frame(CONTINUATION, 3, b"\x82" * 100)] * MANY))


def test_who_sends_others_meanwhile_keeps_none_for_longer_than_its_size_allows() -> None:
    messages = Messages()
    messages.came(BEGUN + head(3) + frame(DATA, 1, message(99)[:20]))
    assert not is_kept(messages, iter([frame(DATA, 3, message(500))] * MANY))


def test_one_that_was_cut_before_its_size_is_known_may_wait_for_others() -> None:
    messages = Messages()
    messages.came(BEGUN + head(3) + frame(DATA, 1, message(99)[:2]))
    assert is_kept(messages, iter([frame(DATA, 3, message(500))] * MANY))
    messages.came(frame(DATA, 1, message(99)[2:50]))
    assert not messages.look(LEAST)
    messages.came(frame(DATA, 1, message(99)[50:]))
    assert messages.open == 0


def test_each_of_several_needs_its_pace() -> None:
    for count, is_enough in ((1, True), (2, False)):
        messages = Messages()
        messages.came(BEGUN + head(3))
        for stream in (1, 3)[:count]:
            messages.came(frame(DATA, stream, struct.pack(">BI", 0, 10_000)))
        assert is_kept(messages, iter([frame(DATA, 1, bytes(6))] * MANY)) == is_enough


def test_who_is_idle_or_quick_enough_stays() -> None:
    pings = iter([frame(PING, 0, bytes(8))] * MANY)
    for pieces in (iter([]), pings, iter([frame(DATA, 1, message(3))] * MANY)):
        messages = Messages()
        messages.came(BEGUN + frame(DATA, 1, message(9)))
        assert is_kept(messages, pieces)


def is_kept(messages: Messages, pieces: Iterator[bytes]) -> bool:
    """Whether its client stays that sends one of ``pieces`` before each look."""
    for _ in range(MANY):
        messages.came(next(pieces, b""))
        if messages.look(LEAST):
            return False
    return True
