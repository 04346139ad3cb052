"""Compressed bodies and answers of predictions, over HTTP."""

from __future__ import annotations

import json

import pytest

from tfaas_core.predict.compressed_answers import compressed_body
from tfaas_core.predict.compressed_bodies import MOST_UNPACKED_BYTES, inflated
from tfaas_core.testing.server import RunningServer

ROWS = [[1.5, 2.25, row / 8] for row in range(8000)]
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_body_may_be_compressed(server: RunningServer, doubler: str, encoding: str) -> None:
    headers = JSON | {"content-encoding": encoding}
    for path in ("/json", f"/models/{doubler}/predict"):
        body = json.dumps({"values": ROWS, "model": doubler}).encode()
        answer = server.http.post(path, content=compressed_body(body, encoding), headers=headers)
        assert answer.json() == [[2 * value for value in row] for row in ROWS]


def test_a_bomb_is_too_large_and_costs_nobody_anything(server: RunningServer, doubler: str) -> None:
    bomb = compressed_body(bytes(MOST_UNPACKED_BYTES + 1), "zstd")
    headers = JSON | {"content-encoding": "zstd"}
    answer = server.http.post("/json", content=bomb, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"] == f"the body unpacks to more than {MOST_UNPACKED_BYTES} bytes"
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2, 4, 6]


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("identity", ""), ("gzip, zstd;q=0.5", "gzip"), ("*", "zstd")]
)
def test_a_large_answer_is_compressed_for_whom_takes_that(
    server: RunningServer, doubler: str, accepted: str, encoding: str
) -> None:
    headers = JSON | {"accept-encoding": accepted}

    def asked(rows: list[list[float]]) -> tuple[str, str, bytes]:
        body = json.dumps({"values": rows, "model": doubler}).encode()
        with server.http.stream("POST", "/json", content=body, headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        return answer.headers.get("content-encoding", ""), answer.headers.get("vary", ""), raw

    got, vary, raw = asked(ROWS)
    assert (got, vary) == (encoding, "Accept-Encoding")
    whole = inflated(raw, encoding, 1 << 20) if encoding else raw
    assert json.loads(whole) == [[2 * value for value in row] for row in ROWS]
    got, vary, raw = asked(ROWS[:10])
    assert (got, vary) == ("", "")
    assert json.loads(raw) == [[2 * value for value in row] for row in ROWS[:10]]
