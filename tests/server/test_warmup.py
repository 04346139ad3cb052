"""Uploads that carry examples."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.test_bundles import OCTETS, names_in, tarred
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

pytestmark = pytest.mark.usefixtures("clean")

TRIPLED = {"values": [1, 2, 3], "outputs": [3, 6, 9]}
Graph = Callable[[float], bytes]


def post(server: RunningServer, name: str, graph: bytes, warmup: Any) -> httpx.Response:
    """Uploads a bundle with this ``warmup.json``: bytes as they are, else as JSON."""
    body = warmup if isinstance(warmup, bytes) else json.dumps(warmup).encode()
    files = {f"{name}/graph.pb": graph, f"{name}/warmup.json": body}
    headers = {"Content-Type": OCTETS}
    return server.http.post("/upload", content=tarred(files), headers=headers)


def test_a_version_that_reproduces_its_examples_is_served(
    server: RunningServer, scale_graph: Graph
) -> None:
    stored = post(server, "vk", scale_graph(3.0), {"examples": [TRIPLED, {"values": [[0, 0, 0]]}]})
    assert stored.status_code == 200, stored.text
    assert "warmup" not in stored.json()
    assert server.predict(model="vk", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]
    assert "warmup" not in server.http.get("/models/vk").json()


def test_a_version_that_does_not_is_refused_and_the_old_one_serves_on(
    server: RunningServer, scale_graph: Graph
) -> None:
    assert post(server, "vk", scale_graph(3.0), [TRIPLED]).status_code == 200
    refused = post(server, "vk", scale_graph(3.01), [{"values": [0, 0, 0]}, TRIPLED])
    assert refused.status_code == 422
    assert refused.json() == {
        "error": "warmup.examples[1]: the model does not reproduce it: output 'y' at [0]: "
        "expected 3, got 3.01 (tolerance 0.0001)",
        "status": 422,
        "code": "cannot_serve",
        "field": "warmup.examples[1]",
        "output": "y",
        "index": [0],
        "expected": 3,
        "got": 3.01,
    }
    assert server.http.get("/models/vk").json()["version"] == 1
    assert server.predict(model="vk", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]
    loaded = [model["model"] for model in server.http.get("/status").json()["models"]]
    assert loaded.count("vk/1") == 1
    tolerant = {"tolerance": 0.1, "examples": [TRIPLED]}
    assert post(server, "vk", scale_graph(3.01), tolerant).json()["version"] == 2


def test_params_may_have_examples_too(server: RunningServer, scale_graph: Graph) -> None:
    params = json.dumps({"example": TRIPLED}).encode()
    stored = server.upload("vk", scale_graph(3.0), params=params)
    assert stored.json()["example"] == TRIPLED
    refused = server.upload("vk", scale_graph(2.0), params=params)
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("params.example: the model does not reproduce it")


def test_several_outputs_nan_and_texts_are_compared(
    server: RunningServer, frozen: Callable[..., bytes]
) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        tf.math.log(x, "log")
        tf.strings.as_string(tf.cast(x, tf.int32), name="text")

    graph = frozen(build)
    right = {"log": [0, None], "text": ["1", "-1"]}
    example = {"values": [1, -1], "outputs": right}
    assert post(server, "two", graph, example).status_code == 200
    for wrong, words in (
        ({"log": [0, 0]}, "output 'log' at [1]: expected 0, got null"),
        ({"text": ["1", "1"]}, 'output \'text\' at [1]: expected "1", got "-1"'),
        ({"log": [[0, None]]}, "output 'log': expected shape [1, 2], got shape [2]"),
    ):
        refused = post(server, "two", graph, example | {"outputs": right | wrong})
        assert (refused.status_code, words in refused.text.replace('\\"', '"')) == (422, True)


@pytest.mark.parametrize(
    ("warmup", "status", "words"),
    [
        (b"{", 400, "warmup.json is not JSON"),
        (b"\x00\xff", 400, "warmup.json is not JSON"),
        (b" " * (4 * 1024 * 1024 + 1), 413, "warmup.json has 4194305 bytes, 4194304 are allowed"),
        (None, 422, "warmup is null"),
        ({"examples": [TRIPLED, TRIPLED, {"outputs": 1}]}, 422, "warmup.examples[2].outputs is"),
        ({"examples": [], "tolerance": -1}, 422, "warmup.tolerance is -1"),
        ([TRIPLED] * 101, 413, "warmup.examples has 101 examples"),
        ({"values": [1, 2]}, 422, "warmup: values has 2 numbers, model 'vk' takes 3"),
        ({"values": "x"}, 422, "warmup: values"),
        ({"inputs": {"z": [1, 2, 3]}}, 422, "warmup: "),
    ],
)
def test_rubbish_is_refused_with_its_place(
    server: RunningServer, scale_graph: Graph, warmup: Any, status: int, words: str
) -> None:
    refused = post(server, "vk", scale_graph(3.0), warmup)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["error"]
    assert server.names() == []


def test_rubbish_in_the_params_is_refused_with_its_place(
    server: RunningServer, scale_graph: Graph
) -> None:
    params = json.dumps({"example": [TRIPLED, "see the wiki"]}).encode()
    refused = server.upload("vk", scale_graph(3.0), params=params)
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("params.example[1] is a string, send an example")


def test_a_model_that_crashes_in_an_example_is_refused(
    server: RunningServer, frozen: Callable[..., bytes], scale_graph: Graph
) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        index = tf.cast(x, tf.int32)
        tf.raw_ops.GatherV2(params=tf.zeros([8]), indices=index, axis=0, name="y")

    assert post(server, "vk", scale_graph(3.0), TRIPLED).status_code == 200
    refused = post(server, "vk", frozen(build), {"values": [1, 1e9]})
    assert refused.status_code == 422, refused.text
    assert refused.json()["error"].startswith("warmup: ")
    assert server.predict(model="vk", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]


def test_a_downloaded_bundle_holds_the_examples_and_uploads_again(
    server: RunningServer, scale_graph: Graph
) -> None:
    document = {"tolerance": 0.01, "examples": [TRIPLED]}
    assert post(server, "vk", scale_graph(3.0), document).status_code == 200
    packed = server.http.get("/models/vk/download").content
    assert names_in(packed) == ["vk/graph.pb", "vk/warmup.json"]
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile("vk/warmup.json")
        assert file is not None
        assert json.loads(file.read()) == document
    again = server.http.post("/upload?name=again", content=packed, headers={"Content-Type": OCTETS})
    assert again.status_code == 200, again.text
    once_more = server.http.get("/models/again/download").content
    assert names_in(once_more) == ["again/graph.pb", "again/warmup.json"]


def test_without_the_json_codec_examples_are_refused(tmp_path: Path) -> None:
    disabled = ["tfaas_plugins.codecs.json"]
    with fake_server(tmp_path, "server.workers=1", disabled=disabled) as server:
        refused = post(server, "vk", b"sum", TRIPLED)
        assert refused.status_code == 422, refused.text
        assert "the codec 'json'" in refused.json()["error"]
        assert server.upload("plain", b"sum").status_code == 200
