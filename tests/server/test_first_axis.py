"""What the first axes of several inputs have to do with each other, as an upload tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tfaas_core.testing.forked import kill_and_wait
from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until

APART = {"inputs": {"a": [[1], [2]], "b": [[1], [2], [3]]}}
DOUBLED = {"double": [[2.0], [4.0]], "triple": [[3.0], [6.0], [9.0]]}
NAME = "apart"


@pytest.fixture(scope="module")
def graph(frozen: Callable[..., bytes]) -> bytes:
    """Two inputs of one number a row, each of which makes an output of its own."""

    def build(tf: Any) -> None:
        a, b = (tf.compat.v1.placeholder(tf.float32, [None, 1], name) for name in "ab")
        tf.multiply(a, 2.0, "double")
        tf.multiply(b, 3.0, "triple")

    return frozen(build)


@pytest.fixture
def upload(server: RunningServer, graph: bytes) -> Iterator[Callable[..., httpx.Response]]:
    def upload(**params: Any) -> httpx.Response:
        return server.upload(NAME, graph, params=json.dumps(params).encode())

    yield upload
    server.http.delete(f"/delete/{NAME}")


def axis(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["batch"]["axis"])


def test_without_an_example_they_are_the_rows(
    server: RunningServer, upload: Callable[..., httpx.Response]
) -> None:
    assert axis(upload()) == "free"
    refused = server.predict(model=NAME, **APART)
    assert refused.status_code == 422
    assert '"batch": {"axis": "none"}' in refused.json()["error"]


def test_an_example_of_different_sizes_shows_that_they_are_apart(
    server: RunningServer, upload: Callable[..., httpx.Response]
) -> None:
    assert axis(upload(example={**APART, "outputs": DOUBLED})) == "none"
    assert server.predict(model=NAME, **APART).json() == DOUBLED


@pytest.mark.parametrize(
    "inputs", [{"a": [1], "b": [2]}, {"a": [[1], [2]], "b": [[1], [2]]}], ids=["row", "batch"]
)
def test_an_example_of_rows_does_not(
    upload: Callable[..., httpx.Response], inputs: dict[str, Any]
) -> None:
    assert axis(upload(example={"inputs": inputs})) == "free"


def test_what_the_params_say_counts_more(upload: Callable[..., httpx.Response]) -> None:
    refused = upload(example=APART, batch={"axis": "free"})
    assert refused.status_code == 422
    assert "params.example" in refused.json()["error"]
    assert axis(upload(batch={"axis": "none"})) == "none"


def test_the_axis_that_an_example_showed_stays_when_the_model_is_loaded_again(
    graph: bytes, tmp_path: Path
) -> None:
    with running_server(tmp_path, "server.workers=1") as server:
        params = json.dumps({"example": APART}).encode()
        assert axis(server.upload(NAME, graph, params=params)) == "none"
        (process,) = server.model_processes()
        kill_and_wait(process)
        until(lambda: server.predict(model=NAME, **APART).status_code == 200)
        assert server.predict(model=NAME, **APART).json() == DOUBLED
