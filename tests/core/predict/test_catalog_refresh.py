"""The catalog: which version answers while new ones get ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tests.core.predict.catalogs import Case
from tfaas_core.errors import CannotServe, StorageUnavailable, UnknownModel, UnknownVersion
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


async def turns(count: int = 20) -> None:
    """Lets everything that can go on go on, threads included."""
    for _ in range(count):
        await asyncio.to_thread(lambda: None)


async def begins(case: Case) -> None:
    """Waits until a version is being got ready."""
    await eventually(lambda: bool(case.readied), "it is being got ready")


@in_event_loop
async def test_a_new_version_serves_once_it_is_ready_and_the_old_one_until_then(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.upload("vk")
    await case.catalog.load()
    first = asyncio.create_task(case.catalog.refresh("vk"))
    second = asyncio.create_task(case.catalog.refresh("vk"))
    await begins(case)
    await turns()
    assert case.live("vk") == 1
    assert case.catalog.get("vk", version=2).version == 2, "who asks for it by number gets it"
    assert not first.done()
    assert not second.done(), "whoever looks again waits for the same switch"
    case.may_be_ready.set()
    await asyncio.gather(first, second)
    assert case.live("vk") == 2
    assert case.readied == ["vk/1 vk/2"]


@in_event_loop
async def test_many_who_look_again_at_once_share_a_look(make_case: Callable[..., Case]) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.upload("vk")
    await asyncio.gather(*[case.catalog.refresh("vk") for _ in range(50)])
    assert case.live("vk") == 2
    assert case.storage.looks == 1


@in_event_loop
@pytest.mark.parametrize("fault", [CannotServe("no room"), ValueError("a bug"), SystemExit(3)])
async def test_a_version_that_does_not_get_ready_goes_live_all_the_same(
    make_case: Callable[..., Case], fault: BaseException
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.fault = fault
    case.upload("vk")
    await case.catalog.refresh("vk")
    assert case.live("vk") == 2


@in_event_loop
async def test_a_model_deleted_while_its_new_version_gets_ready_is_gone_at_once(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.upload("vk")
    switch = asyncio.create_task(case.catalog.refresh("vk"))
    await begins(case)
    case.delete("vk")
    await case.catalog.refresh("vk")
    with pytest.raises(UnknownModel):
        case.catalog.get("vk")
    case.may_be_ready.set()
    await switch
    with pytest.raises(UnknownModel):
        case.catalog.get("vk")


@in_event_loop
async def test_the_last_of_several_quick_changes_wins(make_case: Callable[..., Case]) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    switches = []
    for _ in range(3):
        case.upload("vk")
        switches.append(asyncio.create_task(case.catalog.refresh("vk")))
        await turns()
    case.may_be_ready.set()
    await asyncio.gather(*switches)
    assert case.live("vk") == 4


@in_event_loop
async def test_uploads_that_come_faster_than_they_get_ready_do_not_keep_the_first_one_live(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    second = case.upload("vk")
    await case.catalog.load()
    await begins(case)
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.set()
    case.may_be_ready.clear()
    await eventually(lambda: case.live("vk") == 2, "the second serves")
    case.may_be_ready.set()
    await case.catalog.refresh("vk")
    assert case.live("vk") == 3
    assert second.key in case.gone


@in_event_loop
async def test_a_version_that_was_rolled_back_before_it_was_ready_never_goes_live(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    bad = case.upload("vk")
    await case.catalog.load()
    await begins(case)
    case.point("vk", 1)
    await case.catalog.load()
    case.may_be_ready.set()
    await eventually(lambda: bool(case.gone), "it was loaded for nothing")
    await turns()
    assert case.live("vk") == 1
    assert case.gone == [bad.key]


@in_event_loop
async def test_while_a_version_gets_ready_what_is_deleted_is_gone(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    for _ in range(3):
        case.upload("vk")
    case.point("vk", 3, canary=2)
    case.upload("other")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.point("vk", 3, canary=1)
    with case.storage.claim("vk") as claim:
        case.storage.delete_version(claim, 2)
    case.delete("other")
    await case.catalog.load()
    with pytest.raises(UnknownVersion):
        case.catalog.get("vk", version=2)
    assert case.catalog.get("vk", label="canary").version == 1
    with pytest.raises(UnknownModel):
        case.catalog.get("other")
    await case.catalog.close()


@in_event_loop
async def test_a_deleted_model_does_not_answer_until_its_successor_is_ready(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.delete("vk")
    again = case.upload("vk")
    again = msgspec.structs.replace(again, created="another time")
    case.storage.replace(again)
    await case.catalog.load()
    assert case.catalog.get("vk") == again


@in_event_loop
async def test_a_live_version_that_an_upload_pushed_out_answers_until_the_next_is_ready(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.clear()
    case.upload("vk", keep=1)
    await case.catalog.load()
    assert case.live("vk") == 1
    case.may_be_ready.set()
    await case.catalog.refresh("vk")
    assert case.live("vk") == 2
    with pytest.raises(UnknownVersion):
        case.catalog.get("vk", version=1)


@in_event_loop
async def test_a_version_that_lacks_its_storage_to_get_ready_waits_for_it(
    make_case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfaas_core.predict.catalog._RETRY_S", 0.001)
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.fault = StorageUnavailable("the disk is gone")
    case.upload("vk")
    switch = asyncio.create_task(case.catalog.refresh("vk"))
    await eventually(lambda: len(case.readied) > 1, "it is tried again")
    assert case.live("vk") == 1
    case.fault = None
    await switch
    assert case.live("vk") == 2


@in_event_loop
async def test_labels_that_move_are_made_ready_too(make_case: Callable[..., Case]) -> None:
    case = make_case()
    for _ in range(3):
        case.upload("vk")
    case.point("vk", 3, canary=1)
    await case.catalog.load()
    case.point("vk", 3, canary=2, other=1)
    await case.catalog.refresh("vk")
    assert case.readied == ["vk/1 vk/2"]
