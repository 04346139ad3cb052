"""POST /predict: the codec by Content-Type, the format of the answer by Accept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Predictions, Row

from tests.core.http.predicting import Doubling, doubling_host
from tests.core.http.served import SANICS, Served, serve_host
from tests.core.plugins.sources import InstallPlugin
from tests.core.test_predict_routes import ECHO

JSON, PROTO, MSGPACK = "application/json", "application/x-protobuf", "application/msgpack"
FRAME = f"{PROTO}; messageType=tfaaspb.DataFrame"
ROWS = {"values": [[1, 2, 3], [4, 5, 6]]}
BODIES = {
    JSON: b'{"values": [1, 2, 3]}',
    PROTO: Row(value=[1, 2, 3]).SerializeToString(),
    MSGPACK: msgspec.msgpack.encode({"values": [1, 2, 3]}),
}


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> Answer:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return cls(int(first.split()[1]), headers, body)

    @property
    def media_type(self) -> str:
        return self.headers["content-type"]

    @property
    def values(self) -> Any:
        """The answer's numbers, whatever its format."""
        match self.media_type:
            case "application/json":
                return json.loads(self.body)
            case "application/x-protobuf":
                return [each.probability for each in Predictions.FromString(self.body).prediction]
        return msgspec.msgpack.decode(self.body)


Asking = Callable[..., Answer]


