"""The publisher's choice of the default model, and which one of several hosts counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tfaas_core.errors import UnknownModel
from tfaas_core.models.model import now_text
from tfaas_core.predict.catalog import Catalog
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.storage_processes import upload
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.publisher import Publisher

AHEAD = "2999-01-01 00:00:00.000000 +0000 UTC"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = FakeStorage(tmp_path / "storage")
    storage.open()
    for name in "abc":
        upload(storage, name)
    return storage


class Host:
    """The part of a host that chooses: a publisher, which tells its catalog."""

    def __init__(self, storage: Storage) -> None:
        nothing: Any = None
        self.catalog = Catalog(storage, "", lambda _version: None, nothing)
        self.told: list[str] = []
        limits = BundleLimits(1, 1)
        self.publisher = Publisher(
            storage, nothing, {}, self._announce, self.catalog.next_moment, 1, limits, nothing
        )

    async def _announce(self, name: str) -> None:
        self.told.append(name)
        await self.catalog.refresh(name)

    def default(self) -> str:
        return self.catalog.get(None).name


@in_event_loop
async def test_what_is_chosen_is_the_default_when_that_is_answered(storage: Storage) -> None:
    host = Host(storage)
    await host.catalog.load()
    for name in ("b", "a", "c", "a"):
        before = now_text()
        await host.publisher.choose_default(name)
        assert host.default() == name
        choice = storage.default()
        assert choice is not None
        assert choice.name == name
        assert before <= choice.chosen
    assert host.told == ["b", "a", "c", "a"]


@in_event_loop
async def test_a_host_chooses_and_the_others_follow(storage: Storage) -> None:
    one, other = Host(storage), Host(storage)
    for host in (one, other):
        await host.catalog.load()
    await one.publisher.choose_default("b")
    await other.catalog.load()
    assert (one.default(), other.default()) == ("b", "b")
    await other.publisher.choose_default("c")
    await one.catalog.load()
    assert (one.default(), other.default()) == ("c", "c")


@in_event_loop
async def test_a_choice_outdoes_an_earlier_one_of_a_host_whose_clock_is_ahead(
    storage: Storage,
) -> None:
    storage.choose_default(DefaultChoice("a", AHEAD))
    host = Host(storage)
    await host.catalog.load()
    assert host.default() == "a"
    await host.publisher.choose_default("b")
    assert host.default() == "b"
    choice = storage.default()
    assert choice is not None
    assert choice.chosen > AHEAD


@pytest.mark.parametrize("name", ["nobody", "../a", ""])
@in_event_loop
async def test_only_a_model_that_is_there_can_be_chosen(storage: Storage, name: str) -> None:
    host = Host(storage)
    with pytest.raises(UnknownModel):
        await host.publisher.choose_default(name)
    assert (storage.default(), host.told) == (None, [])


@in_event_loop
async def test_a_choice_whose_model_is_gone_leaves_the_newest(storage: Storage) -> None:
    host = Host(storage)
    await host.catalog.load()
    await host.publisher.choose_default("b")
    with storage.claim("b") as claim:
        storage.delete(claim)
    await host.catalog.load()
    assert host.default() in ("a", "c")
