"""/params: what was uploaded as params.json, and the default model."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tfaas_core.storage import MODEL, DefaultChoice
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.models import model_version
from tfaas_core.testing.server import RunningServer


@pytest.fixture
def pair(server: RunningServer, scale_graph: Callable[[float], bytes]) -> Iterator[None]:
    """The models ``old``, which doubles and has params, and ``new``, which triples."""
    params = b'{"name": "old", "model": "model.pb", "inputNode": "x", "owner": "me"}'
    assert server.upload("old", scale_graph(2.0), params=params).status_code == 200
    assert server.upload("new", scale_graph(3.0)).status_code == 200
    yield
    for name in ("old", "new"):
        server.http.delete(f"/delete/{name}")


def test_params_are_shown_as_they_were_uploaded(server: RunningServer, pair: None) -> None:
    assert server.http.get("/params/old").json() == {
        "name": "old",
        "model": "model.pb",
        "inputNode": "x",
        "owner": "me",
    }
    found = server.http.get("/params/new").json()
    assert (found["name"], found["inputNode"], found["outputNode"]) == ("new", "x", "y")
    assert server.http.get("/params/nobody").status_code == 404


def test_the_default_model_can_be_chosen_until_the_next_upload(
    server: RunningServer, pair: None, scale_graph: Callable[[float], bytes]
) -> None:
    assert server.http.get("/params").json()["name"] == "new"
    for body in ({"name": "old"}, {"model": "old"}, {"name": "old", "model": "model.pb"}):
        assert server.http.post("/params", json=body).json()["name"] == "old"
        assert server.http.get("/params").json()["owner"] == "me"
        assert server.predict(values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    server.upload("new", scale_graph(4.0))
    assert server.predict(values=[1, 2, 3]).json() == [4.0, 8.0, 12.0]


def test_the_default_model_is_shown_under_its_own_name(
    server: RunningServer, scale_graph: Callable[[float], bytes]
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (("g.pb", scale_graph(2.0)), ("params.json", b'{"name": "other"}')):
            info = tarfile.TarInfo(f"own/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    headers = {"Content-Type": "application/gzip"}
    answer = server.http.post("/upload", content=packed.getvalue(), headers=headers)
    assert answer.json()["name"] == "own", answer.text
    assert server.http.get("/params").json()["name"] == "own"
    server.http.delete("/delete/own")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *[(b"", 400), (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"name": 3}', 422)],
        *[(b'{"name": "nobody"}', 404), (b'{"name": "../x"}', 404)],
    ],
)
def test_a_bad_choice_is_refused(
    server: RunningServer, pair: None, body: bytes, status: int
) -> None:
    answer = server.http.post("/params", content=body)
    assert answer.status_code == status, answer.text
    assert server.http.get("/params").json()["name"] == "new"


def test_the_choice_is_read_in_any_case(server: RunningServer, pair: None) -> None:
    assert server.http.post("/params", json={"Name": "old"}).status_code == 200
    assert server.http.get("/params").json()["name"] == "old"


def test_the_choice_survives_a_restart_and_a_configured_default_wins(tmp_path: Path) -> None:
    settings = f"storage.root={tmp_path / 'models'}", "server.workers=1"
    with fake_server(tmp_path / "first", *settings) as server:
        for name in ("a", "b"):
            server.upload(name, b"sum")
        assert server.http.post("/params", json={"name": "a"}).status_code == 200
    with fake_server(tmp_path / "second", *settings) as server:
        assert server.http.get("/params").json()["name"] == "a"
    with fake_server(tmp_path / "third", *settings, "models.default=b") as server:
        assert server.http.get("/params").json()["name"] == "b"
        refused = server.http.post("/params", json={"name": "a"})
        assert refused.status_code == 422
        assert "models.default" in refused.json()["error"]


def test_the_last_upload_is_the_default_though_another_hosts_clock_is_ahead(
    tmp_path: Path,
) -> None:
    storage = FilesystemStorage(tmp_path / "models")
    storage.open()
    ahead = msgspec.structs.replace(
        model_version(name="ahead", version=0), created="2999-01-01 00:00:00.000000 +0000 UTC"
    )
    staging = storage.stage()
    (staging / MODEL).write_bytes(b"sum")
    with storage.claim("ahead") as claim:
        storage.commit(claim, staging, ahead)
    storage.choose_default(DefaultChoice("ahead", "2999-01-01 00:00:09.999999 +0000 UTC"))
    storage.close()
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.http.get("/params").json()["name"] == "ahead"
        assert server.upload("here", b"sum").json()["timestamp"] == (
            "2999-01-01 00:00:10.000000 +0000 UTC"
        )
        assert server.http.get("/params").json()["name"] == "here"
        server.http.post("/params", json={"name": "ahead"})
        assert server.http.get("/params").json()["name"] == "ahead"
        server.upload("here", b"sum")
        assert server.http.get("/params").json()["name"] == "here"
