"""Servers that share a bucket, by the example ``tfaas-storage-s3``."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tfaas_backends.demo import demo_models

from tests.examples.conftest import EXAMPLES, Example, Install, mapped
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

SWITCHING_S = 60.0
ROW = [47.9, 0.3, 3.0, *[0.5] * 39]
PARTICLES = next(model.model for model in demo_models() if model.name == "particles")


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-storage-s3")


def helper() -> Any:
    """The module of the example's tests that starts an S3 server."""
    file = EXAMPLES / "tfaas-storage-s3" / "tests" / "s3_server.py"
    spec = importlib.util.spec_from_file_location("s3_server", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def s3(example: Example) -> Iterator[Any]:
    with helper().s3_server(str(example.python)) as server:
        yield server


def settings(s3: Any, folder: Path, **more: object) -> list[str]:
    storage = {
        "kind": "s3",
        "bucket": helper().BUCKET,
        "endpoint": s3.endpoint,
        "access_key": helper().KEYS[0],
        "secret_key": helper().KEYS[1],
        "cache": folder / "cache",
        "poll_s": 0.2,
        "lease_s": 2,
        "timeout_s": 10,
        **more,
    }
    return ["server.workers=1", *(f"storage.{key}={value}" for key, value in storage.items())]


def started(
    example: Example, s3: Any, folder: Path, stack: ExitStack, **more: object
) -> RunningServer:
    folder.mkdir()
    served = example.served(folder, *settings(s3, folder, **more))
    return stack.enter_context(served)


@pytest.fixture(scope="module")
def servers(
    example: Example, s3: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, RunningServer]]:
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        yield (
            started(example, s3, folder / "one", stack),
            started(example, s3, folder / "two", stack),
        )


def answered_by(server: RunningServer, model: str = "vk") -> str:
    answer = server.predict(model=model, values=ROW)
    return str(answer.headers.get("tfaas-model", answer.status_code))


def objects(s3: Any, prefix: str) -> list[str]:
    """The keys in the bucket, of which the server tells anybody."""
    query = {"list-type": "2", "prefix": f"tfaas/{prefix}"}
    listing = httpx.get(f"{s3.endpoint}/{helper().BUCKET}", params=query).text
    return re.findall("<Key>tfaas/([^<]+)</Key>", listing)


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_what_is_uploaded_to_one_is_served_by_the_other(
    servers: tuple[RunningServer, RunningServer],
) -> None:
    one, two = servers
    uploaded = one.upload("vk", PARTICLES)
    assert uploaded.status_code == 200, uploaded.text
    until(lambda: answered_by(two) == "vk/1", SWITCHING_S)
    assert two.upload("vk", PARTICLES).status_code == 200
    assert answered_by(two) == "vk/2"
    until(lambda: answered_by(one) == "vk/2", SWITCHING_S)
    bundle = io.BytesIO(two.http.get("/models/vk/download").content)
    with tarfile.open(fileobj=bundle) as archive:
        files = [archive.extractfile(member) for member in archive if member.isfile()]
        assert PARTICLES.read_bytes() in [file.read() for file in files if file is not None]
    assert not any("tensorflow" in mapped(process.pid) for process in one.workers())


def test_roll_backs_and_labels_are_seen_by_the_other(
    servers: tuple[RunningServer, RunningServer],
) -> None:
    one, two = servers
    assert one.http.post("/models/vk/rollback").status_code == 200
    until(lambda: answered_by(two) == "vk/1", SWITCHING_S)
    label = two.http.put("/models/vk/labels/stable", json={"version": 2})
    assert label.status_code == 200, label.text

    def labelled() -> bool:
        answer = one.predict(model="vk", label="stable", values=ROW)
        return str(answer.headers.get("tfaas-model")) == "vk/2"

    until(labelled, SWITCHING_S)


