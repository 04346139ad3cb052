"""Models that were unloaded by a protocol, and what has them served again."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = ("server.workers=2", "plugins.oip.model_control=true")
    with fake_server(tmp_path_factory.mktemp("unloaded"), *settings) as running:
        yield running


def goes_on(server: RunningServer, status: int, state: str) -> None:
    """Whether the model ``fleeting`` is served, on both workers."""
    row = {"instances": [[1, 2, 3]]}
    for _ in range(4):
        with httpx.Client(base_url=server.url, timeout=60) as client:
            assert client.post("/v1/models/fleeting:predict", json=row).status_code == status
            assert client.get("/v2/models/fleeting/ready").status_code == status
            entries = client.post("/v2/repository/index").json()
            states = {entry["state"] for entry in entries if entry["name"] == "fleeting"}
            assert states == {state}


def test_a_model_that_is_uploaded_or_rolled_back_is_not_unloaded_any_more(
    server: RunningServer,
) -> None:
    def upload() -> None:
        assert server.upload("fleeting", b"sum").status_code == 200

    def roll_back(version: int) -> None:
        path = "/models/fleeting/rollback"
        assert server.http.post(path, json={"version": version}).status_code == 200

    def delete() -> None:
        assert server.http.delete("/delete/fleeting").status_code == 200
        upload()

    def there_and_back() -> None:
        roll_back(1)
        roll_back(3)

    upload()
    for change in (delete, upload, lambda: roll_back(1), upload, there_and_back):
        assert server.http.post("/v2/repository/models/fleeting/unload").status_code == 200
        goes_on(server, 503, "UNAVAILABLE")
        change()
        # What happens to models, workers are told by the parent, a moment later.
        until(lambda: server.http.get("/v2/models/fleeting/ready").status_code == 200)
        goes_on(server, 200, "READY")
    assert server.http.post("/v2/repository/models/fleeting/unload").status_code == 200
    assert server.http.put("/models/fleeting/labels/a", json={"version": 1}).status_code == 200
    goes_on(server, 503, "UNAVAILABLE")
    assert server.http.delete("/delete/fleeting").status_code == 200
