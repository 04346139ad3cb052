"""SQL storages on PostgreSQL: the contract, notifications, and a server that goes and comes."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from tfaas_backends.storages.sql import make_sql_storage
from tfaas_backends.storages.sql.postgresql import MAX_CLAIMS

from tests.backends.storages.sql.databases import (
    count,
    meanwhile,
    opened,
    postgresql_storage,
    postgresql_url,
)
from tests.core.local_disk.disks import small_disk
from tfaas_core.errors import Busy, StorageFull, StorageUnavailable
from tfaas_core.storage import MODEL, DefaultChoice, Storage
from tfaas_core.testing.postgresql import (
    PASSWORD,
    PostgresqlServer,
    database_for,
    running_postgresql,
    url_of,
)
from tfaas_core.testing.storage import StorageContract
from tfaas_core.testing.storage_processes import Shape, fault_of, fill, newest, upload

pytestmark = pytest.mark.usefixtures("postgresql")


class TestPostgresqlStorage(StorageContract):
    make_storage = staticmethod(postgresql_storage)
    syncs_files = False


@pytest.fixture
def url(tmp_path: Path) -> str:
    return postgresql_url(tmp_path)


@pytest.fixture
def own_server() -> Iterator[PostgresqlServer]:
    """A server that a test may stop."""
    with running_postgresql() as server:
        yield server


def end_sessions(url: str) -> None:
    """What an administrator does to all connections of a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_change_is_told_to_other_hosts_at_once(storage: Storage, other_host: Storage) -> None:
    seen = storage.revision()
    storage.wait_for_change(seen, 0.0)  # it listens from now on
    with ThreadPoolExecutor(1) as pool:
        for turn in range(5):
            waiting = pool.submit(storage.wait_for_change, seen, 60.0)
            upload(other_host, "vk", f"{turn}".encode())
            seen = waiting.result(30.0)


