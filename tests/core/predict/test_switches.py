"""The catalog tells where requests go from now on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tests.core.predict.catalogs import Case
from tfaas_core.errors import StorageUnavailable
from tfaas_core.events import ModelSwitched
from tfaas_core.testing.loops import in_event_loop


def switched(label: str, before: int | None, version: int | None) -> ModelSwitched:
    return ModelSwitched(model="vk", label=label, before=before, version=version)


async def told(case: Case) -> list[object]:
    """What another look tells."""
    case.told.clear()
    await case.catalog.refresh("vk")
    return list(case.told)


@in_event_loop
async def test_each_change_of_where_requests_go_is_told_once(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    await case.catalog.load()
    case.upload("vk")
    assert await told(case) == [switched("", None, 1)]
    assert await told(case) == []
    case.upload("vk")
    assert await told(case) == [switched("", 1, 2)]
    case.point("vk", 1, 2, stable=1)
    assert await told(case) == [switched("stable", None, 1)]
    case.point("vk", 1, stable=2)
    assert await told(case) == [switched("", 2, 1), switched("stable", 1, 2)]
    case.delete("vk")
    assert await told(case) == [switched("", 1, None), switched("stable", 2, None)]


@in_event_loop
async def test_changes_by_other_servers_are_told_as_well(make_case: Callable[..., Case]) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.point("vk", 1, stable=1)
    await case.catalog.load()
    case.delete("vk")
    await case.catalog.load()
    assert case.told == [
        switched("stable", None, 1),
        switched("", 1, None),
        switched("stable", 1, None),
    ]


@in_event_loop
async def test_a_number_that_is_another_version_is_told(make_case: Callable[..., Case]) -> None:
    case = make_case()
    version = case.upload("vk")
    await case.catalog.load()
    case.storage.replace(msgspec.structs.replace(version, created="later"))
    assert await told(case) == [switched("", 1, 1)]


@in_event_loop
async def test_what_was_there_at_first_is_not_told(make_case: Callable[..., Case]) -> None:
    case = make_case()
    case.upload("vk")
    case.storage.is_away = True
    with pytest.raises(StorageUnavailable):
        await case.catalog.load()
    case.storage.is_away = False
    await case.catalog.load()
    assert case.told == []


@in_event_loop
async def test_a_version_is_told_of_when_it_serves_and_not_before(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.upload("vk")
    looking = asyncio.create_task(case.catalog.refresh("vk"))
    while not case.readied:
        await asyncio.sleep(0)
    assert case.told == []
    case.may_be_ready.set()
    await looking
    assert case.told == [switched("", 1, 2)]
