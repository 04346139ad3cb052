"""Changes that others make at once, that are cut short, or whose answers get lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store
from s3_server import S3Server, opened
from tfaas_storage_s3.storage import S3Storage

from tfaas_core import Busy, DamagedFile, Pointers, StorageUnavailable
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload
from tfaas_core.testing.waiting import until


def objects(bucket: S3Store, prefix: str = "") -> list[str]:
    return sorted(each["path"] for each in obstore.list(bucket, prefix or None).collect())


def test_a_deleted_model_leaves_its_empty_record(storage: S3Storage, bucket: S3Store) -> None:
    upload(storage, "vk", shape=Shape.FOLDER)
    with storage.claim("vk") as claim:
        storage.delete(claim)
    assert objects(bucket) == ["clock", "state/models/vk.json"]


def test_what_a_killed_server_left_is_swept(storage: S3Storage, bucket: S3Store) -> None:
    stored = [upload(storage, "vk"), upload(storage, "other")]
    before = objects(bucket, "versions")
    for name in ("vk", "new"):
        obstore.put(bucket, f"versions/{name}/{'0' * 32}/0.0", b"half")
    obstore.put(bucket, "claims/gone.json", b'{"token": "of another", "lease_s": 1}')
    storage.sweep()
    assert objects(bucket, "versions") == before
    until(lambda: not storage.sweep() and objects(bucket, "claims") == [])  # type: ignore[func-returns-value]
    assert [fault_of(storage, version) for version in stored] == [None, None]


def test_a_claim_that_was_left_is_taken_over_and_cleaned_up(
    storage: S3Storage, bucket: S3Store
) -> None:
    obstore.put(bucket, "claims/vk.json", b'{"token": "of another", "lease_s": 1}')
    obstore.put(bucket, f"versions/vk/{'0' * 32}/0.0", b"half")
    with pytest.raises(Busy), storage.claim("vk"):
        pass

    def claimed() -> bool:
        try:
            with storage.claim("vk"):
                return True
        except Busy:
            return False

    until(claimed)
    assert objects(bucket, "versions") == []


CHANGES: dict[str, Callable[[S3Storage, Any], object]] = {
    "point": lambda storage, claim: storage.point(claim, Pointers((1,))),
    "prune": lambda storage, claim: storage.prune(claim, 1),
    "delete_version": lambda storage, claim: storage.delete_version(claim, 1),
    "delete": lambda storage, claim: storage.delete(claim),
}


def test_of_two_who_think_that_they_hold_a_claim_one_is_refused(
    storage: S3Storage, bucket: S3Store, tmp_path: Path
) -> None:
    """A conditional write refuses whoever read the record before the other changed it."""
    kept = upload(storage, "vk")
    with opened(tmp_path) as other, storage.claim("vk") as claim:
        staging = storage.stage()
        record = fill(staging, "vk", b"late", Shape.FOLDER)
        obstore.delete(bucket, "claims/vk.json")
        really, stored = storage._bucket.put, []

        def put(key: str, body: Any) -> None:
            if key.endswith("version.json"):
                stored.append(upload(other, "vk", b"other"))
            really(key, body)

        storage._bucket.put = put  # type: ignore[method-assign]
        with pytest.raises(Busy, match="changed by somebody else meanwhile"):
            storage.commit(claim, staging, record)
        storage.discard(staging)
    assert newest(other, "vk") == stored[0]
    assert [fault_of(other, version) for version in (kept, stored[0])] == [None, None]
    assert len({key.split("/")[2] for key in objects(bucket, "versions")}) == 2


@pytest.mark.parametrize("change", [*CHANGES, "commit"])
def test_a_change_whose_answer_got_lost_was_made(storage: S3Storage, change: str) -> None:
    for seed in (b"one", b"two"):
        upload(storage, "vk", seed)
    with storage.claim("vk") as claim:
        really = storage._bucket.replace

        def replace(key: str, body: bytes, etag: str) -> str | None:
            really(key, body, etag)
            return really(key, body, etag)  # as obstore does, after it got no answer

        storage._bucket.replace = replace  # type: ignore[method-assign]
        if change == "commit":
            staging = storage.stage()
            storage.commit(claim, staging, fill(staging, "vk", b"three", Shape.FILE))
        else:
            CHANGES[change](storage, claim)
    numbers = [version.version for model in storage.list() for version in model.versions]
    expected = {"point": [1, 2], "prune": [2], "delete_version": [2], "commit": [1, 2, 3]}
    assert numbers == expected.get(change, [])


def test_an_upload_that_may_be_stored_keeps_its_files(storage: S3Storage) -> None:
    """The store took the record, and fell silent."""
    staging = storage.stage()
    with storage.claim("vk") as claim:
        really, get = storage._bucket.create, storage._bucket.get
        gone = StorageUnavailable("the store does not answer")

        def fail(*_: object) -> Any:
            raise gone

        def create(key: str, body: bytes) -> str | None:
            really(key, body)
            storage._bucket.get = fail  # type: ignore[method-assign, assignment]
            raise gone

        storage._bucket.create = create  # type: ignore[method-assign]
        with pytest.raises(StorageUnavailable):
            storage.commit(claim, staging, fill(staging, "vk", b"x", Shape.FILE))
        storage._bucket.create, storage._bucket.get = really, get  # type: ignore[method-assign]
    storage.discard(staging)
    (model,) = storage.list()
    assert fault_of(storage, model.live) is None


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_object_is_not_given_out(
    storage: S3Storage, bucket: S3Store, tmp_path: Path, damage: str
) -> None:
    stored = upload(storage, "vk", shape=Shape.FOLDER)
    (first, *_) = (key for key in objects(bucket, "versions") if key.endswith("/0.0"))
    body = bytes(obstore.get(bucket, first).bytes())
    if damage == "gone":
        obstore.delete(bucket, first)
    else:
        obstore.put(bucket, first, b"x" + body[1:] if damage == "changed" else body[:100])
    assert fault_of(storage, stored) is None  # from the cache
    with (
        opened(tmp_path, cache=str(tmp_path / "empty")) as other,
        pytest.raises(DamagedFile, match="vk/1 is damaged in the bucket; upload it again"),
    ):
        other.artifact(stored)


def test_a_broken_record_hides_its_model_and_is_not_written_over(
    storage: S3Storage, bucket: S3Store, caplog: pytest.LogCaptureFixture
) -> None:
    upload(storage, "vk")
    kept = upload(storage, "kept")
    whole = bytes(obstore.get(bucket, "state/models/vk.json").bytes())
    obstore.put(bucket, "state/models/vk.json", b"{")
    for _ in range(3):
        assert [model.name for model in storage.list()] == ["kept"]
    assert [r.getMessage().partition(" in")[0] for r in caplog.records] == [
        "the object state/models/vk.json"
    ]
    with pytest.raises(StorageUnavailable, match="bring back an older version of it"):
        upload(storage, "vk")
    obstore.put(bucket, "state/models/vk.json", whole)
    assert [model.name for model in storage.list()] == ["kept", "vk"]
    assert fault_of(storage, kept) is None


def test_uploads_that_remove_each_others_versions_do_not_fill_the_cache(
    server: S3Server, tmp_path: Path
) -> None:
    # Each has 20 kB.
    with opened(tmp_path, cache_max_bytes=50_000) as storage:
        kept, same = upload(storage, "kept", b"kept"), upload(storage, "same", b"kept")
        assert kept.checksum == same.checksum
        upload(storage, "gone", b"gone")
        for number in range(4):
            last = upload(storage, "replaced", bytes([number]), keep=1)
        for name in ("gone", "same"):
            with storage.claim(name) as claim:
                storage.delete(claim)
        cached = {entry.name for entry in (tmp_path / "cache" / "sha256").iterdir()}
        # What is still stored was used just now, and stays.
        assert cached == {each.checksum.removeprefix("sha256:") for each in (kept, last)}
