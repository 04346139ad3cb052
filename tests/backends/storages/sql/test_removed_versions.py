"""What is removed from a database leaves the cache, too, and makes room for what is stored."""

from __future__ import annotations

from pathlib import Path

from tests.backends.storages.sql.databases import CACHE, opened, sqlite_url
from tfaas_core.testing.storage_processes import upload


def test_uploads_that_remove_each_others_versions_do_not_fill_the_cache(tmp_path: Path) -> None:
    # Each has 20 kB.
    storage = opened(sqlite_url(tmp_path), tmp_path, cache_max_bytes=50_000)
    kept, same = upload(storage, "kept", b"kept"), upload(storage, "same", b"kept")
    assert kept.checksum == same.checksum
    upload(storage, "gone", b"gone")
    for number in range(10):
        last = upload(storage, "replaced", bytes([number]), keep=1)
    for name in ("gone", "same"):
        with storage.claim(name) as claim:
            storage.delete(claim)
    cached = {entry.name for entry in (tmp_path / CACHE / "sha256").iterdir()}
    # What is still stored was used just now, and stays.
    assert cached == {each.checksum.removeprefix("sha256:") for each in (kept, last)}
    storage.close()
