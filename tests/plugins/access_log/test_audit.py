"""Lines for what is refused or changed: of whom, whatever they sent, and no more than so many."""

from __future__ import annotations

import asyncio
import json
import re

import msgspec
import pytest
from tfaas_plugins.access_log.flood import MOST_LINES, Flood
from tfaas_plugins.access_log.log import AuditLog, Lines

from tests.plugins.access_log.test_log import ANSWERED
from tfaas_core.observer import Answered
from tfaas_core.system.output.logs import formatter

FORGERIES = (
    *('x\n2026-01-01 INFO forged "', "x\r\x1b[2J\x1b]0;owned\x07", "x\u2028y\x85z"),
    "x" * 10_000,
)

UNFORGED = msgspec.structs.replace(ANSWERED, request_id="abc-1", identity="alice", model="vk")


def told(*answers: Answered) -> None:
    async def tell() -> None:
        log = AuditLog(Lines())
        for answer in answers:
            log.audited(answer)
        log.close()

    asyncio.run(tell())


def test_a_refusal_says_by_whom_from_where_and_what(caplog: pytest.LogCaptureFixture) -> None:
    told(UNFORGED)
    (line,) = caplog.messages
    assert line.startswith("192.0.2.1 POST /models/vk/predict 403 as=alice code=forbidden ")
    assert line.endswith(" id=abc-1")


@pytest.mark.parametrize("field", ["method", "path", "identity", "model"])
@pytest.mark.parametrize("sent", FORGERIES)
@pytest.mark.parametrize("kind", ["text", "json"])
def test_nothing_that_is_sent_breaks_or_forges_a_line(
    field: str, sent: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    told(msgspec.structs.replace(UNFORGED, **{field: sent}))
    (record,) = caplog.records
    line = formatter("json" if kind == "json" else "text").format(record)
    assert re.fullmatch(r"[ -~]+", line)
    assert len(line) < 3_000
    if kind == "json":
        assert json.loads(line)[field] == sent[:500]
    else:
        assert line.count(" INFO ") == 1


def test_a_stored_upload_is_left_to_its_event(caplog: pytest.LogCaptureFixture) -> None:
    stored = msgspec.structs.replace(UNFORGED, status=200, code="", route="/upload")
    told(stored, msgspec.structs.replace(stored, route="/delete/{name}"))
    assert len(caplog.messages) == 1
    told(msgspec.structs.replace(stored, status=422))
    assert " 422 " in caplog.messages[-1]


def test_a_flood_of_refusals_is_some_lines_and_a_number(caplog: pytest.LogCaptureFixture) -> None:
    others = [msgspec.structs.replace(UNFORGED, status=401, code="unauthorized")] * 3
    changes = [msgspec.structs.replace(UNFORGED, status=200, code="")] * (MOST_LINES + 5)
    told(*[UNFORGED] * (MOST_LINES + 1234), *others, *changes)
    assert sum(" 403 as=" in line for line in caplog.messages) == MOST_LINES
    assert sum(" 401 " in line for line in caplog.messages) == len(others)
    assert sum(" 200 " in line for line in caplog.messages) == len(changes)
    (last,) = [line for line in caplog.messages if line.startswith("and ")]
    assert last == "and 1,234 more like it, 403 forbidden, in the last 60 s"
    (record,) = [record for record in caplog.records if record.getMessage() == last]
    assert (vars(record)["event"], vars(record)["count"]) == ("more", 1234)


def test_the_number_is_told_when_the_time_is_over_though_no_more_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tfaas_plugins.access_log.flood.WINDOW_S", 0.05)
    said: list[tuple[str, int]] = []

    async def flood() -> None:
        over = asyncio.Event()

        def tell(kind: str, more: int) -> None:
            said.append((kind, more))
            over.set()

        bound = Flood(tell)
        taken = [bound.takes("x") for _ in range(MOST_LINES + 7)]
        async with asyncio.timeout(30):
            await over.wait()
        assert sum(taken) == MOST_LINES + 7 - sum(more for _, more in said)
        assert bound.takes("x")

    asyncio.run(flood())
    assert said


def test_there_are_only_so_many_kinds() -> None:
    said: list[tuple[str, int]] = []

    async def flood() -> None:
        bound = Flood(lambda kind, more: said.append((kind, more)))
        assert sum(bound.takes(f"kind {n}") for n in range(10_000)) < 100 + MOST_LINES + 1
        bound.close()

    asyncio.run(flood())
    assert [kind for kind, _ in said] == ["other"]
