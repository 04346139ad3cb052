"""Arrow and Parquet over HTTP, by the example ``tfaas-codec-arrow``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tfaas_backends.demo import demo_models

from tests.examples.conftest import Example, Install
from tfaas_core.testing.server import RunningServer

ROW = [47.9, 0.3, 3.0, *[0.5] * 39]
MANY = 300_000
STREAM = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

# The row, in columns in order and in reverse; in lists; what is too large; and what does not fit.
WRITE = """
import json, sys
import numpy as np, pyarrow as pa
from pyarrow import ipc, parquet
row, many, limit = json.loads(sys.argv[1])
columns = {f"f{number}": np.array([value, value]) for number, value in enumerate(row)}
def write(name, table, **options):
    with ipc.new_stream(name, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
write("columns.arrows", pa.table(columns))
write("zipped.arrows", pa.table(columns), compression="zstd")
write("reverse.arrows", pa.table(dict(reversed(columns.items()))))
parquet.write_table(pa.table(columns), "columns.parquet")
write("unknown.arrows", pa.table({**columns, "pt": [1, 2]}))
write("null.arrows", pa.table({**columns, "f3": [1.0, None]}))
lists = pa.FixedSizeListArray.from_arrays(np.tile(np.array(row, np.float32), many), len(row))
write("lists.arrows", pa.table({"x": lists}), compression="zstd")
zeros = pa.table({name: np.zeros(limit // 100, np.float32) for name in columns})
write("bomb.arrows", zeros, compression="zstd")
parquet.write_table(zeros, "bomb.parquet", compression="zstd")
"""

READ = """
import json, sys
from pyarrow import ipc
print(json.dumps(ipc.open_stream(sys.argv[1]).read_all().to_pydict()))
"""
LIMIT = 100_000_000


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-codec-arrow")


@pytest.fixture(scope="module")
def bodies(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bodies")
    example.run("-c", WRITE, json.dumps([ROW, MANY, LIMIT]), folder=folder)
    return folder


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """It has ``particles``, and ``named``, which is the same with the names of its columns."""
    model = next(model.model for model in demo_models() if model.name == "particles")
    named = json.dumps({"features": [f"f{number}" for number in range(42)]}).encode()
    settings = (
        "server.workers=1",
        f"server.max_body_bytes={LIMIT}",
        f"engine.max_queue_rows={MANY}",
    )
    with example.served(tmp_path_factory.mktemp("served"), *settings) as server:
        assert server.upload("particles", model).status_code == 200
        assert server.upload("named", model, params=named).status_code == 200
        yield server


def post(server: RunningServer, path: str, body: bytes, kind: str = STREAM) -> httpx.Response:
    return server.http.post(path, content=body, headers={"Content-Type": kind})


def table_of(example: Example, answer: httpx.Response, folder: Path) -> dict[str, list[float]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == STREAM
    (folder / "answer.arrows").write_bytes(answer.content)
    columns: dict[str, list[float]] = json.loads(example.run("-c", READ, folder / "answer.arrows"))
    return columns


def expected(server: RunningServer) -> float:
    (number,) = server.predict(model="particles", values=ROW).json()
    return float(number)


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("/arrow?model=particles", "columns.arrows", STREAM),
        ("/predict?model=particles", "zipped.arrows", STREAM),
        ("/predict?model=named", "columns.parquet", PARQUET),
        ("/models/named/versions/1/predict/arrow", "reverse.arrows", STREAM),
    ],
)
def test_tables_are_answered_by_tables(
    server: RunningServer,
    example: Example,
    bodies: Path,
    tmp_path: Path,
    path: str,
    file: str,
    kind: str,
) -> None:
    answer = post(server, path, (bodies / file).read_bytes(), kind)
    assert table_of(example, answer, tmp_path) == {
        "signal": pytest.approx([expected(server)] * 2, rel=1e-5)
    }


def test_many_rows_are_answered_in_pieces(
    server: RunningServer, example: Example, bodies: Path, tmp_path: Path
) -> None:
    answer = post(server, "/arrow?model=particles", (bodies / "lists.arrows").read_bytes())
    assert answer.headers["transfer-encoding"] == "chunked"
    (column,) = table_of(example, answer, tmp_path).values()
    assert len(column) == MANY


def test_a_request_of_another_format_may_be_answered_by_a_table(
    server: RunningServer, example: Example, tmp_path: Path
) -> None:
    document = {"model": "particles", "values": ROW}
    answer = server.http.post("/predict", json=document, headers={"Accept": STREAM})
    assert table_of(example, answer, tmp_path) == {"signal": pytest.approx([expected(server)])}


def test_a_table_may_be_answered_by_another_format(server: RunningServer, bodies: Path) -> None:
    headers = {"Content-Type": PARQUET, "Accept": "application/json"}
    body = (bodies / "columns.parquet").read_bytes()
    answer = server.http.post("/predict?model=particles", content=body, headers=headers)
    assert [row[0] for row in answer.json()] == pytest.approx([expected(server)] * 2)


def test_what_cannot_be_read_is_told(server: RunningServer, bodies: Path) -> None:
    whole = (bodies / "columns.arrows").read_bytes()
    for body, status, told in [
        (b"", 400, "the body is empty"),
        (whole[:-100], 400, "the body is not a stream of Arrow"),
        ((bodies / "columns.parquet").read_bytes()[:-9], 400, "the body is not a Parquet file"),
        ((bodies / "unknown.arrows").read_bytes(), 422, "key 'pt' is unknown"),
        ((bodies / "null.arrows").read_bytes(), 422, "row 1, column 'f3' is null"),
        ((bodies / "bomb.arrows").read_bytes(), 413, "server.max_body_bytes"),
        ((bodies / "bomb.parquet").read_bytes(), 413, "server.max_body_bytes"),
    ]:
        answer = post(server, "/models/named/predict/arrow", body)
        assert answer.status_code == status, answer.text
        assert told in answer.json()["error"]
