"""Copies between storages, of one kind and of two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.core.tools.transfers import STORAGES, assert_same, copy, leftovers, silent
from tfaas_core.errors import Busy, DamagedFile, DoesNotFit, StorageFull, UnknownModel
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import MODEL, DefaultChoice, Storage
from tfaas_core.system.output.progress import Advance
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.storage_processes import Shape, fill, upload
from tfaas_core.tools.transfer import Transfer, Transferred
from tfaas_core.uploads.quota import Quota


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str, str], Storage]]:
    """Opens the storage of a kind, in a folder of this name."""
    with ExitStack() as stack:

        def open_one(kind: str, folder: str) -> Storage:
            storage = STORAGES[kind](tmp_path / folder)
            storage.open()
            stack.callback(storage.close)
            return storage

        yield open_one


@pytest.fixture(params=STORAGES)
def source(request: pytest.FixtureRequest, opened: Callable[[str, str], Storage]) -> Storage:
    return opened(request.param, "source")


@pytest.fixture(params=STORAGES)
def target(request: pytest.FixtureRequest, opened: Callable[[str, str], Storage]) -> Storage:
    return opened(request.param, "target")


def store(storage: Storage, version: ModelVersion, seed: bytes, live: bool = True) -> ModelVersion:
    """A version with all that ``version`` says, the files excepted, which ``seed`` makes."""
    staging = storage.stage()
    filled = fill(staging, version.name, seed, Shape.FILE)
    record = msgspec.structs.replace(version, params=filled.params, checksum=filled.checksum)
    with storage.claim(version.name) as claim:
        return storage.commit(claim, staging, record, live)


def test_versions_keep_numbers_records_and_files(source: Storage, target: Storage) -> None:
    for number, shape in enumerate((Shape.FILE, Shape.FOLDER, Shape.FILE, Shape.FOLDER)):
        upload(source, "vk", f"{number}".encode(), shape)
    with source.claim("vk") as claim:
        source.delete_version(claim, 2)
    upload(source, "other")
    assert copy(source, target) == Transferred("vk", copied=3, there=0)
    assert [model.name for model in target.list()] == ["vk"]
    assert Transfer(source, target, silent).names() == ["other", "vk"]
    assert copy(source, target, "other") == Transferred("other", copied=1, there=0)
    assert_same(source, target)


def test_what_is_there_is_skipped_and_what_is_new_is_added(
    source: Storage, target: Storage
) -> None:
    upload(source, "vk", b"one")
    copy(source, target)
    before = target.revision()
    assert copy(source, target) == Transferred("vk", copied=0, there=1)
    assert target.revision() == before
    upload(source, "vk", b"two")
    assert copy(source, target) == Transferred("vk", copied=1, there=1)
    assert_same(source, target)


@pytest.mark.parametrize(
    "pointers",
    [
        Pointers((1, 2, 3, 4), {}),
        Pointers((1, 4, 2), {"canary": 3, "stable": 1}),
        Pointers((4, 1), {"canary": 4}),
        Pointers((3,), {}),
    ],
)
def test_history_and_labels_are_the_sources(
    source: Storage, target: Storage, pointers: Pointers
) -> None:
    for seed in (b"1", b"2", b"3", b"4"):
        upload(source, "vk", seed)
    with source.claim("vk") as claim:
        source.point(claim, pointers)
    copy(source, target)
    assert_same(source, target)
    with source.claim("vk") as claim:
        source.point(claim, Pointers((2,), {"canary": 4}))
    assert copy(source, target) == Transferred("vk", copied=0, there=4)
    assert_same(source, target)
    assert upload(target, "vk").version == 5


def test_a_version_that_is_not_live_goes_live_nowhere_on_the_way(
    source: Storage, tmp_path: Path
) -> None:
    class Watched(FakeStorage):
        def commit(self, *given: object, **named: object) -> ModelVersion:
            stored = super().commit(*given, **named)  # type: ignore[arg-type]
            model = self.model(stored.name)
            assert model is not None
            lives.append(model.pointers.live)
            return stored

    lives: list[int] = []
    target = Watched(tmp_path / "watched")
    target.open()
    upload(source, "vk", b"1")
    copy(source, target)
    for seed in (b"2", b"3", b"4"):
        upload(source, "vk", seed)
    with source.claim("vk") as claim:
        source.point(claim, Pointers((1, 3)))
    copy(source, target)
    assert lives == [1, 1, 3, 3]
    assert_same(source, target)


def test_another_version_of_a_number_is_an_error_that_names_both(
    source: Storage, target: Storage
) -> None:
    first = upload(source, "vk", b"1")
    later = msgspec.structs.replace(
        first, version=0, created="2030-01-01 00:00:00.000000 +0000 UTC"
    )
    store(target, later, b"1")
    before = target.revision()
    upload(source, "vk", b"2")
    with pytest.raises(DoesNotFit, match=r"another vk/1: of 2030-.* there, of 2021-.* here"):
        copy(source, target)
    assert target.revision() == before


def test_other_files_of_a_number_are_another_version(source: Storage, target: Storage) -> None:
    upload(source, "vk", b"here")
    upload(target, "vk", b"there")
    with pytest.raises(DoesNotFit, match="another vk/1"):
        copy(source, target)


def test_a_higher_version_keeps_a_lower_one_from_being_added(
    source: Storage, target: Storage
) -> None:
    for seed in (b"1", b"2", b"3"):
        upload(source, "vk", seed)
    copy(source, target)
    with target.claim("vk") as claim:
        target.delete_version(claim, 2)
    before = target.revision()
    with pytest.raises(DoesNotFit, match=r"vk/2 .* is lower than vk/3 .* cannot be added"):
        copy(source, target)
    assert target.revision() == before


def test_a_target_that_has_gone_on_is_left_as_it_is(source: Storage, target: Storage) -> None:
    upload(source, "vk", b"1")
    copy(source, target)
    stored = upload(target, "vk", b"2")
    with pytest.raises(DoesNotFit, match=r"vk/1 .* is lower than vk/2 .* has gone on"):
        copy(source, target)
    model = target.model("vk")
    assert model is not None
    assert model.live == stored


@pytest.mark.parametrize("name", ["vk", "", "../x", "x" * 10_000])
def test_an_unknown_model_is_an_error_and_nothing_is_stored(
    source: Storage, target: Storage, name: str
) -> None:
    with pytest.raises(UnknownModel, match="there is no model"):
        copy(source, target, name)
    assert target.list() == []


@pytest.mark.parametrize("kind", ["filesystem", "fake"])
def test_a_damaged_version_is_not_stored_and_those_before_it_are(
    kind: str, opened: Callable[[str, str], Storage], target: Storage, tmp_path: Path
) -> None:
    source = opened(kind, "source")
    upload(source, "vk", b"1")
    damaged = upload(source, "vk", b"2", Shape.FOLDER)
    upload(source, "vk", b"3")
    graph = source.artifact(damaged) / "graph"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1] + b"x")
    with pytest.raises(DamagedFile, match=r"vk/2 are not what was stored"):
        copy(source, target)
    model = target.model("vk")
    assert model is not None
    assert [version.version for version in model.versions] == [1]
    assert leftovers(tmp_path / "target") == []
    graph.write_bytes(whole)
    assert copy(source, target) == Transferred("vk", copied=2, there=1)
    assert_same(source, target)


def test_a_damaged_cache_is_not_what_is_copied(
    opened: Callable[[str, str], Storage], target: Storage
) -> None:
    source = opened("sqlite", "source")
    stored = upload(source, "vk", b"1")
    source.artifact(stored).write_bytes(b"rubbish")
    assert copy(source, target) == Transferred("vk", copied=1, there=0)
    assert_same(source, target)


def test_a_model_that_somebody_is_changing_is_busy(source: Storage, target: Storage) -> None:
    upload(source, "vk")
    with target.claim("vk"), pytest.raises(Busy, match="vk"):
        copy(source, target)
    with source.claim("vk"):
        copy(source, target)
    assert_same(source, target)


def test_the_chosen_default_is_taken_over_where_there_is_none(
    source: Storage, target: Storage
) -> None:
    transfer = Transfer(source, target, silent)
    assert transfer.copy_default() is None
    upload(source, "vk")
    choice = DefaultChoice("vk", "2026-01-01")
    source.choose_default(choice)
    assert transfer.copy_default() is None
    transfer.copy("vk")
    assert transfer.copy_default() == target.default() == choice
    source.choose_default(DefaultChoice("vk", "2027-01-01"))
    assert transfer.copy_default() is None
    assert target.default() == choice


def test_progress_is_told_of_each_byte_once(source: Storage, target: Storage) -> None:
    told: list[tuple[str, int]] = []

    @contextmanager
    def progress(name: str, size_bytes: int) -> Iterator[Advance]:
        told.append((name, size_bytes))
        yield lambda count: told.append(("", count))

    staging = source.stage()
    version = fill(staging, "vk", b"1", Shape.FOLDER)
    with source.claim("vk") as claim:
        source.commit(claim, staging, msgspec.structs.replace(version, size_bytes=40_000))
    for _ in range(2):
        Transfer(source, target, progress).copy("vk")
    assert told == [("vk", 40_000), ("", 20_000), ("", 20_000)]


def test_a_staging_folder_is_gone_after_an_interrupt(
    source: Storage, target: Storage, tmp_path: Path
) -> None:
    upload(source, "vk")

    @contextmanager
    def interrupted(_name: str, _size_bytes: int) -> Iterator[Advance]:
        def interrupt(_count: int) -> None:
            raise KeyboardInterrupt

        yield interrupt

    with pytest.raises(KeyboardInterrupt):
        Transfer(source, target, interrupted).copy("vk")
    assert (target.list(), leftovers(tmp_path / "target")) == ([], [])
    copy(source, target)
    assert (target.artifact(next(iter(target.list())).live)).name == MODEL


def test_a_copy_is_bound_by_the_quota_of_the_target(source: Storage, target: Storage) -> None:
    for _ in range(2):
        upload(source, "vk")
    upload(source, "other")
    size_bytes = source.list()[1].live.size_bytes
    transfer = Transfer(source, target, silent, Quota(target, size_bytes + 1, max_models=1))
    with pytest.raises(StorageFull, match=r"storage\.quota_bytes"):
        transfer.copy("vk")
    (model,) = target.list()
    assert [version.version for version in model.versions] == [1]
    roomy = Transfer(source, target, silent, Quota(target, 1 << 40, max_models=1))
    assert roomy.copy("vk") == Transferred("vk", 1, 1)
    with pytest.raises(StorageFull, match=r"models\.max_models"):
        roomy.copy("other")
    assert [model.name for model in target.list()] == ["vk"]
