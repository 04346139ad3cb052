from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tfaas_core.local_disk.staging import StagingArea
from tfaas_core.testing.children import Child, Report, apart


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".staging"


def test_a_staging_folder_is_new_empty_and_private(folder: Path) -> None:
    area = StagingArea(folder)
    one, two = area.stage(), area.stage()
    assert one != two
    assert one.parent == two.parent == folder
    for path in (one, two, folder):
        assert path.stat().st_mode & 0o777 == 0o700
    assert list(one.iterdir()) == []


def test_a_discarded_folder_is_gone_and_may_be_discarded_again(folder: Path) -> None:
    area = StagingArea(folder)
    staging = area.stage()
    (staging / "model").write_bytes(b"x")
    area.discard(staging)
    assert not staging.exists()
    area.discard(staging)


def test_a_sweep_leaves_what_is_held_here_or_elsewhere(folder: Path) -> None:
    here, elsewhere = StagingArea(folder), StagingArea(folder)
    stagings = [here.stage(), elsewhere.stage()]
    here.sweep()
    elsewhere.sweep()
    assert all(staging.is_dir() for staging in stagings)


def test_a_sweep_removes_what_was_given_up_and_nothing_foreign(folder: Path) -> None:
    area = StagingArea(folder)
    (area.stage() / "model").write_bytes(b"x")
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to(folder.parent)
    (folder / "somebodys").mkdir()
    area.close()
    StagingArea(folder).sweep()
    assert {path.name for path in folder.iterdir()} == {"file", "link", "somebodys"}
    assert folder.parent.is_dir()


def test_a_sweep_where_nothing_was_ever_staged_does_nothing(folder: Path) -> None:
    StagingArea(folder).sweep()
    assert not folder.exists()


def test_a_renamed_folder_is_released_as_it_is(folder: Path) -> None:
    area = StagingArea(folder)
    staging = area.stage()
    staging.rename(folder.parent / "stored")
    area.release(staging)
    area.sweep()
    assert (folder.parent / "stored").is_dir()


def test_a_sweep_removes_what_a_killed_process_held(folder: Path) -> None:
    apart(_killed_while_staging, folder)


def _killed_while_staging(folder: Path) -> None:
    def hold(report: Report) -> None:
        report(str(StagingArea(folder).stage()))
        signal.pause()

    area = StagingArea(folder)
    victim = Child(hold)
    staging = Path(victim.report()[0])
    area.sweep()
    assert staging.is_dir()
    victim.kill()
    area.sweep()
    assert not staging.exists()


def test_folders_that_are_staged_amid_sweeps_are_never_swept(folder: Path) -> None:
    apart(_stage_amid_sweeps, folder)


def _stage_amid_sweeps(folder: Path) -> None:
    def sweep_forever(_: Report) -> None:
        area = StagingArea(folder)
        while True:
            area.sweep()

    area = StagingArea(folder)
    sweepers = [Child(sweep_forever) for _ in range(2)]
    try:
        for _ in range(300):
            staging = area.stage()
            (staging / "model").write_bytes(b"x")
            assert (staging / "model").read_bytes() == b"x"
            area.discard(staging)
    finally:
        for sweeper in sweepers:
            sweeper.kill()
