"""Hosts that change one model at once, though a claim should keep them apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from shutil import rmtree
from threading import Barrier

import pytest
from sqlalchemy import text

from tests.backends.storages.sql.databases import connected, count, meanwhile, opened, sqlite_url
from tfaas_core.errors import Busy
from tfaas_core.models.model import ModelVersion
from tfaas_core.storage import MODEL, Claim, Storage
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, upload

MIB = 1024 * 1024


def test_a_number_that_another_host_takes_meanwhile_is_busy(storage: Storage, url: str) -> None:
    stored = upload(storage, "vk")
    taken = "INSERT INTO versions (name, number, record) VALUES ('vk', 2, '{}')"
    with (
        meanwhile("SELECT models.pointers", lambda: insert(url, taken)),
        pytest.raises(Busy, match="somebody else changed the same at the same time"),
    ):
        upload(storage, "vk")
    assert [version.version for version in storage.list()[0].versions] == [stored.version]
    assert fault_of(storage, stored) is None
    assert upload(storage, "vk").version == 3


def insert(url: str, statement: str) -> None:
    with connected(url) as connection:
        connection.execute(text(statement))


def test_hosts_that_change_a_model_at_once_succeed_or_are_busy(tmp_path: Path) -> None:
    hosts = [opened(sqlite_url(tmp_path), tmp_path / side) for side in "ab"]
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        claims = []
        for host in hosts:
            claims.append(stack.enter_context(host.claim("vk")))
            rmtree(tmp_path / "tfaas.db-claims")  # which lets the other claim it, too
        together = Barrier(2)

        def change(host: Storage, claim: Claim) -> list[ModelVersion]:
            stored = []
            for turn in range(40):
                together.wait(60)
                with suppress(Busy):
                    stored.append(commit(host, claim, b"%d" % turn))
            return stored

        stored = [version for done in pool.map(change, hosts, claims) for version in done]
    assert len(stored) >= 40
    numbers = [version.version for version in stored]
    assert sorted(numbers) == list(range(1, len(stored) + 1))
    model = hosts[0].model("vk")
    assert model is not None
    assert model.versions == tuple(sorted(stored, key=lambda version: version.version))
    for host in hosts:
        host.close()


def commit(host: Storage, claim: Claim, seed: bytes) -> ModelVersion:
    staging = host.stage()
    try:
        return host.commit(claim, staging, fill(staging, "vk", seed, Shape.FILE))
    finally:
        host.discard(staging)


def test_an_upload_whose_rows_were_removed_meanwhile_leaves_none(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    storage = opened(url, tmp_path)
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    (staging / MODEL).write_bytes(bytes(10 * MIB))  # of three transactions

    def clean_up_as_another_host() -> None:
        with connected(url) as connection:
            for table in ("chunks", "files", "versions"):
                connection.execute(text(f"DELETE FROM {table}"))

    with (
        meanwhile("BEGIN IMMEDIATE", clean_up_as_another_host, nth=2),
        storage.claim("vk") as claim,
        pytest.raises(Busy, match="somebody else changed"),
    ):
        storage.commit(claim, staging, version)
    storage.discard(staging)
    assert [count(url, table) for table in ("chunks", "files", "versions")] == [0, 0, 0]
    assert upload(storage, "vk").version == 1
    storage.close()


def test_a_host_that_begins_while_another_makes_the_database_uses_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file = sqlite_url(tmp_path), tmp_path / "tfaas.db"
    exists = Path.exists

    def exists_soon(path: Path) -> bool:
        if path != file or exists(path):
            return exists(path)
        monkeypatch.undo()
        opened(url, tmp_path / "other").close()
        return False

    monkeypatch.setattr(Path, "exists", exists_soon)
    storage = opened(url, tmp_path)
    assert upload(storage, "vk").version == 1
    storage.close()
