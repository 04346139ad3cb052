"""What headers say of who asks, and of which answer he would like: a token counts if it is one."""

from __future__ import annotations

from tfaas_plugins.routes.accept import preferred
from tfaas_plugins.token_guard.guard import TokenGuard
from tfaas_plugins.token_guard.holder import Holder, digest_of

from tests.fuzz.dice import Dice
from tfaas_core.errors import Forbidden, Unauthorized
from tfaas_core.fields import Headers
from tfaas_core.guard import Asking
from tfaas_core.http.request import split_target
from tfaas_core.route import ClientAddress, Head
from tfaas_core.routing.seam import error_answer
from tfaas_core.routing.sendable import sendable

_TOKEN = "correct-horse"
_GUARD = TokenGuard(
    [
        Holder("alice", digest_of(_TOKEN), frozenset({"read"}), ("a*",)),
        Holder("late", digest_of("late"), frozenset({"read"}), expires_s=1.0),
        Holder("cert", "CN=bob", frozenset({"read", "predict"})),
    ]
)
_OFFERS = ("application/json", "application/msgpack", "application/x-protobuf")


def check(data: bytes) -> None:
    dice = Dice(data)
    read = dice.one_of((_token, _accept, _target))
    read(dice.rest().decode("latin-1"))


def _token(value: str) -> None:
    asking = Asking(
        Head(headers=Headers([("Authorization", value)])), ClientAddress(), "read", "/models"
    )
    try:
        name = _GUARD.admit(asking)
        _GUARD.admit_to(asking, name, "a1")
    except (Unauthorized, Forbidden) as error:
        sendable(error_answer(error))
        return
    assert name == "alice"
    scheme, token = value.split()
    assert (scheme.lower(), token) == ("bearer", _TOKEN)


def _accept(value: str) -> None:
    chosen = preferred(value, _OFFERS)
    assert chosen is None or chosen in _OFFERS
    if value.isascii():
        assert preferred(value.upper(), _OFFERS) == chosen
    if not value.strip():
        assert chosen == _OFFERS[0]


def _target(value: str) -> None:
    path, query = split_target(value)
    assert "?" not in path
    for name, text in query.pairs:
        (name + text).encode()