@pytest.fixture(params=[(), SANICS], ids=["express", "Sanic's"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Asking:
    """Asks a server, with the headers that are not None."""

    def once(
        body: bytes,
        content_type: str | None = None,
        accept: str | None = None,
        path: str = "predict",
        engine: Doubling | None = None,
        settings: tuple[str, ...] = (),
    ) -> Answer:
        given = {"Content-Type": content_type, "Accept": accept}
        headers = [f"{name}: {value}" for name, value in given.items() if value is not None]
        answers: list[bytes] = []

        async def test(served: Served) -> None:
            connection = await served.connect()
            for _ in range(2):
                connection.post(path, body, *headers, *request.param)
                answers.append(await connection.answer())

        serve_host(doubling_host(tmp_path, *settings, engine=engine), test)
        assert answers[0] == answers[1]
        return Answer.read(answers[0])

    return once


@pytest.mark.parametrize("media_type", BODIES)
@pytest.mark.parametrize("accept", [None, "*/*", "application/*", "nonsense"])
def test_the_format_is_chosen_by_content_type_and_answered_in_kind(
    ask: Asking, media_type: str, accept: str | None
) -> None:
    answer = ask(BODIES[media_type], media_type, accept)
    assert (answer.status, answer.media_type, answer.values) == (200, media_type, [2, 4, 6])
    assert answer.headers["tfaas-model"] == "vk/2"
    own = {JSON: "json", PROTO: "proto", MSGPACK: "msgpack"}[media_type]
    assert ask(BODIES[media_type], media_type, path=own).body == answer.body


@pytest.mark.parametrize("accept", BODIES)
@pytest.mark.parametrize("media_type", BODIES)
def test_any_format_can_be_answered_in_any_other(ask: Asking, media_type: str, accept: str) -> None:
    answer = ask(BODIES[media_type], media_type, accept)
    assert (answer.status, answer.media_type, answer.values) == (200, accept, [2, 4, 6])


def test_parameters_are_read_by_the_codec(ask: Asking) -> None:
    rows = DataFrame(row=[Row(value=[1, 2, 3]), Row(value=[4, 5, 6])]).SerializeToString()
    answer = ask(rows, FRAME, f"text/html, {JSON};q=0.5")
    assert (answer.media_type, answer.values) == (JSON, [[2, 4, 6], [8, 10, 12]])
    answer = ask(json.dumps(ROWS).encode(), "Application/JSON; charset=utf-8", PROTO)
    assert (answer.media_type, answer.values) == (PROTO, [2, 4, 6, 8, 10, 12])


def test_an_alias_that_a_client_accepts_is_the_type_of_the_answer(ask: Asking) -> None:
    answer = ask(BODIES[JSON], JSON, "application/x-msgpack")
    assert answer.media_type == "application/x-msgpack"
    assert msgspec.msgpack.decode(answer.body) == [2, 4, 6]


@pytest.mark.parametrize("content_type", [None, "", "application/x-www-form-urlencoded"])
def test_what_says_nothing_is_json(ask: Asking, content_type: str | None) -> None:
    assert ask(BODIES[JSON], content_type).values == [2, 4, 6]
    disabled = ("plugins.disabled=['tfaas_plugins.codecs.json']",)
    answer = ask(BODIES[JSON], content_type, settings=disabled)
    assert answer.status == 415
    assert JSON not in json.loads(answer.body)["expected"]


@pytest.mark.parametrize("content_type", ["text/csv", "application/protobuf", "*/*", "json"])
def test_a_type_that_no_codec_reads_is_a_415_that_lists_what_there_is(
    ask: Asking, content_type: str
) -> None:
    answer = ask(BODIES[JSON], content_type)
    told = json.loads(answer.body)
    assert (answer.status, told["got"]) == (415, content_type)
    assert {JSON, PROTO, MSGPACK, "image/png", "multipart/form-data"} <= set(told["expected"])
    assert all(name in told["error"] for name in told["expected"])


@pytest.mark.parametrize("accept", ["text/html", "image/png", f"{JSON};q=0, text/*"])
def test_a_format_that_no_codec_writes_is_a_406_before_the_model_runs(
    ask: Asking, accept: str
) -> None:
    engine = Doubling()
    told = json.loads(ask(BODIES[PROTO], PROTO, accept, engine=engine).body)
    assert (told["status"], told["code"], told["got"]) == (406, "not_acceptable", accept)
    assert set(told["expected"]) >= {JSON, PROTO, MSGPACK}
    assert engine.runs == 0


PATHS = {
    "models/vk/predict": "vk/2",
    "models/vk/versions/1/predict": "vk/1",
    "models/vk/versions/2/predict/": "vk/2",
    "predict/?x=1": "vk/2",
}


@pytest.mark.parametrize("path", PATHS)
def test_the_path_may_name_the_model_and_its_version(ask: Asking, path: str) -> None:
    answer = ask(BODIES[PROTO], PROTO, JSON, path)
    assert (answer.headers["tfaas-model"], answer.values) == (PATHS[path], [2, 4, 6])


@pytest.mark.parametrize("path", ["models/x/predict", "models/vk/labels/no/predict"])
def test_what_is_not_there_is_a_404(ask: Asking, path: str) -> None:
    assert ask(BODIES[JSON], JSON, path=path).status == 404


@pytest.mark.parametrize("media_type", BODIES)
@pytest.mark.parametrize("accept", [*BODIES, "text/html", "application/json;q=0"])
def test_paths_that_name_a_format_answer_in_it_whatever_is_accepted(
    ask: Asking, media_type: str, accept: str
) -> None:
    own = {JSON: "json", PROTO: "predict/proto", MSGPACK: "models/vk/predict/msgpack"}[media_type]
    answer = ask(BODIES[media_type], media_type, accept, own)
    assert (answer.status, answer.media_type, answer.values) == (200, media_type, [2, 4, 6])


def test_a_picture_may_be_sent_and_answered_in_any_format(ask: Asking) -> None:
    png = io.BytesIO()
    Image.frombytes("L", (3, 1), bytes([1, 2, 3])).save(png, "PNG")
    for accept in (None, JSON, PROTO, MSGPACK):
        answer = ask(png.getvalue(), "image/png", accept, "models/picture/predict")
        assert answer.media_type == (accept or JSON), answer.body
        assert answer.values == [2, 4, 6]


def test_a_codec_of_any_type_answers_in_the_first_that_it_names(
    ask: Asking, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-echo", ECHO.replace('("text/echo",)', '("*/*", "text/echo")'))
    assert ask(b"", "text/echo", "*/*").media_type == "text/echo"
