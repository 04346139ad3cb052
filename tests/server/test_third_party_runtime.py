"""A runtime of a third party, for files of its own format, beside the built-in ones, over HTTP."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.plugin_site import environment_with, write_plugin
from tests.toy import MODEL, TOY
from tfaas_core.testing.server import RunningServer, running_server

BY_PARAMS = {"runtime": "toy", "owner": "me"}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("toys")
    write_plugin(folder / "site", "tfaas-toy", TOY)
    env = environment_with(folder / "site")
    with running_server(folder, "server.workers=1", env=env) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(toys: RunningServer) -> Iterator[None]:
    yield
    for name in toys.names():
        toys.http.delete(f"/delete/{name}")


def upload(
    server: RunningServer, name: str, model: bytes, called: str, **params: object
) -> httpx.Response:
    files = {"model": (called, model)}
    if params:
        files["params"] = ("params.json", json.dumps(params).encode())
    return server.http.post("/upload", data={"name": name}, files=files)


def upload_bundle(server: RunningServer, bundle: bytes, query: str = "") -> httpx.Response:
    headers = {"Content-Type": "application/gzip"}
    return server.http.post(f"/upload{query}", content=bundle, headers=headers)


def tarred(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"made/{name.replace('_', '.')}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def untarred(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {
            member.name: opened.read()
            for member in archive
            if (opened := archive.extractfile(member)) is not None
        }


def loaded_by(stored: httpx.Response, server: RunningServer) -> dict[str, Any]:
    """The record of a model that was stored as a toy and answers like one."""
    assert stored.status_code == 200, stored.text
    record: dict[str, Any] = stored.json()
    assert record["runtime"] == "toy"
    answer = server.predict(model=record["name"], values=[1, 2, 3])
    assert answer.json() == [2.0, 4.0, 6.0]
    return record


def test_a_file_of_its_name_goes_to_it_and_is_given_back_under_it(toys: RunningServer) -> None:
    record = loaded_by(upload(toys, "bare", MODEL, "double.toy"), toys)
    assert record["model"] == "double.toy"
    bundle = toys.http.get("/models/bare/download").content
    assert untarred(bundle) == {"bare/double.toy": MODEL}
    again = loaded_by(upload_bundle(toys, bundle, "?name=again"), toys)
    assert (again["model"], again["checksum"]) == ("double.toy", record["checksum"])
    (status,) = (m for m in toys.http.get("/status").json()["models"] if m["model"] == "bare/1")
    assert status["pid"] in {process.pid for process in toys.model_processes()}


def test_it_finds_its_model_in_a_tarball(toys: RunningServer) -> None:
    bundle = tarred(double_toy=MODEL, params_json=b'{"owner": "me"}', weights_pb=b"no graph")
    record = loaded_by(upload_bundle(toys, bundle), toys)
    assert (record["name"], record["model"], record["owner"]) == ("made", "double.toy", "me")
    refused = upload_bundle(toys, tarred(one_toy=MODEL, two_toy=MODEL))
    assert refused.status_code == 422
    assert "the bundle holds 2 toy models (.toy); it must" in refused.json()["error"]


def test_what_it_may_load_as_others_may_waits_for_params(toys: RunningServer) -> None:
    refused = upload(toys, "odd", MODEL, "double.json")
    assert refused.status_code == 422
    error = refused.json()
    assert "several runtimes take this file" in error["error"]
    assert '"runtime": "NAME", NAME being graph or toy' in error["error"]
    assert (error["field"], error["expected"]) == ("runtime", ["graph", "toy"])
    assert toys.names() == []


def test_params_decide_and_go_with_the_model(toys: RunningServer) -> None:
    record = loaded_by(upload(toys, "odd", MODEL, "double.json", **BY_PARAMS), toys)
    assert (record["model"], record["owner"]) == ("double.json", "me")
    assert toys.http.get("/params/odd").json() == BY_PARAMS
    bundle = toys.http.get("/models/odd/versions/1/download").content
    files = untarred(bundle)
    assert (list(files), files["odd/model.toy"]) == (["odd/model.toy", "odd/params.json"], MODEL)
    assert json.loads(files["odd/params.json"]) == BY_PARAMS
    loaded_by(upload_bundle(toys, bundle), toys)
    assert toys.http.get("/models/odd").json()["version"] == 2


def test_params_in_a_tarball_decide_too(toys: RunningServer) -> None:
    params = json.dumps(BY_PARAMS).encode()
    loaded_by(upload_bundle(toys, tarred(double_json=MODEL, params_json=params)), toys)
    refused = upload_bundle(toys, tarred(double_json=MODEL))
    assert "no graph (.pb) and no toy model (.toy)" in refused.json()["error"]


@pytest.mark.parametrize(
    ("runtime", "model", "status", "words"),
    [
        (
            "onnx",
            MODEL,
            422,
            "params.runtime is 'onnx'; installed runtimes: graph, saved_model, toy",
        ),
        (5, MODEL, 422, "params.runtime is not a string"),
        ("graph", MODEL, 400, "not a frozen TensorFlow graph"),
        ("saved_model", MODEL, 400, "no saved_model.pb"),
        ("toy", b"{", 400, "the model file is no toy"),
    ],
)
def test_params_that_name_another_are_refused(
    toys: RunningServer, runtime: object, model: bytes, status: int, words: str
) -> None:
    refused = upload(toys, "odd", model, "double.toy", runtime=runtime)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["error"]
    assert toys.names() == []


def test_graphs_go_where_they_went_before(
    toys: RunningServer, scale_graph: Callable[[float], bytes], tmp_path: Path
) -> None:
    graph = scale_graph(3.0)
    for called in ("model.pb", "graph", ""):
        assert upload(toys, "graph", graph, called).json()["runtime"] == "graph"
    refused = upload(toys, "graph", b"rubbish" * 100, "model.pb")
    assert "not a frozen TensorFlow graph" in refused.json()["error"]
    both = upload_bundle(toys, tarred(double_toy=MODEL, graph_pb=graph))
    assert "the bundle holds 1 graph (.pb) and 1 toy model (.toy): say" in both.json()["error"]
    chosen = tarred(double_toy=MODEL, graph_pb=graph, params_json=b'{"Runtime": "graph"}')
    assert upload_bundle(toys, chosen).json()["model"] == "graph.pb"
