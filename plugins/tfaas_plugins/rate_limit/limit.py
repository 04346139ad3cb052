"""Limit: so many requests in a time, and how the configuration spells it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from limits import RateLimitItem, parse_many

from tfaas_core.errors import ConfigError, TooManyRequests

_ORIGINAL = re.compile(r"\s*([0-9]+)\s*-\s*([SMHD])\s*", re.IGNORECASE)
_PERIODS = {"S": "second", "M": "minute", "H": "hour", "D": "day"}
_MOST = 1_000_000_000
_LONGEST_S = 366 * 24 * 3600

_WHAT = {
    "client": "requests from this address",
    "identity": "requests with this identity",
    "model": "requests for this model",
    "upload": "uploads from this address",
}


class Limit(msgspec.Struct, frozen=True):
    """``amount`` requests in ``period_s`` seconds; ``kind`` is its key in the table."""

    kind: str
    item: RateLimitItem
    amount: int
    period_s: int

    def wait_s(self, previous: int, previous_s: float, current: int, current_s: float) -> float:
        """How long it takes until there is room for one more, in seconds.

        ``previous`` and ``current``: the counts of the window before, which weighs less and less,
        and of this one. ``previous_s`` and ``current_s``: how long they count on, in seconds.
        """
        if current < self.amount:
            free = self.amount - current
            return previous_s - free * self.period_s / previous if previous else 0.0
        return current_s - self.period_s * self.amount / current

    def __str__(self) -> str:
        period = self.item.GRANULARITY.name
        if self.item.multiples > 1:
            period = f"{self.item.multiples} {period}s"
        return f"{self.amount} {_WHAT[self.kind]} per {period}"


class OverLimit(TooManyRequests):
    """A limit is reached. ``wait_s``: how long it takes until it is not, in seconds."""

    def __init__(self, limit: Limit, wait_s: float) -> None:
        # There is room behind that moment, not at it.
        self.retry_after_s = math.floor(max(wait_s, 0.0)) + 1
        self._limit = limit
        super().__init__(
            f"more than {limit}; ask again in {self.retry_after_s} s", limit=limit.kind
        )

    def headers(self) -> dict[str, str]:
        limit = self._limit
        return super().headers() | {
            "RateLimit-Policy": f'"{limit.kind}";q={limit.amount};w={limit.period_s}',
            "RateLimit": f'"{limit.kind}";r=0;t={self.retry_after_s}',
        }


def limits_of(kind: str, texts: str | Sequence[str], path: str) -> tuple[Limit, ...]:
    """What the key ``kind`` says, which is at ``path``; raises ConfigError."""
    texts = [texts] if isinstance(texts, str) else texts
    return tuple(limit for text in texts for limit in _limits(kind, text, path))


def _limits(kind: str, text: str, path: str) -> Iterator[Limit]:
    original = _ORIGINAL.fullmatch(text)
    spelled = f"{original[1]}/{_PERIODS[original[2].upper()]}" if original else text
    try:
        items = parse_many(spelled)
    except ValueError:
        items = []
    if not items:
        raise _wrong(text, "is no limit", path)
    for item in items:
        if not 1 <= item.amount <= _MOST:
            raise _wrong(text, "lets in fewer requests than 1, or more than 1_000_000_000", path)
        if item.get_expiry() > _LONGEST_S:
            raise _wrong(text, "is for longer than a year", path)
        yield Limit(kind, item, item.amount, item.get_expiry())


def _wrong(text: str, what: Any, path: str) -> ConfigError:
    examples = '"100/minute", "5 per 10 seconds" or "100-S"'
    return ConfigError(f"{text!r} {what}; write it like {examples} - at `{path}`")
