"""Lines of the access log: what clients call themselves, and models, makes no other lines."""

from __future__ import annotations

import msgspec
import pytest
from tfaas_plugins.access_log.log import AccessLog, EventLog, Lines

from tfaas_core.events import ModelUploaded
from tfaas_core.observer import Answered
from tfaas_core.route import ClientAddress

FORGED = "alice\n2026-01-01 INFO\u2028as=bob"
ESCAPED = r"alice\n2026-01-01\x20INFO\u2028as=bob"

ANSWERED = Answered(
    method="POST",
    path="/models/vk/predict",
    route="/models/{name}/predict",
    client=ClientAddress("192.0.2.1", 1),
    status=403,
    code="forbidden",
    identity=FORGED,
    request_bytes=2,
    answer_bytes=3,
    duration_s=0.1,
    codec="json",
    model=FORGED,
    version=None,
    rows=None,
    wait_s=None,
    run_s=None,
)
UPLOADED = ModelUploaded(
    model="vk", version=1, runtime="graph", size_bytes=1, duration_s=0.1, identity=FORGED
)


def test_an_answer_is_a_line_whatever_a_client_calls_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    AccessLog(Lines()).answered(ANSWERED)
    (line,) = caplog.messages
    assert f" as={ESCAPED} code=forbidden codec=json model={ESCAPED} in=2B" in line


def test_an_event_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    EventLog(Lines()).uploaded(UPLOADED)
    (line,) = caplog.messages
    assert line.endswith(f" as={ESCAPED}")


def test_a_name_that_is_long_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    AccessLog(Lines()).answered(msgspec.structs.replace(ANSWERED, identity="x" * 10_000))
    assert len(caplog.messages[0]) < 1_000
