"""Records for MONIT have the fields of the original TFaaS, and a line each, whatever is sent."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest
from tfaas_plugins.access_log.monit import MonitLog

from tfaas_core.observer import Outcome
from tfaas_core.route import Response
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.visit import Visit

FIELDS = {
    *("method", "uri", "api", "system", "clientip", "bytes_in", "bytes_out", "proto", "status"),
    *("content_length", "referer", "user_agent", "x_forwarded_host", "x_forwarded_for"),
    *("remote_addr", "request_time", "timestamp"),
}


def outcome(target: str = "/models/vk/predict/json?a=1&b=%0A", **headers: str) -> Outcome:
    request = FakeRequest.of("POST", target, b"", headers)
    now_s = time.monotonic()
    request.visit = Visit(begin_s=now_s - 0.25)
    return Outcome(request, Response(status=404), "/x", 12, now_s)


def records(*outcomes: Outcome, share: float = 1.0) -> list[dict[str, Any]]:
    written = io.StringIO()
    MonitLog(logging.StreamHandler(written), share).finished(outcomes)
    lines = written.getvalue().splitlines()
    assert written.getvalue().count("\n") == len(lines)
    return [json.loads(line) for line in lines]


def test_a_record_has_what_the_original_printed() -> None:
    named = {"Content-Length": "41", "User-Agent": "curl", "X-Forwarded-For": "192.0.2.9"}
    (record,) = records(outcome(**named))
    assert list(record) == ["producer", "type", "timestamp", "host", "data"]
    assert (record["producer"], record["type"]) == ("cmsweb", "auth")
    data = record["data"]
    assert data.keys() == FIELDS
    assert (data["method"], data["api"], data["status"]) == ("POST", "json", 404)
    assert data["uri"] == "/models/vk/predict/json?a=1&b=%0A"
    assert (data["bytes_in"], data["bytes_out"], data["content_length"]) == (41, 12, 41)
    assert (data["clientip"], data["remote_addr"]) == ("127.0.0.1", "127.0.0.1:40000")
    assert (data["referer"], data["user_agent"]) == ("-", "curl")
    assert data["x_forwarded_for"] == "192.0.2.9"
    assert data["request_time"] == pytest.approx(0.25)
    assert abs(record["timestamp"] / 1000 - (time.time() - 0.25)) < 60
    assert record["timestamp"] == data["timestamp"]


@pytest.mark.parametrize("sent", ['x\n{"forged": 1}', "x\u2028y\x85z", "x" * 100_000, "\ud800"])
def test_nothing_that_is_sent_breaks_a_line(sent: str) -> None:
    (record,) = records(outcome(Referer=sent, **{"Content-Length": sent}))
    assert record["data"]["referer"] == sent[:2_000]
    assert record["data"]["bytes_in"] == -1


def test_a_share_of_none_writes_none() -> None:
    assert records(*[outcome() for _ in range(100)], share=0.0) == []
    assert 0 < len(records(*[outcome() for _ in range(1000)], share=0.5)) < 1000
