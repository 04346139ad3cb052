"""How connections of gRPC begin: the same in whatever pieces it comes, and as it is read whole."""

from __future__ import annotations

from tfaas_plugins.grpc_server.opening import ACKNOWLEDGEMENT, Opening

from tests.fuzz.dice import Dice, pieces

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES = 9
_SETTINGS = 4


def check(data: bytes) -> None:
    dice = Dice(data)
    size = 1 + dice.number()
    sent = dice.rest()
    opening = Opening()
    passed = b"".join(map(opening.passed, pieces(_PREFACE + sent, size)))
    assert passed == _PREFACE + _passed(sent)


def _passed(sent: bytes) -> bytes:
    """What becomes of all frames; of a head that has come in part, nothing yet."""
    first, *others = frames = _frames(sent)
    whole = b"".join(frames)
    if len(first) < _HEAD_BYTES:
        return b""
    if first[3] != _SETTINGS or first[4] & 1:
        return sent
    passed = first
    if len(first) == _HEAD_BYTES + _size(first):
        passed += ACKNOWLEDGEMENT
    at = len(first)
    for frame in others:
        at += len(frame)
        if len(frame) < _HEAD_BYTES:
            return passed
        if frame[3] == _SETTINGS and frame[4] & 1:
            return passed + (frame if _size(frame) else b"") + whole[at:]
        passed += frame
    return passed


def _frames(sent: bytes) -> list[bytes]:
    """Of which the last one may be a part of one, or of its head."""
    frames = []
    while True:
        end = _HEAD_BYTES + _size(sent) if len(sent) >= _HEAD_BYTES else len(sent)
        frames.append(sent[:end])
        sent = sent[end:]
        if not sent:
            return frames


def _size(frame: bytes) -> int:
    return int.from_bytes(frame[:3], "big")
