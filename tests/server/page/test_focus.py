"""Who has no mouse stays where they are, whatever is drawn anew."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.server.page.conftest import Visit
from tests.server.page.visitor import heading
from tfaas_core.testing.server import RunningServer


class Held:
    """Requests for a model's record, which go on when they are let."""

    def __init__(self, page: Page, name: str) -> None:
        self._routes: list[Route] = []
        page.route(f"**/models/{name}", self._hold)

    def _hold(self, route: Route) -> None:
        self._routes.append(route)

    def until_there(self, count: int, page: Page) -> None:
        while len(self._routes) < count:
            page.wait_for_event("request")

    def let_go(self, place: int) -> None:
        self._routes[place].continue_()


def test_the_focus_stays_if_what_a_roll_back_has_changed_is_drawn_twice(
    site: RunningServer, scale_graph: Callable[[float], bytes], visit: Visit
) -> None:
    for factor in (1.0, 2.0):
        assert site.upload("twice", scale_graph(factor)).status_code == 200
    page = visit(f"{site.url}/#/models/twice")
    expect(heading(page, "Predict")).to_be_visible()
    back = page.get_by_role("button", name="Roll back")
    back.focus()
    page.keyboard.press("Enter")
    # The page asks after its own change, and, as its list of models comes first, after another's.
    records = Held(page, "twice")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").focus()
    page.keyboard.press("Enter")
    records.until_there(2, page)
    records.let_go(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(back).to_be_focused()
    drawn = back.element_handle()
    assert drawn is not None
    records.let_go(1)
    page.wait_for_function("button => !button.isConnected", arg=drawn)
    expect(back).to_be_focused()
    site.http.delete("/delete/twice")
