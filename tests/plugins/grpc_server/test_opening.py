"""How connections of gRPC begin, in whatever pieces it comes."""

from __future__ import annotations

import struct

import pytest
from tfaas_plugins.grpc_server.opening import ACKNOWLEDGEMENT, Opening

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS = 1, 4


def frame(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">IBBI", len(payload), kind, flags, 0)[1:] + payload


OURS = frame(SETTINGS, b"\0\4\0\0\xff\xff")
CALL = frame(HEADERS, b"\x82" * 300)
BEGINNINGS = {
    "settings, calls, acknowledgement": (
        PREFACE + OURS + CALL + CALL + ACKNOWLEDGEMENT + CALL + ACKNOWLEDGEMENT,
        PREFACE + OURS + ACKNOWLEDGEMENT + CALL + CALL + CALL + ACKNOWLEDGEMENT,
    ),
    "empty settings, acknowledged at once": (
        PREFACE + frame(SETTINGS, b"") + ACKNOWLEDGEMENT + CALL,
        PREFACE + frame(SETTINGS, b"") + ACKNOWLEDGEMENT + CALL,
    ),
    "settings twice": (
        PREFACE + OURS + OURS + ACKNOWLEDGEMENT + OURS,
        PREFACE + OURS + ACKNOWLEDGEMENT + OURS + OURS,
    ),
    "never acknowledged": (PREFACE + OURS + CALL, PREFACE + OURS + ACKNOWLEDGEMENT + CALL),
}


@pytest.mark.parametrize("begins", BEGINNINGS)
@pytest.mark.parametrize("size", [1, 2, 7, 9, 24, 33, 39, 100, 10_000])
def test_the_library_hears_of_the_acknowledgement_at_once_and_once(begins: str, size: int) -> None:
    sent, passed = BEGINNINGS[begins]
    opening = Opening()
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert b"".join(map(opening.passed, pieces)) == passed
    assert opening.is_over == (begins != "never acknowledged")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 100,
        PREFACE + CALL + OURS + ACKNOWLEDGEMENT,
        PREFACE + ACKNOWLEDGEMENT + OURS,
        PREFACE + OURS + frame(SETTINGS, b"longer", flags=1) + CALL,
    ],
)
def test_what_is_wrong_is_left_to_the_library(sent: bytes) -> None:
    passed = Opening().passed(sent)
    told = OURS + ACKNOWLEDGEMENT
    assert passed.replace(told, OURS) == sent.replace(told, OURS)


@pytest.mark.parametrize("size", [1000, 4096, 1 << 18])
def test_of_a_client_that_acknowledges_nothing_so_much_is_looked_at(size: int) -> None:
    sent = PREFACE + OURS + frame(HEADERS, b"") * 40_000
    opening = Opening()
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    passed = b"".join(map(opening.passed, pieces))
    assert opening.is_over
    assert passed == sent.replace(OURS, OURS + ACKNOWLEDGEMENT, 1)
