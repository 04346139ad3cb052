"""The catalog: what it serves while models change, and while the storage is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tfaas_core.errors import CannotServe, StorageUnavailable, UnknownModel, UnknownVersion
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers
from tfaas_core.predict.catalog import Catalog
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.storage_processes import upload


class SometimesAway(FakeStorage):
    """A storage that cannot be read while it ``is_away``."""

    is_away = False

    def default(self) -> DefaultChoice | None:
        self._check()
        return super().default()

    def model(self, name: str) -> Model | None:
        self._check()
        return super().model(name)

    def list(self) -> list[Model]:
        self._check()
        return super().list()

    def replace(self, version: ModelVersion) -> None:
        """Puts a record in the place of the one with its number."""
        model = self._models[version.name]
        versions = [version if v.version == version.version else v for v in model.versions]
        self._models[version.name] = Model.of(versions, model.pointers)

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the disk is gone")


class Case:
    """A catalog over a storage; what it told is in ``gone`` and ``readied``."""

    def __init__(self, folder: Path, default: str = "") -> None:
        self.storage = SometimesAway(folder)
        self.storage.open()
        self.gone: list[str] = []
        self.readied: list[str] = []
        self.may_be_ready = asyncio.Event()
        self.may_be_ready.set()
        self.fault: Exception | None = None
        self.catalog = Catalog(
            self.storage, default, lambda version: self.gone.append(version.key), self._make_ready
        )

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        self.readied.append(f"{old.reference} {new.reference}")
        await self.may_be_ready.wait()
        if self.fault is not None:
            raise self.fault

    def upload(self, name: str, keep: int = 0) -> ModelVersion:
        return upload(self.storage, name, keep=keep)

    def point(self, name: str, *history: int, **labels: int) -> None:
        with self.storage.claim(name) as claim:
            self.storage.point(claim, Pointers(history, labels))

    def delete(self, name: str) -> None:
        with self.storage.claim(name) as claim:
            self.storage.delete(claim)

    def live(self, name: str | None) -> int:
        return self.catalog.get(name).version


async def turns(count: int = 20) -> None:
    """Lets everything that can go on go on, threads included."""
    for _ in range(count):
        await asyncio.to_thread(lambda: None)


@pytest.fixture
def make_case(tmp_path: Path) -> Callable[..., Case]:
    return lambda **given: Case(tmp_path / "storage", **given)


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
async def test_a_version_that_does_not_get_ready_goes_live_all_the_same(
    make_case: Callable[..., Case],
) -> None:
    case = make_case()
    case.upload("vk")
    await case.catalog.load()
    case.fault = CannotServe("no room")
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
    await turns()
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
    await turns()
    case.upload("vk")
    await case.catalog.load()
    case.may_be_ready.set()
    case.may_be_ready.clear()
    await turns()
    assert case.live("vk") == 2
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
    await turns()
    case.point("vk", 1)
    await case.catalog.load()
    case.may_be_ready.set()
    await turns()
    assert case.live("vk") == 1
    assert case.gone == [bad.key], "it was loaded for nothing"


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
    await turns(50)
    assert len(case.readied) > 1
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
    with pytest.raises(StorageUnavailable, match="the disk is gone"):
        case.catalog.get("another")
    case.storage.is_away = False
    await case.catalog.load()
    with pytest.raises(UnknownModel):
        case.catalog.get("another")


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
