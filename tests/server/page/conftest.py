"""A browser, and a server with the demo's models, for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import FLAGS, chromium
from tests.server.page.visitor import watched
from tests.server.test_demo import announced
from tfaas_core.testing.server import RunningServer, running_server

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while there is one, its event loop is that of the thread."""
    binary = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the models digits and particles."""
    folder = tmp_path_factory.mktemp("site")
    with running_server(folder, "server.workers=2", arguments=["--demo"]) as server:
        announced(server)
        yield server


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address in a window of its own: ``visit(url, color_scheme="dark")``.

    At the end, no script may have failed, and no policy may have been broken.
    """
    contexts = []
    faults: list[str] = []

    def open_(url: str, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 850}} | options)  # type: ignore[arg-type]
        contexts.append(context)
        page = watched(context.new_page(), faults)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []
