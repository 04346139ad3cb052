"""What is stored has a bound, however many workers and servers store at once."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.server.test_replicas import SHARED
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until
from tfaas_core.uploads.quota import TURN

MODEL = b"sum".ljust(100_000)
ROOM_FOR = 5
QUOTA_BYTES = ROOM_FOR * (len(MODEL) + 2000)
"""What a form has beside the file counts, too, while it arrives."""
QUOTA = f"storage.quota_bytes={QUOTA_BYTES}"


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
    # What the other one stored, a server notices a little later.
    until(lambda: len(servers[0].names()) == ROOM_FOR)
    stored = servers[0].names()
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


def bundle(model: bytes, *more: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number, content in enumerate((model, *more)):
            info = tarfile.TarInfo(f"vk/{number or 'model.pb'}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def bytes_in(folder: Path) -> int:
    """Of all models and uploads, as they were sent."""
    found: dict[int, int] = {}  # what is renamed meanwhile may be met twice
    for place, _, names in os.walk(folder):
        for name in names:
            if name != "version.json" and not name.endswith(".room"):
                with suppress(FileNotFoundError):  # it has just been moved, or removed
                    status = os.stat(os.path.join(place, name))
                    found[status.st_ino] = status.st_size
    return sum(found.values())


@pytest.mark.parametrize("kind", ["form", "bundle", "chunked"])
def test_twenty_uploads_at_once_never_have_more_on_the_disk(tmp_path: Path, kind: str) -> None:
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, bytes_in(tmp_path / "models"))
            time.sleep(0.001)

    def upload(number: int) -> int:
        if kind == "form":
            return server.upload(f"m{number}", MODEL).status_code
        body = bundle(MODEL)
        pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
        content = body if kind == "bundle" else pieces
        return server.http.post(f"/bundle?name=m{number}", content=content).status_code

    with fake_server(tmp_path, QUOTA) as server, ThreadPoolExecutor(20) as threads:
        watching = threading.Thread(target=watch)
        watching.start()
        try:
            statuses = Counter(threads.map(upload, range(20)))
        finally:
            over.set()
            watching.join()
        assert set(statuses) == {200, 507}
        assert 0 < most <= QUOTA_BYTES
        assert statuses[200] <= ROOM_FOR
        assert bytes_in(tmp_path / "models" / ".staging") == 0


@contextmanager
def arriving(server: RunningServer, name: str, size_bytes: int) -> Iterator[socket.socket]:
    """An upload of a bundle whose last byte does not come."""
    url = server.http.base_url
    with socket.create_connection((url.host, url.port), 30) as connection:
        head = f"POST /bundle?name={name} HTTP/1.1\r\nHost: x\r\nContent-Length: {size_bytes}"
        connection.sendall(f"{head}\r\n\r\n".encode() + bytes(1000))
        yield connection


def refusal(server: RunningServer, name: str) -> str:
    """Why an upload is refused; empty if it is not."""
    answer = server.upload(name, MODEL)
    assert answer.status_code in (200, 507), answer.text
    return "" if answer.status_code == 200 else str(answer.json()["error"])


@pytest.mark.parametrize("how", ["cut", "worker killed"])
def test_what_was_reserved_is_given_back(tmp_path: Path, how: str) -> None:
    staging = tmp_path / "models" / ".staging"
    with fake_server(tmp_path, QUOTA) as server:
        with arriving(server, "late", QUOTA_BYTES - 1000):
            until(lambda: list(staging.glob("*.room")) != [])
            assert "uploads that are arriving have" in refusal(server, "vk")
            if how == "worker killed":
                for worker in server.workers():
                    kill_and_wait(worker)
                until(lambda: len(server.workers()) == 2)
                assert refusal(server, "vk") == ""
        until(lambda: refusal(server, "vk") == "")
        until(lambda: list(staging.iterdir()) == [], what="nothing is left of it")


def test_models_that_are_arriving_count_as_well(tmp_path: Path) -> None:
    with fake_server(tmp_path, "models.max_models=1") as server:
        with arriving(server, "late", 100_000):
            until(lambda: list((tmp_path / "models" / ".staging").glob("*.room")) != [])
            assert "1 are being uploaded" in refusal(server, "vk")
        until(lambda: refusal(server, "vk") == "")
        assert "1 models are stored" in refusal(server, "other")
        assert refusal(server, "vk") == ""


def test_a_bundle_that_unpacks_to_too_much_leaves_nothing(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1", QUOTA) as server:
        for packed in (
            bundle(MODEL, bytes(QUOTA_BYTES)),
            gzip.decompress(bundle(MODEL, *[MODEL] * 4)),
        ):
            answer = server.http.post("/bundle", content=packed)
            assert answer.status_code == 507
            assert "storage.quota_bytes" in answer.json()["error"]
        assert bytes_in(tmp_path / "models") == 0
        assert server.names() == []
        assert server.http.post("/bundle", content=bundle(MODEL)).status_code == 200


def test_nothing_is_read_of_a_body_that_is_too_long_for_what_is_left(tmp_path: Path) -> None:
    with (
        fake_server(tmp_path, "server.workers=1", QUOTA) as server,
        arriving(server, "late", QUOTA_BYTES + 1) as connection,
    ):
        assert connection.recv(100).startswith(b"HTTP/1.1 507 ")
