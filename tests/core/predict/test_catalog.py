"""The catalog: what it serves while models change, and while the storage is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.predict.catalogs import Case
from tfaas_core.errors import StorageUnavailable, UnknownModel, UnknownVersion
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.loops import in_event_loop

OTHER_VERSIONS: list[dict[str, Any]] = [
    {"name": "vk", "version": 7},
    {"name": "vk", "label": "canary"},
]


@in_event_loop
async def test_it_serves_the_live_version_and_others_by_number_and_label(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    stored = [case.upload("vk") for _ in range(3)]
    case.point("vk", 1, 2, canary=3)
    await case.catalog.load()
    assert case.catalog.get("vk") == stored[1]
    assert case.catalog.get("vk", version=1) == stored[0]
    assert case.catalog.get("vk", label="canary") == stored[2]
    assert case.catalog.get(None, version=3) == stored[2]
    for wrong in ({"version": 4}, {"label": "stable"}):
        with pytest.raises(UnknownVersion, match="vk"):
            case.catalog.get("vk", **wrong)


@in_event_loop
async def test_what_is_not_needed_any_longer_is_told_once(make_case: Callable[..., Case]) -> None:
    case = make_case()
    stored = [case.upload("vk") for _ in range(3)]
    case.point("vk", 2, 3, canary=1)
    await case.catalog.load()
    case.upload("vk")
    await case.catalog.refresh("vk")
    assert case.gone == [stored[2].key], "it was live; it is there, but nothing points at it"
    case.gone.clear()
    case.upload("vk", keep=1)
    await case.catalog.refresh("vk")
    assert len(case.gone) == 3, "the live one, and two that were removed"
    case.gone.clear()
    await case.catalog.load()
    assert case.gone == []
    case.delete("vk")
    await case.catalog.load()
    assert stored[0].key in case.gone
    assert len(case.gone) == 2


@in_event_loop
async def test_without_its_storage_it_serves_what_it_knows(make_case: Callable[..., Case]) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.storage.is_away = True
    for look in (case.catalog.load(), case.catalog.refresh("vk")):
        with pytest.raises(StorageUnavailable):
            await look
    assert case.live("vk") == case.live(None) == 1
    # They may have been stored since.
    for unknown in ({"name": "another"}, *OTHER_VERSIONS):
        with pytest.raises(StorageUnavailable, match="the disk is gone"):
            case.catalog.get(**unknown)
    case.storage.is_away = False
    await case.catalog.load()
    with pytest.raises(UnknownModel):
        case.catalog.get("another")
    for unknown in OTHER_VERSIONS:
        with pytest.raises(UnknownVersion):
            case.catalog.get(**unknown)


@in_event_loop
async def test_before_the_first_look_nothing_is_said_not_to_be_there(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    for name in ("vk", None):
        with pytest.raises(StorageUnavailable):
            case.catalog.get(name)
    with pytest.raises(StorageUnavailable):
        case.catalog.list()
    await case.catalog.load()
    for name in ("vk", None):
        with pytest.raises(UnknownModel):
            case.catalog.get(name)


@in_event_loop
async def test_the_default_is_what_was_chosen_after_the_newest_upload(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("a")
    await case.catalog.load()
    case.upload("b")
    case.storage.choose_default(DefaultChoice("a", "2999-01-01"))
    await case.catalog.refresh("b")
    assert case.catalog.get(None).name == "a"
    case.delete("a")
    await case.catalog.load()
    assert case.catalog.get(None).name == "b"
