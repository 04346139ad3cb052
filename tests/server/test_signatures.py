"""Several signatures of one SavedModel: loaded once, and named by requests."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until

ROWS = [[1.0], [2.0]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """``double`` and ``triple``, and none that is the default one."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    from tests.backends.runtimes.saved_model.saved_models import function, save

    def scaling(factor: float) -> Any:
        return function(lambda x: {"y": x * factor}, x=tf.float32)

    both = {"double": scaling(2), "triple": scaling(3)}
    folder = save(tmp_path_factory.mktemp("signatures") / "model", both)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, "several")
    return packed.getvalue()


def upload(server: RunningServer, bundle: bytes, **query: Any) -> httpx.Response:
    headers = {"Content-Type": "application/gzip"}
    return server.http.post("/upload", params=query, content=bundle, headers=headers)


def ask(server: RunningServer, name: str | None) -> httpx.Response:
    named = {} if name is None else {"signature_name": name}
    return server.predict(model="several", values=[1.0, 2.0], **named)


def test_requests_name_one_also_after_the_model_was_loaded_again(
    tmp_path: Path, bundle: bytes
) -> None:
    with running_server(tmp_path, "server.workers=1") as server:
        record = upload(server, bundle).json()
        assert list(record["signatures"]) == ["double", "triple"]
        assert record["signatures"]["triple"]["batch"]["merge"]
        shown = server.http.get("/models/several").json()
        assert (shown["engine"]["mode"], shown["engine"]["executor"]) == ("usual", "DEFAULT")
        assert shown == record | {"engine": shown["engine"]}
        assert ask(server, "double").json() == [[2.0], [4.0]]
        assert ask(server, "triple").json() == [[3.0], [6.0]]
        (process,) = server.model_processes()
        process.kill()
        process.wait()
        until(lambda: ask(server, "triple").status_code == 200)
        assert ask(server, "triple").json() == [[3.0], [6.0]]
        for name, what in ((None, "has several"), ("half", "has no signature 'half'")):
            refused = ask(server, name)
            assert refused.status_code == 422
            assert f"{what}" in refused.json()["error"]
            assert "name one of 'double', 'triple'" in refused.json()["error"]


def test_an_upload_may_say_the_number_of_its_version(server: RunningServer, bundle: bytes) -> None:
    assert upload(server, bundle, name="numbered", version=123).json()["version"] == 123
    assert upload(server, bundle, name="numbered").json()["version"] == 124
    refused = upload(server, bundle, name="numbered", version=7)
    assert refused.status_code == 422
    assert upload(server, bundle, name="numbered", version="first").status_code == 422
    server.http.delete("/delete/numbered")


def test_an_example_is_of_the_signature_that_it_names(server: RunningServer, bundle: bytes) -> None:
    def stored(**example: Any) -> httpx.Response:
        params = json.dumps({"example": {"values": [1.0, 2.0], **example}})
        files = {"model": bundle, "params": params.encode()}
        return server.http.post("/upload", data={"name": "tried"}, files=files)

    good = stored(signature_name="triple", outputs=[[3.0], [6.0]])
    assert good.status_code == 200, good.text
    for wrong, told in (
        ({"signature_name": "double", "outputs": [[3.0], [6.0]]}, "does not reproduce it"),
        ({"signature_name": "half"}, "has no signature 'half'"),
        ({}, "has several signatures"),
    ):
        refused = stored(**wrong)
        assert refused.status_code == 422
        assert refused.json()["field"] == "params.example"
        assert told in refused.json()["error"]
    server.http.delete("/delete/tried")
