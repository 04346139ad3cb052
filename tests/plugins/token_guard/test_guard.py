"""The token guard does what every guard does."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import ClassVar

import pytest
from tfaas_plugins.token_guard.guard import TokenGuard
from tfaas_plugins.token_guard.holder import Holder, digest_of
from tfaas_plugins.token_guard.table import TokenEntry, TokenGuardTable

from tfaas_core.config import Config
from tfaas_core.errors import Forbidden
from tfaas_core.route import Right
from tfaas_core.testing.guard import (
    Admitted,
    AfterRenewal,
    GuardContract,
    Refused,
    asking_with,
    config_with,
)

ALL: frozenset[Right] = frozenset(("read", "predict", "upload", "delete", "admin"))


def made() -> TokenGuard:
    now_s = time.time()
    return TokenGuard(
        [
            Holder("alice", digest_of("alices-token"), ALL),
            Holder("bob", digest_of("bobs-token"), ALL, expires_s=now_s + 3600),
            Holder("carol", digest_of("carols-token"), frozenset({"read", "predict"}), ["top-*"]),
            Holder("dan", digest_of("dans-token"), ALL, expires_s=now_s - 1),
        ]
    )


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def tokens(**entries: TokenEntry) -> Config:
    return config_with(token_guard=TokenGuardTable(tokens={**entries}))


def token(secret: str, models: tuple[str, ...] = ("*",)) -> TokenEntry:
    return TokenEntry(sha256=sha256(secret.encode()).hexdigest(), models=models)


CAROL = bearing("carols-token")


class TestTokenGuard(GuardContract):
    make_guard = staticmethod(made)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(asking_with(bearing("alices-token")), "alice"),
        Admitted(asking_with(bearing("bobs-token"), "admin", "/models", "DELETE"), "bob"),
        Admitted(asking_with({"authorization": "bearer  bobs-token "}), "bob"),
        Admitted(asking_with(CAROL), "carol", "top-quark"),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 401),
        Refused(asking_with(bearing("")), 401),
        Refused(asking_with(bearing("alices-token-not")), 401),
        Refused(asking_with({"authorization": "Basic YWxpY2U6YWxpY2Vz"}), 401),
        Refused(asking_with({"x-token": "alices-token"}), 401),
        Refused(asking_with(bearing("dans-token")), 401),
        Refused(asking_with(CAROL, "upload", "/upload"), 403),
        Refused(asking_with(CAROL), 403, model="on-top-of"),
        Refused(asking_with(CAROL), 403, model="TOP-quark"),
    ]
    renewals: ClassVar[list[AfterRenewal]] = [
        AfterRenewal(
            tokens(carol=token("carols-token", models=("jet-*",)), eve=token("eves-token")),
            admitted=[
                Admitted(asking_with(CAROL), "carol", "jet-1"),
                Admitted(asking_with(bearing("eves-token")), "eve"),
            ],
            refused=[
                Refused(asking_with(bearing("alices-token")), 401),
                Refused(asking_with(CAROL), 403, model="top-quark"),
            ],
        ),
        AfterRenewal(
            tokens(alice=token("alices-new-token")),
            admitted=[Admitted(asking_with(bearing("alices-new-token")), "alice")],
            refused=[
                Refused(asking_with(bearing("alices-token")), 401),
                Refused(asking_with(bearing("eves-token")), 401),
                Refused(asking_with(CAROL), 401),
            ],
        ),
        AfterRenewal(
            config_with(token_guard=TokenGuardTable()),
            refused=[Refused(asking_with(bearing("alices-token")), 401)],
        ),
    ]
    wrong_configs: ClassVar[list[Config]] = [
        config_with(token_guard=TokenGuardTable(file="no-such-tokens.toml")),
    ]


def test_a_refusal_says_which_right_is_missing_and_which_there_are() -> None:
    with pytest.raises(Forbidden) as refused:
        made().admit(asking_with(CAROL, "delete", "/delete"))
    assert refused.value.message == (
        "this takes the right 'delete', which 'carol' lacks; it has: predict, read"
    )
    assert refused.value.document()["right"] == "delete"


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("vk", ["vk"], ["vk2", "my-vk", "VK"]),
        ("top-*", ["top-", "top-1.b"], ["top", "a-top-1"]),
        ("v?", ["vk", "v1"], ["v", "vkk"]),
        ("v[0-9]", ["v1"], ["vk", "v[0-9]"]),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_a_pattern_is_of_the_whole_name(pattern: str, fits: list[str], does_not: list[str]) -> None:
    holder = Holder("x", digest_of("x"), ALL, [pattern])
    for name in fits:
        holder.check_model(name, "predict")
    for name in does_not:
        with pytest.raises(Forbidden):
            holder.check_model(name, "predict")


def test_no_pattern_is_for_no_model() -> None:
    with pytest.raises(Forbidden, match="for other models alone: none"):
        Holder("x", digest_of("x"), ALL, []).check_model("vk", "predict")
