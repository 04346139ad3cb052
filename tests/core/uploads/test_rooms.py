"""What uploads reserve on the disk, as other processes see it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tfaas_core.errors import StorageFull, Unavailable
from tfaas_core.testing.children import Child, Report
from tfaas_core.uploads import rooms
from tfaas_core.uploads.rooms import Reserved, Room


@pytest.fixture
def area(tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    return tmp_path


def others_of(room: Room, wanted: Reserved | None = None) -> list[Reserved]:
    found: list[Reserved] = []
    room.reserve(wanted or Reserved(), found.extend)
    return found


def test_others_see_what_is_reserved_until_it_is_given_back(area: Path) -> None:
    one, other = Room(area / "one"), Room(area / "other")
    assert others_of(one, Reserved(7, "vk")) == []
    assert others_of(other, Reserved(3)) == [Reserved(7, "vk")]
    assert others_of(one, Reserved(70_000, "vk")) == [Reserved(3)]
    assert others_of(one, Reserved(1)) == [Reserved(3)]
    assert others_of(other) == [Reserved(1)]
    one.close()
    one.close()
    assert others_of(other) == []
    other.close()
    assert {path.name for path in area.iterdir()} == {"one", "other"}


def test_what_is_refused_changes_nothing(area: Path) -> None:
    def refuse(_others: list[Reserved]) -> None:
        raise StorageFull("no")

    one, other = Room(area / "one"), Room(area / "other")
    for wanted in (8, 9):
        with pytest.raises(StorageFull):
            one.reserve(Reserved(wanted), refuse)
    assert others_of(other) == []
    others_of(one, Reserved(7))
    with pytest.raises(StorageFull):
        one.reserve(Reserved(8), refuse)
    assert one.reserved == Reserved(7)
    assert others_of(other) == [Reserved(7)]


def test_what_a_killed_process_had_reserved_is_free_at_once(area: Path) -> None:
    def work(report: Report) -> None:
        Room(area / "one").reserve(Reserved(7), lambda _others: None)
        report("reserved")
        signal.pause()

    child = Child(work)
    child.report()
    room = Room(area / "other")
    assert others_of(room) == [Reserved(7)]
    child.kill()
    assert others_of(room) == []
    assert not (area / "one.room").exists()


def test_a_file_without_content_reserves_nothing(area: Path) -> None:
    one, other = Room(area / "one"), Room(area / "other")
    others_of(one, Reserved(7))
    (area / "one.room").write_bytes(b"")
    assert others_of(other) == []


def test_nobody_waits_for_ever_for_his_turn(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "TURN_LIMIT_S", 0.05)

    def meanwhile(_others: list[Reserved]) -> None:
        with pytest.raises(Unavailable, match="try again"):
            others_of(Room(area / "other"))

    Room(area / "one").reserve(Reserved(), meanwhile)
