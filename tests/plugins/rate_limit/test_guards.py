"""The guards of the rate limit do what every guard does, and let in what the limits say."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import msgspec
import pytest
from tfaas_plugins.rate_limit.guards import AddressLimit, NameLimit, network_of
from tfaas_plugins.rate_limit.limit import OverLimit, limits_of
from tfaas_plugins.rate_limit.memory_counters import MemoryCounters
from tfaas_plugins.token_guard.guard import TokenGuard

from tests.plugins.rate_limit.counting import Clock, memory
from tfaas_core.guard import Asking
from tfaas_core.routing.guards import Guards
from tfaas_core.testing.guard import Admitted, GuardContract, Refused, asking_with

UPLOAD = asking_with({}, "upload", "/upload")


def address_limit(
    client: str = "5/minute", upload: str = "2/hour", clock: Clock | None = None
) -> AddressLimit:
    counters = MemoryCounters(memory(), clock or Clock())
    return AddressLimit(
        limits_of("client", client, "$"), limits_of("upload", upload, "$"), counters
    )


def name_limit(
    identity: str | tuple[str, ...] = "3/minute",
    model: str = "5/minute",
    clock: Clock | None = None,
) -> NameLimit:
    counters = MemoryCounters(memory(), clock or Clock())
    return NameLimit(limits_of("identity", identity, "$"), limits_of("model", model, "$"), counters)


def named(identity: str) -> Asking:
    return msgspec.structs.replace(asking_with(), identity=identity)


def admitted(guard: AddressLimit, asking: Asking, times: int = 20) -> int:
    """How many of these are let in."""
    count = 0
    for _ in range(times):
        try:
            assert guard.admit(asking) == ""
            count += 1
        except OverLimit:
            pass
    return count


def admitted_to(guard: NameLimit, asking: Asking, model: str, times: int = 20) -> int:
    count = 0
    for _ in range(times):
        try:
            assert guard.admit_to(asking, "", model) is None
            count += 1
        except OverLimit:
            pass
    return count


class TestAddressLimit(GuardContract):
    make_guard = staticmethod(address_limit)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(asking_with(), ""),
        Admitted(UPLOAD, ""),
        Admitted(asking_with({}, "read", "/models", "GET"), ""),
        Admitted(asking_with(ip=""), ""),
        Admitted(asking_with(ip="fe80::1%eth0"), ""),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 429, after=[asking_with()] * 5),
        Refused(UPLOAD, 429, after=[UPLOAD] * 2),
        Refused(asking_with(ip="2001:db8::1"), 429, after=[asking_with(ip="2001:db8::2")] * 5),
    ]


class TestNameLimit(GuardContract):
    make_guard = staticmethod(name_limit)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(asking_with(), ""),
        Admitted(named("alice"), "", "vk"),
        Admitted(asking_with(), "", "\ud800" * 999),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 429, "vk", after=[asking_with()] * 5),
        Refused(named("alice"), 429, "vk", after=[named("alice")] * 3),
    ]


def test_each_address_has_a_limit_of_its_own() -> None:
    guard = address_limit()
    assert admitted(guard, asking_with(ip="192.0.2.1")) == 5
    assert admitted(guard, asking_with(ip="192.0.2.2")) == 5
    assert admitted(guard, UPLOAD) == 2


def test_limits_keep_no_stranger_out() -> None:
    guards = [(address_limit(), "limits"), (name_limit(), "limits")]
    assert not Guards(guards).know_who_asks
    assert Guards([*guards, (TokenGuard([]), "tokens")]).know_who_asks
    assert not Guards().know_who_asks


def test_an_ipv6_network_is_one_client() -> None:
    assert network_of("2001:db8::1:2:3:4") == network_of("2001:db8::9") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::9") != network_of("2001:db8::9")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == ""


@pytest.mark.parametrize("right", ["read", "delete", "admin"])
def test_what_neither_predicts_nor_uploads_has_no_limit(right: str) -> None:
    asking = msgspec.structs.replace(asking_with(), right=right)
    assert admitted(address_limit("1/hour", "1/hour"), asking) == 20
    assert admitted_to(name_limit("1/hour", "1/hour"), asking, "vk") == 20


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_look_by_those_who_may_predict_has_no_limit(method: str) -> None:
    asking = asking_with({}, "predict", "/v2/{path...}", method)
    assert admitted(address_limit("1/hour", "1/hour"), asking) == 20
    assert admitted_to(name_limit("1/hour", "1/hour"), asking, "vk") == 20


def test_a_roll_back_has_no_limit() -> None:
    asking = asking_with({}, "upload", "/models/{name}/rollback")
    assert admitted(address_limit("1/hour", "1/hour"), asking) == 20


def test_models_and_identities_have_limits_of_their_own() -> None:
    guard = name_limit()
    assert admitted_to(guard, named("alice"), "vk") == 3
    assert admitted_to(guard, named("bob"), "vk") == 2, "the model's limit is reached"
    assert admitted_to(guard, named("carol"), "other") == 3
    assert admitted_to(guard, named(""), "other") == 2
    assert admitted_to(guard, named(""), "x" * 10_000) == 5
    assert admitted_to(guard, named(""), "x" * 10_001) == 5


def test_all_limits_of_a_key_hold() -> None:
    clock = Clock()
    guard = name_limit(identity=("2/second", "5/minute"), model="100/second", clock=clock)
    counts = []
    for _ in range(4):
        counts.append(admitted_to(guard, named("alice"), "vk"))
        clock.now_s += 2
    assert sum(counts[:3]) <= 5
    assert counts[0] == 2


def test_there_is_room_when_the_refusal_says_so_and_not_before() -> None:
    clock = Clock()
    guard = address_limit("10/minute", clock=clock)
    for _ in range(5):
        admitted(guard, asking_with())
        with pytest.raises(OverLimit) as refused:
            guard.admit(asking_with())
        came_s, wait_s = clock.now_s, refused.value.retry_after_s
        clock.now_s = came_s + wait_s - 1.01
        assert wait_s == 1 or admitted(guard, asking_with()) == 0
        clock.now_s = came_s + wait_s
        assert guard.admit(asking_with()) == ""


def test_minutes_have_the_limit_on_average_and_none_has_twice_as_many() -> None:
    clock = Clock()
    guard = address_limit("100/minute", clock=clock)
    came: list[float] = []
    for _ in range(600):
        clock.now_s += 0.5
        came += [clock.now_s] * admitted(guard, asking_with(), times=5)
    most = max(sum(begin <= at < begin + 60 for at in came) for begin in came)
    assert 100 <= most < 200
    assert 400 <= len(came) <= 600


def test_a_limit_may_wait_for_its_answer() -> None:
    class Slow:
        async def take(self, _claims: object) -> None:
            await asyncio.sleep(0)

        async def close(self) -> None: ...

    guard = AddressLimit(limits_of("client", "1/hour", "$"), (), Slow())

    async def ask() -> str:
        said = guard.admit(asking_with())
        return said if isinstance(said, str) else await said

    assert asyncio.run(ask()) == ""