def test_uploads_to_both_at_once_get_different_numbers(
    servers: tuple[RunningServer, RunningServer],
) -> None:
    stored: list[int] = []

    def upload(server: RunningServer) -> None:
        while (answer := server.upload("raced", PARTICLES)).status_code == 409:
            pass
        assert answer.status_code == 200, answer.text
        stored.append(answer.json()["version"])

    threads = [threading.Thread(target=upload, args=[server]) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [1, 2]
    until(lambda: [answered_by(server, "raced") for server in servers] == ["raced/2"] * 2)


def test_what_is_deleted_is_gone_everywhere(
    servers: tuple[RunningServer, RunningServer], s3: Any
) -> None:
    one, two = servers
    assert one.http.delete("/delete/raced").status_code == 200
    until(lambda: answered_by(two, "raced") == "404", SWITCHING_S)
    assert objects(s3, "versions/raced/") == []


def test_without_the_store_models_are_served_and_changes_are_a_503(
    servers: tuple[RunningServer, RunningServer], s3: Any
) -> None:
    one, _ = servers
    live = answered_by(one)
    other = {"vk/1": 2, "vk/2": 1}[live]
    s3.toggle()
    try:
        told = "storage unreadable; serving the models already known: the S3 store"
        until(lambda: told in one.log.read_text(), SWITCHING_S)
        assert answered_by(one) == live
        refused = [
            one.upload("vk", PARTICLES),
            one.http.delete("/delete/vk"),
            one.http.post("/models/vk/rollback", json={"version": other}),
        ]
        for answer in refused:
            assert answer.status_code == 503, answer.text
            assert "the storage cannot be used at the moment" in answer.json()["error"]
        assert f"the S3 store {s3.endpoint} does not answer" in one.log.read_text()
    finally:
        s3.toggle()
    until(lambda: one.http.post("/models/vk/rollback", json={"version": other}).status_code == 200)
    assert answered_by(one) == f"vk/{other}"


def test_a_server_that_is_killed_amid_an_upload_leaves_nothing(
    servers: tuple[RunningServer, RunningServer], example: Example, s3: Any, tmp_path: Path
) -> None:
    one, _ = servers
    with ExitStack() as stack:
        victim = started(example, s3, tmp_path / "victim", stack)
        family = [*victim.parent.children(recursive=True), victim.parent]

        def upload() -> None:
            with pytest.raises(httpx.TransportError):
                victim.upload("killed", PARTICLES)

        uploading = threading.Thread(target=upload)
        uploading.start()
        until(lambda: objects(s3, "claims/killed") != [], SWITCHING_S)
        s3.process.send_signal(signal.SIGSTOP)
        for process in family:
            process.kill()
        psutil.wait_procs(family)
        s3.process.send_signal(signal.SIGCONT)
        uploading.join()
    assert one.upload("killed", PARTICLES).status_code == 409
    assert answered_by(one, "killed") == "404"

    def stored() -> bool:
        answer = one.upload("killed", PARTICLES)
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code == 200

    until(stored, SWITCHING_S)
    assert answered_by(one, "killed") == "killed/1"
    assert len({key.split("/")[2] for key in objects(s3, "versions/killed/")}) == 1
    assert objects(s3, "claims/") == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bucket": "other"}, "there is no bucket 'other' of http.*; make it, or correct storage."),
        (
            {"endpoint": "http://127.0.0.1:1"},
            "the S3 store http://127.0.0.1:1 does not answer; see",
        ),
        ({"buckets": "x"}, "`buckets`"),
    ],
)
def test_a_check_tells_what_is_wrong(
    example: Example, s3: Any, tmp_path: Path, wrong: dict[str, object], told: str
) -> None:
    given = [*settings(s3, tmp_path, **wrong), f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"]
    options = [word for each in given for word in ("--set", each)]
    command = [str(example.python), "-m", "tfaas_core", "check", *options]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 1
    assert re.search(told, checked.stderr), checked.stderr
    assert "Traceback" not in checked.stderr
    assert not (tmp_path / "cache").exists()
