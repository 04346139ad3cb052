"""What strangers send is read so that nothing which msgspec raises of it gets away."""

from __future__ import annotations

from tests.core.test_imports import ROOMS, files

ITS_HOME = ROOMS[0] / "texts" / "unreadable.py"


def test_who_reads_by_msgspec_catches_all_that_it_raises() -> None:
    partly = [
        file
        for room in ROOMS
        for file in files(room)
        if file != ITS_HOME and "msgspec.MsgspecError" in file.read_text()
    ]
    assert partly == []
