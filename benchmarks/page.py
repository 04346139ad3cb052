"""How soon the page is there: in Chromium, with an empty cache, and with all that it keeps."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright
from tfaas_plugins import page as page_plugin

from benchmarks.options import parse
from benchmarks.report import Report
from benchmarks.servers import BenchmarkFailedError
from tests.chromium import FLAGS
from tfaas_core.testing.server import running_server

_SITE = Path(page_plugin.__file__).parent / "site"
_LOADS = 10
"""Of each kind, in a round."""

_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_NOW = "performance.now()"


def loads(browser: Browser, url: str, rounds: int) -> list[list[str]]:
    """Milliseconds until something is painted, and until the models are there."""
    empty: list[tuple[float, float]] = []
    full: list[tuple[float, float]] = []
    for _turn in range(rounds * _LOADS):
        with browser.new_context() as context:
            page = context.new_page()
            empty.append(_opened(page, url))
            full.append(_opened(page, url))
    return [_row("nothing", empty), _row("all of it", full)]


def _opened(page: Page, url: str) -> tuple[float, float]:
    page.goto(url)
    page.wait_for_selector("tbody a")
    return page.evaluate(_PAINT), page.evaluate(_NOW)


def _row(cached: str, times: list[tuple[float, float]]) -> list[str]:
    painted, there = zip(*times, strict=True)
    return [cached, f"{median(painted):.0f}", f"{max(painted):.0f}", f"{median(there):.0f}"]


def weight() -> list[list[str]]:
    """What the page is made of, in kB."""
    files = [path.read_bytes() for path in _SITE.rglob("*") if path.is_file()]
    whole, packed = sum(map(len, files)), sum(len(gzip.compress(file)) for file in files)
    return [[str(len(files)), f"{whole / 1e3:.0f}", f"{packed / 1e3:.0f}"]]


def main() -> None:
    options = parse(__doc__)
    binary = shutil.which("chromium")
    if binary is None:
        raise BenchmarkFailedError("no chromium: apt-get install chromium")
    report = Report()
    report.add("The page", ["files", "kB", "kB, compressed"], weight())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        with running_server(Path(folder), "server.workers=1", arguments=["--demo"]) as server:
            assert server.process.stdout is not None
            server.process.stdout.readline()
            server.process.stdout.readline()
            header = ["in the cache", "first paint, ms", "the slowest", "models shown, ms"]
            report.add("Until it is there", header, loads(browser, server.url, options.rounds))
        browser.close()


if __name__ == "__main__":
    main()
