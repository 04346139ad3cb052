"""The page's charts of the last ten minutes."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from playwright.sync_api import expect

from tests.server.page.conftest import Visit
from tests.server.page.visitor import heading, violations
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

CHARTS = (
    *("Throughput, per second", "Latency", "Rows in a run"),
    *("Queue, in rows", "Errors, per second", "Memory"),
)


def test_a_page_that_is_opened_now_shows_what_was_before(site: RunningServer, visit: Visit) -> None:
    for _ in range(3):
        site.predict(model="particles", values=[0] * 42)
        site.predict(model="particles", values=[0])

    def is_told() -> bool:
        past = site.http.get("/status/history").json()
        return any(past["errors_per_s"].get("422", [])) and any(past["latency_s"]["p50"])

    until(is_told, what="the history tells of it")
    page = visit(f"{site.url}/#/live")
    for title in CHARTS:
        expect(heading(page, title)).to_be_visible()
    chart = page.locator(".chart-panel").filter(has_text="Latency")
    # Few predictions, with nothing before and after them, are dots that one can see.
    dots = chart.locator("path.dots").first
    expect(dots).to_have_attribute("d", re.compile("^M"))
    assert dots.evaluate("(each) => parseFloat(getComputedStyle(each).strokeWidth)") >= 3
    expect(page.locator(".chart-panel").filter(has_text="Errors")).to_contain_text("422")
    expect(page.locator(".chart-panel").filter(has_text="Memory")).to_contain_text("HTTP workers")
    expect(page.get_by_role("row").filter(has_text="particles/1")).to_contain_text("ready")
    # The cross-hair, by keys.
    chart.get_by_role("img").focus()
    page.keyboard.press("ArrowLeft")
    expect(chart).to_contain_text("s ago")
    assert violations(page) == []


def test_without_metrics_it_says_so_and_shows_the_processes(tmp_path: Path, visit: Visit) -> None:
    with fake_server(tmp_path, "server.workers=1", "plugins.metrics.enabled=false") as server:
        page = visit(f"{server.url}/#/live")
        expect(page.get_by_text("This server keeps no history")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="parent")).to_be_visible()
        expect(heading(page, "Latency")).to_be_hidden()


def test_it_says_which_host_of_models_is_away(tmp_path: Path, visit: Visit) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*nobody.getsockname())
        remote = "engine.kind=remote", f'engine.remote.hosts=["{address}"]'
        with fake_server(tmp_path, "server.workers=1", *remote) as server:
            page = visit(f"{server.url}/#/live")
            expect(page.get_by_text(f"host {address} (engine.remote.hosts)")).to_be_visible()
