"""What a client of gRPC has sent in part: the same in whatever pieces it comes."""

from __future__ import annotations

from tfaas_plugins.grpc_server.messages import LeastPace, Messages

from tests.fuzz.dice import Dice, pieces

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LEAST = LeastPace(look_s=1, head_looks=3, window_looks=8, window_bytes=40, look_bytes=5)


def check(data: bytes) -> None:
    dice = Dice(data)
    size = 1 + dice.number()
    sent = _PREFACE + dice.rest()
    whole, cut = Messages(), Messages()
    whole.came(sent)
    for piece in pieces(sent, size):
        cut.came(piece)
        cut.look(_LEAST)
    assert (cut.open, cut.is_within) == (whole.open, whole.is_within)
