"""What is stored has a bound, however many workers and servers store at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.test_replicas import SHARED
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.uploads.quota import TURN

MODEL = b"sum"
ROOM_FOR = 5
QUOTA = f"storage.quota_bytes={ROOM_FOR * len(MODEL) + 1}"


@pytest.fixture(params=["filesystem", "sqlite"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[RunningServer]]:
    """Two servers of one storage."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with (
        SHARED[request.param](tmp_path) as shared,
        fake_server(one, *shared.settings_in(one), QUOTA) as first,
        fake_server(other, *shared.settings_in(other), QUOTA) as second,
    ):
        yield [first, second]


def test_just_as_many_are_stored_as_have_room(servers: list[RunningServer]) -> None:
    def upload(number: int) -> int:
        return servers[number % 2].upload(f"model-{number}", MODEL).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(upload, range(4 * ROOM_FOR)))
    assert statuses == {200: ROOM_FOR, 507: 3 * ROOM_FOR}
    stored = servers[0].names()
    assert len(stored) == ROOM_FOR
    answer = servers[1].upload("one-more", MODEL)
    assert answer.status_code == 507
    assert answer.json()["code"] == "storage_full"
    assert "storage.quota_bytes" in answer.json()["error"]
    servers[0].http.delete(f"/delete/{stored[0]}")
    assert servers[1].upload("one-more", MODEL).status_code == 200


def test_models_are_counted_by_their_names(tmp_path: Path) -> None:
    with fake_server(tmp_path, "models.max_models=2") as server:
        assert server.upload("a", MODEL).status_code == 200
        assert server.upload("b", MODEL).status_code == 200
        answer = server.upload("c", MODEL)
        assert answer.status_code == 507
        assert "models.max_models" in answer.json()["error"]
        assert server.upload("a", MODEL).status_code == 200
        server.http.delete("/delete/b")
        assert server.upload("c", MODEL).status_code == 200
        assert server.names() == ["a", "c"]


def test_no_upload_can_take_the_turn_of_all_others(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1", QUOTA) as server:
        answer = server.upload(TURN, MODEL)
        assert answer.status_code == 422
        assert "uploads take turns by that name" in answer.json()["error"]
        assert server.upload("vk", MODEL).status_code == 200
