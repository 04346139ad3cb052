"""Protocol buffers and MessagePack, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Predictions, Row

from tests.data import MODELS
from tests.server.test_real_models import FILES, references
from tfaas_core.tensors import Array
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.tries import tries

PROTOBUF = "application/x-protobuf"
FRAME = "application/x-protobuf; messageType=tfaaspb.DataFrame"
MSGPACK = "application/msgpack"

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode

settings.register_profile(
    "messages",
    max_examples=tries(100),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
fuzz = settings.get_profile("messages")


def post(server: RunningServer, path: str, body: bytes, content_type: str) -> httpx.Response:
    return server.http.post(path, content=body, headers={"Content-Type": content_type})


def packed(array: Array) -> dict[str, Any]:
    return {"dtype": array.dtype.str, "shape": array.shape, "data": array.tobytes()}


def unpacked(fields: dict[str, Any]) -> Array:
    array: Array = np.frombuffer(fields["data"], fields["dtype"]).reshape(fields["shape"])
    return array


def classes(answer: httpx.Response) -> list[tuple[str, float]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == PROTOBUF
    found = Predictions.FromString(answer.content).prediction
    return [(each.label, each.probability) for each in found]


@pytest.fixture
def labelled(server: RunningServer, scale_graph: Callable[[float], bytes]) -> Iterator[str]:
    """The name of a stored model with labels, which doubles rows of 3."""
    answer = server.upload("labelled", scale_graph(2.0), labels=b"a\nb\nc\n")
    assert answer.status_code == 200, answer.text
    yield "labelled"
    server.http.delete("/delete/labelled")


@pytest.mark.parametrize("path", ["/proto", "/predict/proto"])
@pytest.mark.parametrize("content_type", [PROTOBUF, "text/plain", "application/octet-stream"])
def test_a_row_is_answered_by_predictions(
    server: RunningServer, labelled: str, path: str, content_type: str
) -> None:
    row = Row(value=[1, 2, 3], model=labelled).SerializeToString()
    answer = classes(post(server, path, row, content_type))
    assert answer == [("a", 2), ("b", 4), ("c", 6)]


def test_a_data_frame_is_answered_by_the_predictions_of_its_rows(
    server: RunningServer, doubler: str
) -> None:
    rows = [Row(value=[1, 2, 3], model=doubler), Row(value=[4, 5, 6])]
    body = DataFrame(row=rows).SerializeToString()
    answer = classes(post(server, "/proto", body, FRAME))
    assert answer == [("", 2 * number) for number in range(1, 7)]


def test_errors_are_json_for_every_client(server: RunningServer, doubler: str) -> None:
    row = Row(value=[1, 2], model=doubler).SerializeToString()
    answers = [
        post(server, "/proto", row, PROTOBUF),
        post(server, "/msgpack", encode({"values": [1, 2], "model": doubler}), MSGPACK),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
    answer = post(server, "/msgpack", b"\x80", "application/json")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/msgpack", "/predict/msgpack"])
@pytest.mark.parametrize("content_type", [MSGPACK, "application/x-msgpack"])
def test_lists_are_answered_by_lists_and_packed_arrays_packed(
    server: RunningServer, doubler: str, path: str, content_type: str
) -> None:
    body = encode({"values": [1, 2, 3], "model": doubler})
    answer = post(server, path, body, content_type)
    assert answer.headers["content-type"] == MSGPACK
    assert decode(answer.content) == [2, 4, 6]
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    body = encode({"values": packed(rows), "model": doubler})
    answer = post(server, path, body, content_type)
    np.testing.assert_array_equal(unpacked(decode(answer.content)), 2 * rows, strict=True)


@pytest.mark.skipif(not FILES, reason=f"the models are not at {MODELS.name}/*.pb")
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_real_network_answers_all_formats_alike(server: RunningServer, file: Path) -> None:
    inputs = references(file, "in:")
    (expected,) = references(file, "out:").values()
    assert server.upload(file.stem, file).status_code == 200
    sent = {name: packed(array) for name, array in inputs.items()}
    body = encode({"inputs": sent, "model": file.stem})
    answer = decode(post(server, "/msgpack", body, MSGPACK).content)
    np.testing.assert_allclose(unpacked(answer), expected, rtol=1e-6, atol=1e-6)

    rows = [Row(value=row.flat, model=file.stem) for row in next(iter(inputs.values()))]
    frame = post(server, "/proto", DataFrame(row=rows).SerializeToString(), FRAME)
    if len(inputs) > 1:
        assert frame.status_code == 422
    else:
        numbers = [number for _, number in classes(frame)]
        np.testing.assert_allclose(numbers, expected.ravel(), rtol=1e-6, atol=1e-6)
    server.http.delete(f"/delete/{file.stem}")


@given(body=st.binary(max_size=2000), format_=st.sampled_from(["proto", "msgpack"]))
@settings(fuzz)
def test_arbitrary_bytes_are_never_a_servers_error(
    server: RunningServer, doubler: str, body: bytes, format_: str
) -> None:
    for content_type in (PROTOBUF, FRAME) if format_ == "proto" else (MSGPACK,):
        answer = post(server, f"/{format_}", body, content_type)
        assert answer.status_code in {200, 400, 404, 422}, (body, answer.text)
    log = server.log.read_text()
    assert "Traceback" not in log
