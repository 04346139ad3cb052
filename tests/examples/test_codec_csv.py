"""CSV and TSV over HTTP, by the example ``tfaas-codec-csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import httpx
import pytest
from tfaas_backends.demo import demo_models

from tests.examples.conftest import Example, Install
from tfaas_core.testing.server import RunningServer

ROW = [47.9, 0.3, 3.0, *[0.5] * 39]
MANY = 20_000


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-codec-csv")


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """It has ``particles``, and ``named``, which is the same with the names of its columns."""
    model = next(model.model for model in demo_models() if model.name == "particles")
    named = json.dumps({"features": [f"f{number}" for number in range(42)]}).encode()
    settings = ("server.workers=1", f"engine.max_queue_rows={MANY}")
    with example.served(tmp_path_factory.mktemp("served"), *settings) as server:
        assert server.upload("particles", model).status_code == 200
        assert server.upload("named", model, params=named).status_code == 200
        yield server


def text_of(rows: list[list[float]], *names: str, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([*([names] if names else []), *rows])
    return text.getvalue().encode()


def post(server: RunningServer, path: str, body: bytes, kind: str = "text/csv") -> httpx.Response:
    return server.http.post(path, content=body, headers={"Content-Type": kind})


def expected(server: RunningServer) -> float:
    (number,) = server.predict(model="particles", values=ROW).json()
    return float(number)


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("path", "delimiter", "kind"),
    [
        ("/csv?model=particles", ",", "text/csv"),
        ("/models/particles/versions/1/predict/tsv", "\t", "text/tab-separated-values"),
        ("/predict?model=particles", "\t", "text/tab-separated-values"),
    ],
)
def test_tables_are_answered_by_tables(
    server: RunningServer, path: str, delimiter: str, kind: str
) -> None:
    answer = post(server, path, text_of([ROW, ROW], delimiter=delimiter), kind)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["tfaas-model"] == "particles/1"
    header, *rows = answer.text.splitlines()
    assert header == "signal"
    assert [float(row) for row in rows] == pytest.approx([expected(server)] * 2, rel=1e-5)


def test_columns_may_come_in_any_order(server: RunningServer) -> None:
    names = [f"f{number}" for number in range(42)]
    answer = post(server, "/models/named/predict/csv", text_of([ROW[::-1]], *names[::-1]))
    assert float(answer.text.splitlines()[1]) == pytest.approx(expected(server), rel=1e-5)
    wrong = post(server, "/models/named/predict/csv", text_of([ROW], *names[:-1], "pt"))
    assert wrong.status_code == 422
    assert "key 'f41' is missing" in wrong.json()["error"]


def test_a_request_of_another_format_may_be_answered_by_a_table(server: RunningServer) -> None:
    document = {"model": "particles", "values": ROW}
    answer = server.http.post("/predict", json=document, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.text.splitlines()[0] == "signal"
    # The connection goes on behind an answer in pieces.
    assert server.predict(**document).status_code == 200


def test_many_rows_are_answered_in_pieces(server: RunningServer) -> None:
    answer = post(server, "/csv?model=particles", text_of([ROW] * MANY))
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.text.splitlines()) == MANY + 1


def test_what_cannot_be_read_is_told(server: RunningServer) -> None:
    for body, status, told in [
        (b"1,2\n3\n", 400, "row 2 has 1 cells, expected 2"),
        (b"\xff", 400, "not UTF-8"),
        (b"1,2\n", 422, "a row has 2 numbers, model 'particles' takes 42"),
    ]:
        answer = post(server, "/models/particles/predict/csv", body)
        assert answer.status_code == status
        assert told in answer.json()["error"]
