"""The frame of the page: who may see it, where it lies, how it looks, and what it weighs."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tfaas_plugins import page as page_plugin

from tests.server.page.conftest import Visit
from tests.server.page.visitor import heading, look_again, violations
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

ASSETS = Path(page_plugin.__file__).parent / "site"

MOST_COMPRESSED_BYTES = 150_000

TOKENS = (
    'plugins.token_guard.tokens={ alice = "of-alice", '
    f'bob = {{ sha256 = "{sha256(b"of-bob").hexdigest()}", rights = ["read"] }} }}'
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that asks for a token, below a path of its own."""
    folder = tmp_path_factory.mktemp("guarded")
    with fake_server(folder, "server.workers=1", TOKENS, 'server.base="/tfaas"') as server:
        files = {"model": ("vk.pb", b"sum")}
        alice = {"Authorization": "Bearer of-alice"}
        stored = server.http.post("/upload", data={"name": "vk"}, files=files, headers=alice)
        assert stored.status_code == 200, stored.text
        yield server


def give(page: Page, token: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("A token that the server knows").fill(token)
    dialog.get_by_role("button", name="Use it").click()


def test_it_asks_for_a_token_where_one_is_needed(guarded: RunningServer, visit: Visit) -> None:
    # Without the slash, links of the page would lead elsewhere.
    page = visit(guarded.url.removesuffix("/"))
    expect(page.get_by_role("dialog")).to_contain_text("This server asks for a token.")
    assert violations(page) == []
    give(page, "of-nobody")
    expect(page.get_by_role("dialog")).to_be_visible()
    give(page, "of-alice")
    page.get_by_role("link", name="vk").click()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".answer-head")).to_contain_text("vk/1")
    expect(page.get_by_label("The request by curl")).to_contain_text("Bearer $TFAAS_TOKEN")
    assert page.evaluate("Object.keys(localStorage)") == []
    page.reload()
    expect(heading(page, "Predict")).to_be_visible()


def test_whoever_has_none_is_asked_once(guarded: RunningServer, visit: Visit) -> None:
    page = visit(f"{guarded.url}/")
    page.get_by_role("button", name="Go on without").click()
    expect(page.get_by_role("alert")).to_contain_text("Token")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Token").click()
    give(page, "of-alice")
    expect(page.get_by_role("link", name="vk")).to_be_visible()


def test_what_a_token_may_not_is_said(guarded: RunningServer, visit: Visit) -> None:
    page = visit(f"{guarded.url}/#/models/vk")
    give(page, "of-bob")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="403 forbidden")).to_be_visible()


def test_a_port_of_predictions_alone_says_where_models_are_shown(
    tmp_path: Path, visit: Visit
) -> None:
    with fake_server(tmp_path, "server.workers=1", "server.admin_port=0") as server:
        page = visit(server.url)
        expect(page.get_by_role("alert")).to_contain_text("This port answers predictions alone.")


def test_it_says_if_the_server_was_told_to_stop(tmp_path: Path, visit: Visit) -> None:
    with fake_server(tmp_path, "server.workers=1", "server.drain_delay_s=60") as server:
        page = visit(f"{server.url}/#/live", viewport={"width": 1000, "height": 400})
        expect(heading(page, "Memory")).to_be_visible()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        server.process.terminate()
        expect(page.get_by_role("alert")).to_contain_text("Not ready: the server was told to stop.")
        # However far one has scrolled.
        expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
        server.process.terminate()


def test_without_its_plugins_the_server_has_no_page(tmp_path: Path) -> None:
    plugins = ("tfaas_plugins.page", "tfaas_plugins.graph_viewer")
    with fake_server(tmp_path, "server.workers=1", disabled=plugins) as server:
        for path in ("/", "/page/app.js", "/netron/"):
            assert server.http.get(path).status_code == 404


def test_paths_that_nobody_serves_are_still_unknown(site: RunningServer) -> None:
    assert site.http.get("/nowhere").json()["code"] == "not_found"
    assert site.http.post("/nowhere").status_code == 404
    assert site.http.get("/page").status_code == 404
    assert site.http.get("/page/../conftest.py").status_code == 404


def test_its_files_are_public_small_and_cached(guarded: RunningServer) -> None:
    paths = ["/", *(f"/page/{path.name}" for path in (ASSETS / "assets").iterdir())]
    answers = [guarded.http.get(path, headers={"Accept-Encoding": "gzip"}) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.num_bytes_downloaded for answer in answers) < MOST_COMPRESSED_BYTES
    assert {
        answer.headers.get("content-encoding") for answer in answers if len(answer.content) > 256
    } == {"gzip"}
    for path in ("/", "/page/app.js", "/page/style.css"):
        answer = guarded.http.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert policy.startswith("default-src 'none'")
        known = {"If-None-Match": answer.headers["etag"]}
        assert guarded.http.get(path, headers=known).status_code == 304


def test_it_is_light_or_dark_as_the_system_is_or_as_one_chooses(
    site: RunningServer, visit: Visit
) -> None:
    def ground(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark = visit(f"{site.url}/#/live", color_scheme="dark")
    expect(heading(dark, "Live")).to_be_visible()
    assert ground(dark) == "rgb(20, 23, 27)"
    assert violations(dark) == []
    dark.get_by_role("button", name="Light colours").click()
    assert ground(dark) == "rgb(246, 247, 248)"
    dark.reload()
    expect(heading(dark, "Live")).to_be_visible()
    assert ground(dark) == "rgb(246, 247, 248)"


@pytest.mark.parametrize("view", ["", "upload", "live", "models/digits"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    site: RunningServer, visit: Visit, view: str
) -> None:
    page = visit(f"{site.url}/#/{view}", viewport={"width": 360, "height": 740})
    expect(page.locator("main h1")).to_be_visible()
    if view.startswith("models"):
        expect(heading(page, "Predict")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_all_can_be_reached_by_the_keyboard(site: RunningServer, visit: Visit) -> None:
    page = visit(site.url)
    expect(page.get_by_role("link", name="digits")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("link", name="digits").focus()
    page.keyboard.press("Enter")
    expect(heading(page, "Predict")).to_be_visible()
    page.get_by_role("tab", name="Picture").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="JSON").first).to_be_focused()
    expect(page.get_by_label("The request, without the model")).to_be_visible()


def test_a_screen_reader_is_told_what_changes_and_no_more(
    site: RunningServer, visit: Visit
) -> None:
    page = visit(site.url)
    expect(page.get_by_text("2 models")).to_be_visible()
    page.evaluate(
        """() => { window.told = [];
        const live = "[role=status], [role=alert], [aria-live]";
        const tell = ({target}) => {
          const place = (target.closest ? target : target.parentElement)?.closest(live);
          if (place) window.told.push(place.outerHTML);
        };
        new MutationObserver((all) => all.forEach(tell)).observe(
          document.body, {childList: true, subtree: true, characterData: true}); }"""
    )
    for _ in range(3):
        look_again(page)
    assert page.evaluate("window.told") == []
    page.get_by_label("Filter the models").fill("digits")
    expect(page.get_by_text("1 of 2 models")).to_be_visible()
    assert len(page.evaluate("window.told")) == 1
