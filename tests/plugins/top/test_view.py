"""What `tfaas top` shows: all that is known, whatever is missing, and nothing that is made up."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console
from tfaas_plugins.top.answers import Status, read
from tfaas_plugins.top.numbers import count, seconds, size, span, sparkline
from tfaas_plugins.top.view import View

STATUS: dict[str, Any] = {
    "version": "1.2.3",
    "uptime_s": 7300.0,
    "processes": [
        {"kind": "http_worker", "pid": 1, "private_bytes": 30_000_000},
        {"kind": "http_worker", "pid": 2, "private_bytes": 31_000_000},
        {"kind": "parent", "pid": 3, "private_bytes": None},
    ],
    "unavailable": {"onnx": "its import failed"},
    "models": [
        {
            "model": "busy/2",
            "state": "ready",
            "pid": 4,
            "private_bytes": 12_300_000,
            "rows_in_flight": 7,
            "idle_s": 0.2,
        }
    ],
    "last_minute": {"requests_per_s": 1234.5, "p50_s": 0.00024, "p99_s": None, "batch_rows": 3.25},
    "figures": {
        "busy": {"requests": 9000, "errors": 12, "requests_per_s": 150.2, "p50_s": 0.0002},
        "gone": {"requests": 1, "errors": 1, "requests_per_s": 0.0, "last_used_s": 300.0},
    },
}


def shown(view: View, most_models: int | None = None, width: int = 120) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(view.render("http://lab:8083", most_models))
    return written.getvalue()


def line(text: str, beginning: str) -> list[str]:
    (found,) = [each for each in text.splitlines() if each.startswith(beginning)]
    return found.split()


def test_it_shows_the_server_its_processes_and_its_models() -> None:
    text = shown(View(STATUS, {"requests_per_s": [0.0, 5.0, 10.0]}))
    assert text.startswith("TFaaS 1.2.3  http://lab:8083  up 2 h")
    assert "onnx cannot be started: its import failed" in text
    assert line(text, "requests/s")[1] == "1,234"
    assert "2 http worker 61.0 MB" in text
    expected = "busy/2 ready 150 200 us - 9,000 12 7 12.3 MB 0 s"
    assert " ".join(line(text, "busy/2")) == expected
    assert " ".join(line(text, "gone")) == "gone - 0 - - 1 1 - - 5 min"
    assert text.index("busy/2") < text.index("gone")


def test_it_says_why_a_host_is_away() -> None:
    away = {"host": "10.0.0.1:8090", "state": "away", "why": "host 10.0.0.1:8090 is gone"}
    text = shown(View(STATUS | {"hosts": [away, {"host": "10.0.0.2:8090", "state": "serves"}]}))
    assert "host 10.0.0.1:8090 is gone" in text
    assert "10.0.0.2" not in text


def test_of_a_host_nothing_but_why_it_is_away_is_asked_for() -> None:
    """So that servers of other versions are shown, too."""
    status = STATUS | {"hosts": [{"address": 1, "state": None, "why": "it is gone"}, {}]}
    answer = msgspec.json.encode(status)
    assert "it is gone" in shown(View(read(answer, Status)))


def test_several_processes_of_a_version_are_one_row() -> None:
    (one,) = STATUS["models"]
    other = one | {"state": "loading", "private_bytes": None, "rows_in_flight": 2, "idle_s": 9.0}
    text = shown(View(STATUS | {"models": [other, one, other]}))
    expected = "busy/2 ready x3 150 200 us - 9,000 12 11 12.3 MB 0 s"
    assert " ".join(line(text, "busy/2")) == expected


def test_a_server_without_metrics_is_shown_too() -> None:
    bare = {key: value for key, value in STATUS.items() if key not in ("last_minute", "figures")}
    text = shown(View(bare))
    assert line(text, "requests/s")[1] == "-"
    assert line(text, "busy/2")[1] == "ready"


def test_nothing_in_a_name_is_taken_for_markup() -> None:
    model = {**STATUS["models"][0], "model": "[red]x[/red]/1"}
    assert "[red]x[/red]/1" in shown(View({**STATUS, "models": [model]}))


def test_errors_of_several_codes_are_added() -> None:
    history = {"errors_per_s": {"404": [0.0, 2.0], "503": [1.0, 5.0, 9.0]}}
    assert line(shown(View(STATUS, history)), "errors/s")[1] == "7"


def test_models_beyond_the_screen_are_a_number() -> None:
    figures = {f"m{n:03}": {"requests": n, "requests_per_s": float(n)} for n in range(100)}
    text = shown(View({**STATUS, "models": [], "figures": figures}), most_models=3)
    assert "m099" in text
    assert "m096" not in text
    assert "and 97 more" in text


@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_narrow_terminal_shows_fewer_columns_and_cuts_no_number(width: int) -> None:
    history = {"requests_per_s": [float(n) for n in range(60)]}
    text = shown(View(STATUS, history), width=width)
    assert max(len(each) for each in text.splitlines()) <= width
    assert line(text, "requests/s")[1] == "1,234"
    assert line(text, "requests/s")[2].endswith("█")
    table = [each for each in text.splitlines() if each.startswith(("model", "busy/2", "gone"))]
    assert not any("…" in each for each in table)
    assert line(text, "busy/2")[:3] == ["busy/2", "ready", "150"]
    titles = line(text, "model ")
    assert titles[:3] == ["model", "state", "req/s"]
    assert "p99" in titles
    assert ("memory" in titles) == (width > 40)


def test_a_fault_is_told_above_what_was_known_last() -> None:
    text = shown(View(STATUS, fault="http://lab:8083 cannot be reached: Connection refused"))
    assert text.index("cannot be reached") < text.index("requests/s")
    assert "busy/2" in text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        *((count(None), "-"), (count(0), "0"), (count(1.25), "1.2"), (count(12345.6), "12,346")),
        *((seconds(0.00024), "240 us"), (seconds(0.0015), "1.5 ms"), (seconds(0.5), "500 ms")),
        *((seconds(2), "2.0 s"), (seconds(None), "-"), (span(12), "12 s"), (span(300), "5 min")),
        *((span(7300), "2 h"), (span(400_000), "5 d"), (size(12), "12 B"), (size(2e9), "2.0 GB")),
        *((sparkline([None, 0.0, 4.0, 8.0]), " ▁▄█"), (sparkline([0.0, None]), "  ")),
        *((sparkline([]), ""), (len(sparkline([1.0] * 500)), 60)),
    ],
)
def test_numbers_are_short(said: object, expected: object) -> None:
    assert said == expected
