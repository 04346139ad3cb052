"""The first bytes to a port of TLS: whatever they are, the connection ends with its client, and the
next client is served.

OpenSSL reads them, whose code is not watched: what is tried here is random, not guided.
"""

from __future__ import annotations

import ssl
from functools import cache

from tests.certificates import Authority
from tests.fuzz.dice import Dice
from tests.fuzz.live import LiveServer
from tests.fuzz.rooms import room

_EVERY = 32


def check(data: bytes) -> None:
    dice = Dice(data)
    cut = dice.number()
    sent = dice.rest()
    server, client = _served()
    server.answers([piece for piece in (sent[:cut], sent[cut:]) if piece])
    if cut % _EVERY == 0:
        server.shaken(client)


def end() -> None:
    """Once nothing more is to be checked."""
    _served()[0].end()
    _served.cache_clear()


@cache
def _served() -> tuple[LiveServer, ssl.SSLContext]:
    with room() as folder:
        authority = Authority(folder)
        cert = authority.signed("server")
        return LiveServer(f"server.tls_cert={cert}"), authority.client()
