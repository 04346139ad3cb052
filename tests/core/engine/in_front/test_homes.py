"""Where requests go, of several hosts."""

from __future__ import annotations

import asyncio
from typing import cast

from tfaas_core.engine.in_front.homes import Homes
from tfaas_core.engine.in_front.host_engine import HostEngine
from tfaas_core.models.model import ModelVersion
from tfaas_core.testing.models import model_version


class _Engine:
    """As much of a host's engine as is looked at."""

    def __init__(self, rows: int | None) -> None:
        self._rows = rows
        self.ended = asyncio.Event()

    def rows(self, _key: str) -> int | None:
        return self._rows


def host(rows: int | None) -> HostEngine:
    """One with so many rows in flight; None: the version is not loaded there."""
    return cast(HostEngine, _Engine(rows))


def test_the_least_busy_host_that_is_there_and_has_the_version_gets_a_request() -> None:
    lacking: list[ModelVersion] = []
    homes, version = Homes(300.0, lacking.append), model_version()
    gone, busy, idle, new = host(0), host(5), host(2), host(None)
    gone.ended.set()
    homes.put(version, [gone, busy, idle])
    assert {homes.known(version) for _try in range(20)} == {idle}
    assert lacking == []
    homes.put(version, [gone, busy, new])
    assert {homes.known(version) for _try in range(20)} == {busy}
    assert {each.key for each in lacking} == {version.key}
    homes.put(version, [gone, new])
    assert {homes.known(version) for _try in range(20)} == {new}
    new.ended.set()
    assert homes.known(version) is None
