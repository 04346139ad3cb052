"""The page's table of models."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.server.page.conftest import Visit
from tests.server.page.visitor import heading, heard, listen, look_again, violations
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.ports import lasting_port
from tfaas_core.testing.server import RunningServer

SORT_AND_FILTER = """() => {
  const began = performance.now();
  const filter = document.querySelector('input[type=search]');
  filter.value = 'model-04'; filter.dispatchEvent(new Event('input'));
  document.querySelector('.sort').click();
  document.querySelector('.sheet').scrollTop = 20000;
  return performance.now() - began;
}"""
"""Returns how long that takes, in milliseconds."""

HOSTILE = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"


def names(page: Page) -> list[str]:
    return page.locator("tbody td.name").all_inner_texts()


def test_models_are_listed_with_their_state_and_what_they_take(
    site: RunningServer, visit: Visit
) -> None:
    page = visit(site.url)
    row = page.get_by_role("row").filter(has_text="particles")
    expect(row).to_contain_text("ready")
    expect(row).to_contain_text("particles [?, 42] float32")
    expect(row).to_contain_text("207 kB")
    assert violations(page) == []


def test_they_are_filtered_and_sorted(site: RunningServer, visit: Visit) -> None:
    page = visit(site.url)
    expect(page.locator("tbody td.name")).to_have_text(["digits", "particles"])
    page.get_by_role("button", name="Size").click()
    assert page.get_by_role("columnheader", name="Size").get_attribute("aria-sort") == "descending"
    expect(page.locator("tbody td.name")).to_have_text(["digits", "particles"])
    page.get_by_role("button", name="Size").click()
    expect(page.locator("tbody td.name")).to_have_text(["particles", "digits"])
    page.get_by_label("Filter the models").fill("handwritten")
    expect(page.locator("tbody td.name")).to_have_text(["digits"])
    expect(page.get_by_text("1 of 2 models")).to_be_visible()


def test_a_model_process_that_is_killed_is_seen_to_be_gone(
    site: RunningServer, visit: Visit
) -> None:
    site.predict(model="particles", values=[0] * 42)
    page = visit(site.url)
    row = page.get_by_role("row").filter(has_text="particles")
    expect(row).to_contain_text("ready")
    loaded = {each["model"]: each for each in site.http.get("/status").json()["models"]}
    pid = loaded["particles/1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    expect(page.get_by_text(f"particles/1 is no longer in process {pid}.")).to_be_visible()
    expect(row).to_contain_text("not loaded")
    site.predict(model="particles", values=[0] * 42)
    expect(row).to_contain_text("ready")


def test_each_process_of_a_model_is_told(site: RunningServer, visit: Visit) -> None:
    site.predict(model="particles", values=[0] * 42)
    status = site.http.get("/status").json()
    (own,) = (each for each in status["models"] if each["model"] == "particles/1")
    first = own | {"pid": 11, "private_bytes": 20_000_000, "state": "ready"}
    second = own | {"pid": 12, "private_bytes": 30_000_000, "state": "loading"}
    there = [first, second]
    page = visit("about:blank")
    page.route("**/status", lambda route: route.fulfill(json=status | {"models": there}))
    page.goto(f"{site.url}/#/models/particles")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("Processes11, 12", use_inner_text=False)
    expect(facts).to_contain_text("50.0 MB")
    expect(facts).to_contain_text("ready")
    listen(page)
    there.remove(first)
    look_again(page)
    heard(page, "particles/1 is no longer in process 11, and goes on in 12.")
    expect(facts).to_contain_text("loading")


def test_a_model_that_is_deleted_is_not_said_to_be_lost(tmp_path: Path, visit: Visit) -> None:
    with fake_server(tmp_path) as server:
        for name in ("stays", "goes"):
            assert server.upload(name, b"sum").status_code == 200
        page = visit(server.url)
        for name in ("stays", "goes"):
            expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("ready")
        page.evaluate(
            """() => { window.told = [];
            new MutationObserver(() => window.told.push(document.querySelector('.notes').innerText))
              .observe(document.querySelector('.notes'), {childList: true}); }"""
        )
        assert server.http.delete("/delete/goes").status_code == 200
        expect(page.get_by_role("row").filter(has_text="goes")).to_have_count(0)
        assert page.evaluate("window.told") == []
        expect(page.get_by_role("row").filter(has_text="stays")).to_contain_text("ready")


def test_a_server_without_models_says_what_to_do(tmp_path: Path, visit: Visit) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        page = visit(server.url)
        expect(heading(page, "No models yet")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("link", name="Upload the first one").click()
        expect(heading(page, "Upload")).to_be_visible()


def test_what_a_model_says_of_itself_is_text(tmp_path: Path, visit: Visit) -> None:
    params = {"description": HOSTILE, "owner": HOSTILE, "features": [HOSTILE, "b", "c"]}
    with fake_server(tmp_path, "server.workers=1") as server:
        parts = {"params": json.dumps(params).encode(), "labels": f"{HOSTILE}\n".encode()}
        assert server.upload("vk", b"sum", **parts).status_code == 200
        page = visit(server.url)
        page.get_by_role("link", name="vk").click()
        expect(page.locator(".description")).to_have_text(HOSTILE)
        expect(page.locator(".class-labels")).to_contain_text(HOSTILE)
        assert page.locator("img, main script").count() == 0
        assert page.title().startswith("vk")


def test_thousands_of_models_stay_quick(site: RunningServer, visit: Visit) -> None:
    (record, _) = site.http.get("/models").json()
    many = [record | {"name": f"model-{number:05}"} for number in range(5000)]

    def answer(route: Route) -> None:
        route.fulfill(json=many)

    page = visit("about:blank")
    page.route("**/models", answer)
    page.goto(site.url)
    expect(page.get_by_text("5,000 models")).to_be_visible()
    assert page.locator("tbody tr").count() < 100
    # Now and then, others have the core.
    took_ms = min(page.evaluate(SORT_AND_FILTER) for _ in range(5))
    expect(page.get_by_text("1,000 of 5,000 models")).to_be_visible()
    expect(page.get_by_role("link", name="model-04374")).to_be_visible()
    assert took_ms < 1000


def test_it_says_if_the_server_is_gone_and_when_it_is_back(tmp_path: Path, visit: Visit) -> None:
    settings = "server.workers=1", f"server.port={lasting_port()}"
    with fake_server(tmp_path, *settings) as server:
        page = visit(server.url)
        expect(heading(page, "No models yet")).to_be_visible()
        server.stop()
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    (tmp_path / "again").mkdir()
    with fake_server(tmp_path / "again", *settings):
        expect(page.get_by_role("alert")).to_be_hidden()
