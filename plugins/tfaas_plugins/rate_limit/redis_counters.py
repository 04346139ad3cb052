"""RedisCounters: counts in Redis or Valkey, for all servers that use the same one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tfaas_core.errors import ConfigError
from tfaas_plugins.rate_limit.failures import Failures
from tfaas_plugins.rate_limit.guards import Claim
from tfaas_plugins.rate_limit.limit import OverLimit

_PATIENCE_S = 0.25
_CONNECTIONS = 32
_DATABASE = re.compile("/?|/[0-9]+")


class RedisCounters:
    """Connects when it is asked for the first time.

    ``clock``: seconds, for pauses. ``patience_s``: how long a request waits for Redis at most.
    """

    def __init__(
        self,
        pool: BlockingConnectionPool,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._pool = pool
        options: dict[str, Any] = {"connection_pool": pool}
        self._storage = RedisStorage(
            "async+redis://", implementation="redispy", key_prefix="tfaas-rate-limit", **options
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._failures = Failures(clock)
        self._patience_s = patience_s

    @classmethod
    def at(cls, url: str, key: str) -> RedisCounters:
        """Those at ``url``, which is what the configuration has under ``key``; see ``pool_of``."""
        return cls(pool_of(url, key))

    async def take(self, claims: Sequence[Claim]) -> None:
        """Raises OverLimit."""
        if self._failures.are_recent():
            return
        try:
            async with asyncio.timeout(self._patience_s):
                for claim in claims:
                    await self._take(claim)
        except TimeoutError:
            self._failures.note(TimeoutError(f"Redis does not answer within {self._patience_s} s"))
        except OverLimit:
            raise
        except (RedisError, OSError) as error:
            self._failures.note(error)
        except Exception as error:  # it answers other things than Redis does
            kind = type(error).__name__
            self._failures.note(RedisError(f"what answers is not as Redis is: {kind} {error}"))

    async def _take(self, claim: Claim) -> None:
        limit, who = claim.limit, claim.who
        if not await self._limiter.hit(limit.item, limit.kind, who):
            key = limit.item.key_for(limit.kind, who)
            counts = await self._storage.get_sliding_window(key, limit.period_s)
            raise OverLimit(limit, limit.wait_s(*counts))

    async def close(self) -> None:
        """Ends its connections."""
        await self._pool.aclose()


def pool_of(url: str, key: str) -> BlockingConnectionPool:
    """Connections, none of which is open yet.

    Raises ConfigError, which does not show the URL: it may hold a password.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            # What speaks Redis' protocol is the same to its client.
            re.sub("^valkey(s?)://", r"redis\1://", url),
            max_connections=_CONNECTIONS,
            timeout=None,
            retry=Retry(NoBackoff(), 0),
        )
        # It is not connected, but its options are looked at.
        pool.connection_class(**pool.connection_kwargs)
        if not _DATABASE.fullmatch(urlsplit(url).path) and not url.startswith("unix:"):
            raise ValueError("no number of a database")
    except (ValueError, TypeError, RedisError):
        how = "write it like redis://:PASSWORD@HOST:6379/0, or with rediss:// or valkey://"
        raise ConfigError(f"this is no URL of Redis or Valkey; {how} - at `{key}`") from None
    return pool
