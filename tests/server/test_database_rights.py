"""A server whose account may not change the database: it serves, and says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.storages.sql.databases import account
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.postgresql import PASSWORD, database_for

pytestmark = pytest.mark.usefixtures("postgresql")

TABLES = "ALL TABLES IN SCHEMA public TO reader"


@pytest.mark.parametrize(
    ("grant", "lacks"),
    [
        (f"GRANT SELECT ON {TABLES}", "UPDATE on state"),
        (f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLES}", "USAGE on public.versions_id_seq"),
    ],
)
def test_models_are_served_and_changes_are_a_503_that_names_the_rights(
    tmp_path: Path, grant: str, lacks: str
) -> None:
    url = database_for(tmp_path)

    def settings(url: str, cache: str) -> tuple[str, ...]:
        own = (f"storage.url={url}", f"storage.cache={tmp_path}/{cache}")
        return ("server.workers=1", "storage.kind=sql", *own)

    with fake_server(tmp_path / "first", *settings(url, "owner")) as server:
        assert server.upload("doubler", b"times 2").status_code == 200
    with (
        account(url, "reader", grant) as theirs,
        fake_server(tmp_path / "second", *settings(theirs, "reader")) as server,
    ):
        assert server.predict(values=[1, 2, 3], model="doubler").json() == [12.0]
        for answer in (
            server.upload("tripler", b"times 3"),
            server.http.delete("/delete/doubler"),
            server.http.post("/params", json={"name": "doubler"}),
        ):
            assert answer.status_code == 503, answer.text
            assert ", since its account lacks the rights: " in answer.json()["error"]
            assert lacks in answer.json()["error"]
            assert "no model can be changed in the storage, since" in answer.json()["error"]
            assert "postgresql" not in answer.text
        assert server.names() == ["doubler"]
        log = server.log.read_text()
        assert "its models are served, none can be changed" in log
        assert PASSWORD not in log
