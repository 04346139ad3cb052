from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

import pytest

from tfaas_core.local_disk.artifact_cache import ArtifactCache
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.storage import MODEL


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    cache = ArtifactCache(tmp_path / "cache", max_bytes=2_500)
    cache.open()
    return cache


def add(cache: ArtifactCache, content: bytes, times: int = 1_000) -> str:
    """Adds an artifact; returns its checksum."""
    staging = cache.stage()
    (staging / MODEL).write_bytes(content * times)
    checksum = artifact_checksum(staging / MODEL)
    cache.add(staging, checksum)
    return checksum


def let_age(cache: ArtifactCache, checksum: str, seconds: float) -> None:
    then_s = time.time() - seconds
    os.utime(cache.folder / "sha256" / checksum.removeprefix("sha256:"), (then_s, then_s))


def test_what_is_added_is_found(cache: ArtifactCache) -> None:
    found = cache.find(add(cache, b"a"))
    assert found is not None
    assert found.read_bytes() == b"a" * 1_000
    assert cache.find(f"sha256:{'0' * 64}") is None


def test_what_is_damaged_is_not_found_but_fetched_anew(cache: ArtifactCache) -> None:
    checksum = add(cache, b"a")
    found = cache.find(checksum)
    assert found is not None
    found.write_bytes(b"rubbish")
    fetched = cache.fetch(checksum, lambda folder: _write(folder / MODEL, b"a" * 1_000))
    assert fetched.read_bytes() == b"a" * 1_000


def test_an_entry_that_was_removed_by_half_is_fetched_anew(cache: ArtifactCache) -> None:
    checksum = add(cache, b"a")
    found = cache.find(checksum)
    assert found is not None
    found.unlink()
    assert cache.find(checksum) is None
    fetched = cache.fetch(checksum, lambda folder: _write(folder / MODEL, b"a" * 1_000))
    assert fetched.exists()


def test_what_was_used_least_recently_goes_where_there_is_too_much(cache: ArtifactCache) -> None:
    old, older, new = add(cache, b"a"), add(cache, b"b"), add(cache, b"c")
    assert cache.find(old) is not None, "all of it was used just now"
    let_age(cache, old, 1_000)
    let_age(cache, older, 2_000)
    newest = add(cache, b"d")
    assert [cache.find(each) is not None for each in (old, older, new, newest)] == [
        *(False, False, True, True)
    ]


def test_a_cache_of_many_artifacts_stays_near_its_limit(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path / "cache", max_bytes=2_500_000)
    cache.open()
    for number in range(2_000):
        entry = cache.folder / "sha256" / f"{number:064x}"
        entry.mkdir()
        (entry / MODEL).write_bytes(bytes(1_000))
        let_age(cache, entry.name, 3_600)
    for number in range(20):
        add(cache, bytes([number]), times=100_000)
    stored = cache.folder.rglob(f"sha256/*/{MODEL}")
    assert sum(path.stat().st_size for path in stored) < 2_500_000 * 17 / 16 + 100_000


def test_a_cache_that_was_cleared_is_used_again(cache: ArtifactCache) -> None:
    checksum = add(cache, b"a")
    shutil.rmtree(cache.folder)
    assert cache.find(checksum) is None
    assert cache.find(add(cache, b"a")) is not None


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def test_a_sweep_removes_the_locks_of_killed_processes_and_no_others(
    cache: ArtifactCache,
) -> None:
    locks = cache.folder / ".locks"
    left, held = locks / ("0" * 64), locks / ("1" * 64)
    left.touch()
    held.touch()
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache.sweep()
        assert list(locks.iterdir()) == [held]
    add(cache, b"x")
    assert list(locks.iterdir()) == [held]