def test_waiting_goes_on_after_its_connection_was_lost(
    storage: Storage, other_host: Storage, url: str
) -> None:
    seen = storage.revision()
    storage.wait_for_change(seen, 0.0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(storage.wait_for_change, seen, 60.0)
        end_sessions(url)
        with pytest.raises(StorageUnavailable, match="waiting for changes failed"):
            waiting.result(60.0)
        waiting = pool.submit(storage.wait_for_change, seen, 60.0)
        upload(other_host, "vk")
        assert waiting.result(60.0) != seen


def test_a_lost_connection_is_a_lost_claim(storage: Storage, other_host: Storage, url: str) -> None:
    stored = upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        end_sessions(url)
        with other_host.claim("vk"):
            pass
        with pytest.raises(StorageUnavailable):
            storage.commit(claim, staging, version)
        with pytest.raises(StorageUnavailable, match=r"the database postgresql.* was lost"):
            storage.delete(claim)
    storage.discard(staging)
    assert [model.live for model in storage.list()] == [stored]
    assert upload(storage, "vk").version == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_was_away_needs_no_restart_of_ours(
    own_server: PostgresqlServer, tmp_path: Path, how: signal.Signals
) -> None:
    url = database_for(tmp_path, own_server.address)
    storage = opened(url, tmp_path)
    stored = upload(storage, "vk")
    seen = storage.revision()
    storage.wait_for_change(seen, 0.0)
    own_server.stop(how)
    for call in (
        storage.list,
        storage.revision,
        storage.stage,
        storage.sweep,
        storage.default,
        lambda: storage.model("vk"),
        lambda: storage.claim("vk").__enter__(),
        lambda: storage.wait_for_change(seen, 60.0),
        lambda: storage.choose_default(DefaultChoice("vk", "2026-01-01")),
    ):
        with pytest.raises(StorageUnavailable) as caught:
            call()
        assert "failed: " in caught.value.message
        assert PASSWORD not in caught.value.message
        assert "SELECT" not in caught.value.message
        assert "\n" not in caught.value.message
    assert fault_of(storage, stored) is None
    own_server.start()
    assert [model.live for model in storage.list()] == [stored]
    assert storage.wait_for_change(seen, 0.0) == seen
    assert upload(storage, "vk").version == 2
    storage.close()


def test_a_server_that_comes_after_us_is_used_then(
    own_server: PostgresqlServer, tmp_path: Path
) -> None:
    url = database_for(tmp_path, own_server.address)
    own_server.stop()
    storage = storage_on(url, tmp_path)
    with pytest.raises(StorageUnavailable, match=r"Connection refused - at `\$\.storage\.url`"):
        storage.open()
    with pytest.raises(StorageUnavailable):
        storage.list()
    own_server.start()
    assert storage.list() == []
    assert upload(storage, "vk").version == 1
    storage.close()


def storage_on(url: str, folder: Path) -> Storage:
    return make_sql_storage({"url": url}, folder)


def test_only_so_many_claims_are_held_at_once(storage: Storage) -> None:
    with ExitStack() as stack:
        for number in range(MAX_CLAIMS):
            stack.enter_context(storage.claim(f"model-{number}"))
        with pytest.raises(StorageUnavailable, match="try again"), storage.claim("one-more"):
            pass
    with storage.claim("one-more"):
        pass


def test_a_database_in_another_encoding_takes_any_text(tmp_path: Path) -> None:
    create = f"CREATE DATABASE ascii_{os.getpid()} TEMPLATE template0 ENCODING 'SQL_ASCII'"
    with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
        connection.execute(f"{create} LC_COLLATE 'C' LC_CTYPE 'C'".encode())
    storage = opened(url_of(f"ascii_{os.getpid()}"), tmp_path)
    staging = storage.stage()
    given = fill(staging, "vk", b"x", Shape.FILE)
    given = msgspec.structs.replace(given, labels=("Größe",))
    with storage.claim("vk") as claim:
        storage.commit(claim, staging, given)
    stored = newest(storage, "vk")
    assert stored is not None
    assert stored.labels == ("Größe",)
    storage.close()


def test_a_commit_that_fails_can_be_tried_again_under_the_same_claim(
    storage: Storage, url: str
) -> None:
    stored = upload(storage, "vk")
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    with storage.claim("vk") as claim:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE versions RENAME TO hidden")
        with pytest.raises(StorageUnavailable, match="storing model 'vk' failed"):
            storage.commit(claim, staging, version)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE hidden RENAME TO versions")
        assert storage.commit(claim, staging, version).version == 2
    assert storage.artifact(stored).exists()


def owner(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """The account that the server runs as."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    state = Path(f"/proc/{row[0]}").stat()
    return state.st_uid, state.st_gid


def test_an_upload_whose_claim_was_taken_over_is_refused(storage: Storage, url: str) -> None:
    staging = storage.stage()
    version = fill(staging, "vk", b"x", Shape.FILE)
    (staging / MODEL).write_bytes(bytes(6_000_000))  # of two transactions

    def clean_up_as_another_host() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("chunks", "files", "versions"):
                connection.execute(f"DELETE FROM {table}".encode())

    with (
        meanwhile("INSERT INTO chunks", clean_up_as_another_host, nth=5),
        storage.claim("vk") as claim,
        pytest.raises(Busy, match="somebody else changed"),
    ):
        storage.commit(claim, staging, version)
    assert storage.list() == []
    assert upload(storage, "vk").version == 1


def test_an_upload_that_does_not_fit_on_the_servers_disk_leaves_nothing(
    own_server: PostgresqlServer, tmp_path: Path
) -> None:
    # A server whose disk is full, or gone, makes no database for any other test.
    url = database_for(tmp_path, own_server.address)
    database = url.rpartition("/")[2]
    with (
        tempfile.TemporaryDirectory() as folder,
        small_disk(Path(folder) / "disk", size_mib=40) as disk,
        psycopg.connect(url_of("postgres", own_server.address), autocommit=True) as connection,
    ):
        disk.chmod(0o777)
        disk.parent.chmod(0o755)
        place = disk / "tables"
        place.mkdir()
        os.chown(place, *owner(connection))
        connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
        connection.execute(f"ALTER DATABASE {database} SET TABLESPACE small".encode())
        storage = opened(url, tmp_path)
        stored = upload(storage, "vk")
        before = count(url, "chunks")
        staging = storage.stage()
        version = fill(staging, "vk", b"x", Shape.FILE)
        (staging / MODEL).write_bytes(os.urandom(64 * 1024 * 1024))
        full = pytest.raises(StorageFull, match=r"the disk of the database .* is full")
        with storage.claim("vk") as claim, full:
            storage.commit(claim, staging, version)
        storage.discard(staging)
        assert [model.live for model in storage.list()] == [stored]
        assert (count(url, "versions"), count(url, "chunks")) == (1, before)
        storage.close()
