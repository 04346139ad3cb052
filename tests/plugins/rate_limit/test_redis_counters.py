"""Servers that share a Redis count together, and let everybody in while it is away."""

from __future__ import annotations

import asyncio
import signal
import socketserver
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest
from tfaas_plugins.rate_limit.guards import Claim
from tfaas_plugins.rate_limit.limit import OverLimit, limits_of
from tfaas_plugins.rate_limit.redis_counters import RedisCounters, pool_of

from tests.plugins.rate_limit.counting import Clock
from tests.redis_server import RedisServer, running_redis
from tfaas_core.errors import ConfigError

Use = Callable[[RedisCounters], Awaitable[None]]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


def claims(text: str, who: str = "somebody") -> list[Claim]:
    return [Claim(limit, who) for limit in limits_of("client", text, "$")]


async def let_in(counters: RedisCounters, asked: list[Claim], times: int) -> int:
    answers = await asyncio.gather(
        *(counters.take(asked) for _ in range(times)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} <= {type(None), OverLimit}
    return answers.count(None)


def used(
    url: str, use: Use, clock: Callable[[], float] = time.monotonic, patience_s: float = 30.0
) -> None:
    async def run() -> None:
        counters = RedisCounters(pool_of(url, "$"), clock, patience_s)
        try:
            await use(counters)
        finally:
            await counters.close()

    asyncio.run(run())


def test_all_that_use_it_count_together(redis: RedisServer) -> None:
    counts = []

    async def use(counters: RedisCounters) -> None:
        counts.append(await let_in(counters, claims("50/day"), 30))
        counts.append(await let_in(counters, claims("50/day", "\u00e9"), 3))

    for _ in range(3):
        used(redis.url, use)
    assert counts == [30, 3, 20, 3, 0, 3]


def test_a_refusal_says_when_to_ask_again(redis: RedisServer) -> None:
    async def use(counters: RedisCounters) -> None:
        await counters.take(claims("1/hour"))
        with pytest.raises(OverLimit) as refused:
            await counters.take(claims("1/hour"))
        assert 3500 < refused.value.retry_after_s <= 3601

    used(redis.url, use)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_while_it_is_away_all_are_let_in_soon(
    redis: RedisServer, caplog: pytest.LogCaptureFixture, how: signal.Signals
) -> None:
    clock = Clock()

    async def use(patient: RedisCounters) -> None:
        assert await let_in(patient, claims("1/day"), 3) == 1
        counters = RedisCounters(pool_of(redis.url, "$"), clock, patience_s=1.0)
        redis.process.send_signal(how)
        begin_s = time.monotonic()
        for _ in range(100):
            await counters.take(claims("1/day"))
        assert time.monotonic() - begin_s < 30, "they wait for it once, and not each"
        clock.now_s += 2
        await counters.take(claims("1/day"))
        if how == signal.SIGSTOP:
            redis.process.send_signal(signal.SIGCONT)
            assert await let_in(patient, claims("1/day"), 3) == 0
            async with asyncio.timeout(30):
                clock.now_s += 1
                while await let_in(counters, claims("1/day"), 3):
                    clock.now_s += 1
        await counters.close()

    used(redis.url, use, clock)
    assert caplog.text.count("requests cannot be counted, so all are let in without limits") == 1


ANSWERS = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"+OK\r\n",
    b":1\r\n" * 20,
    b":x\r\n",
    b"$3\r\nabc\r\n",
    b"*2\r\n+a\r\n+b\r\n",
    b"*-1\r\n",
    b"%1\r\n+a\r\n+b\r\n",
    b"$999999999999\r\n",
    b"",
    bytes(100),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_whatever_else_answers_there_is_no_other_error(answer: bytes) -> None:
    class Other(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while self.request.recv(1 << 16) and answer:
                    self.request.sendall(answer)

    clock = Clock()

    async def use(counters: RedisCounters) -> None:
        for _ in range(3):
            with suppress(OverLimit):
                await counters.take(claims("1000/day"))
            clock.now_s += 2

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Other) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            used(f"redis://127.0.0.1:{server.server_address[1]}", use, clock, patience_s=0.5)
        finally:
            server.shutdown()
            thread.join()


URLS = [
    *("http://localhost", "localhost:6379", "redis://host:secret", "redis://host/secret"),
    *("redis://host/0?secret=1", "rediss://host/0?ssl_cert_reqs=secret"),
]


@pytest.mark.parametrize("url", URLS)
def test_what_is_no_url_is_an_error_that_does_not_show_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisCounters.at(url, "$.plugins.rate_limit.storage")
    message = caught.value.message
    assert message.startswith("this is no URL of Redis or Valkey; write it like redis://")
    assert message.endswith(" - at `$.plugins.rate_limit.storage`")
    assert url not in message


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
def test_valkey_is_taken_too(scheme: str) -> None:
    async def use(_counters: RedisCounters) -> None: ...

    used(f"{scheme}://:password@localhost:6379/0", use)
