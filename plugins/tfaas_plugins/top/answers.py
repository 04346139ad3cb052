"""Answers: what a server says of itself, held to what is shown of it."""

from __future__ import annotations

from typing import Any

import msgspec

from tfaas_core.cli.harmless import harmless

_Number = float | None


class _Process(msgspec.Struct):
    kind: str
    private_bytes: _Number = None


class _Loaded(msgspec.Struct):
    model: str
    state: str = "-"
    rows_in_flight: float = 0
    private_bytes: _Number = None
    idle_s: _Number = None


class _Host(msgspec.Struct):
    why: str = ""


class _Minute(msgspec.Struct):
    requests_per_s: _Number = None
    predictions_per_s: _Number = None
    p50_s: _Number = None
    p99_s: _Number = None
    batch_rows: _Number = None


class _Figures(msgspec.Struct):
    requests: _Number = None
    errors: _Number = None
    requests_per_s: _Number = None
    p50_s: _Number = None
    p99_s: _Number = None
    last_used_s: _Number = None


class Status(msgspec.Struct):
    """Of ``GET /status``; servers of other versions may say more, or less."""

    version: str = "?"
    uptime_s: _Number = None
    processes: list[_Process] = []
    models: list[_Loaded] = []
    unavailable: dict[str, str] = {}
    hosts: list[_Host] = []
    last_minute: _Minute | None = None
    figures: dict[str, _Figures] = {}


class History(msgspec.Struct):
    """Of ``GET /status/history``: a value for each moment."""

    requests_per_s: list[_Number] = []
    predictions_per_s: list[_Number] = []
    errors_per_s: dict[str, list[float]] = {}
    latency_s: dict[str, list[_Number]] = {}
    batch_rows: list[_Number] = []
    queue_rows: list[_Number] = []


def read(answer: bytes, kind: type[Status | History]) -> dict[str, Any]:
    """What an answer says; raises ValueError if it does not say that.

    Its texts do nothing to a terminal.
    """
    found = _harmless(msgspec.to_builtins(msgspec.json.decode(answer, type=kind)))
    assert isinstance(found, dict)
    return found


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(" ".join(value.split()))
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    if isinstance(value, dict):
        return {_harmless(key): _harmless(each) for key, each in value.items()}
    return value
