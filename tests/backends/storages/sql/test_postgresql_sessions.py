"""Sessions of SQL storages on PostgreSQL: their settings, and those on a standby."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.backends.storages.sql.databases import opened, postgresql_url
from tests.backends.storages.sql.standby import standby_of
from tfaas_core.errors import StorageUnavailable
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing.postgresql import PostgresqlServer
from tfaas_core.testing.storage_processes import fault_of, newest, upload

pytestmark = pytest.mark.usefixtures("postgresql")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return postgresql_url(tmp_path)


def test_no_session_waits_or_is_waited_for_without_end(storage: Storage, url: str) -> None:
    names = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]
    names += ["tcp_keepalives_idle", "tcp_user_timeout"]
    values = ", ".join(f"current_setting('{name}')" for name in names)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE seen (a text, b text, c text, d text, e text)")
        connection.execute(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$BEGIN INSERT INTO seen VALUES ({values}); RETURN NULL; END$$".encode()
        )
        connection.execute("CREATE TRIGGER see AFTER UPDATE ON state EXECUTE FUNCTION see()")
        storage.choose_default(DefaultChoice("vk", "2026-01-01"))
        seen = connection.execute("SELECT DISTINCT * FROM seen").fetchall()
    assert [values[:4] for values in seen] == [("10s", "1min", "30s", "10")]
    assert seen[0][4] not in ("0", "")


def test_a_standby_is_asked_for_changes_since_it_tells_of_none(
    postgresql: PostgresqlServer, url: str, storage: Storage, tmp_path: Path
) -> None:
    with standby_of(postgresql) as standby:
        reading = opened(url.replace(postgresql.address, standby.address), tmp_path / "reading")
        seen = reading.revision()
        assert reading.wait_for_change(seen, 0.0) == seen
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(reading.wait_for_change, seen, 60.0)
            stored = upload(storage, "vk")
            assert waiting.result(60.0) != seen
        assert newest(reading, "vk") == stored
        assert fault_of(reading, stored) is None
        with pytest.raises(StorageUnavailable, match="read-only"):
            reading.stage()
        reading.close()
