"""Rate limits as the configuration spells them: refused, or so many requests in so long a time."""

from __future__ import annotations

from tfaas_plugins.rate_limit.limit import OverLimit, limits_of

from tests.fuzz.dice import Dice
from tfaas_core.errors import ConfigError

_YEAR_S = 366 * 24 * 3600


def check(data: bytes) -> None:
    dice = Dice(data)
    count, left_s = dice.number(), dice.number() / 7
    text = dice.rest().decode(errors="surrogateescape")
    try:
        limits = limits_of("client", text.split("\n"), "$.plugins.rate_limit.client")
    except ConfigError:
        return
    for limit in limits:
        assert 1 <= limit.amount <= 1_000_000_000
        assert 1 <= limit.period_s <= _YEAR_S
        wait_s = limit.wait_s(count, left_s, limit.amount + count, left_s)
        over = OverLimit(limit, wait_s)
        assert over.retry_after_s >= 1
        assert all(value.isascii() and value.isprintable() for value in over.headers().values())
