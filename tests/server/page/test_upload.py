"""Uploads by the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from tfaas_backends import demo

from tests.server.page.conftest import Visit
from tests.server.page.visitor import DIGIT, choose, drop, heading, heard, listen, violations
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

Scale = Callable[[float], bytes]

BUNDLE = Path(demo.__file__).parent / "digits.tar.gz"


def test_a_form_is_dropped_and_its_model_is_shown(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    page = visit(f"{site.url}/#/upload")
    params = b'{"description": "times two", "features": ["a", "b", "c"]}'
    drop(
        page.get_by_role("button", name="Drop the model"),
        ("doubled.pb", scale_graph(2.0)),
        ("params.json", params),
        ("labels.txt", b"x\ny\nz\n"),
    )
    expect(page.get_by_label("Name")).to_have_value("doubled")
    assert violations(page) == []
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(heading(page, "doubled")).to_be_visible()
    expect(page.get_by_text("doubled/1 is live.")).to_be_visible()
    expect(page.get_by_text("times two")).to_be_visible()
    expect(heading(page, "Class labels (3)")).to_be_visible()
    site.http.delete("/delete/doubled")


def test_the_name_is_that_of_the_params_or_of_the_file_unless_one_was_typed(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    page = visit(f"{site.url}/#/upload")
    place, name = page.get_by_role("button", name="Drop the model"), page.get_by_label("Name")
    drop(place, ("frozen.pb", scale_graph(2.0)))
    expect(name).to_have_value("frozen")
    drop(place, ("params.json", b'{"name": "tripled"}'))
    expect(name).to_have_value("tripled")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(heading(page, "tripled")).to_be_visible()
    site.http.delete("/delete/tripled")

    page.goto(f"{site.url}/#/upload")
    drop(place, ("one.pb", b"1"), ("params.json", b"no JSON"))
    expect(name).to_have_value("one")
    drop(place, ("two.pb", b"2"))
    expect(name).to_have_value("two")
    name.fill("ours")
    drop(place, ("three.pb", b"3"))
    expect(page.get_by_role("row").filter(has_text="three.pb")).to_be_visible()
    expect(name).to_have_value("ours")


def test_what_is_dropped_beside_a_place_is_not_lost(site: RunningServer, visit: Visit) -> None:
    page = visit(site.url)
    listen(page)
    drop(heading(page, "Models"), (DIGIT.name, DIGIT.read_bytes()))
    heard(page, "Open the model that the picture is for")
    drop(heading(page, "Models"), ("mine.pb", b"any"))
    expect(heading(page, "Upload")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("mine")
    drop(heading(page, "Upload"), ("labels.txt", b"a\n"))
    expect(page.get_by_role("row").filter(has_text="labels.txt")).to_be_visible()
    page.goto(f"{site.url}/#/models/digits")
    expect(heading(page, "Predict")).to_be_visible()
    drop(heading(page, "digits"), (DIGIT.name, DIGIT.read_bytes()))
    expect(page.locator(".bars tbody tr").first).to_contain_text("0.9617")
    page.get_by_role("tab", name="JSON").first.click()
    drop(heading(page, "digits"), (DIGIT.name, DIGIT.read_bytes()))
    heard(page, "Nothing here takes files.")


def test_a_tarball_names_its_model_itself(site: RunningServer, visit: Visit) -> None:
    page = visit(f"{site.url}/#/upload")
    place = page.get_by_role("button", name="Drop the model")
    drop(place, ("any.tar.gz", BUNDLE.read_bytes()))
    page.get_by_label("Name").fill("ours")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(heading(page, "ours")).to_be_visible()
    site.http.delete("/delete/ours")


def test_a_refused_upload_says_why_and_what_to_do(site: RunningServer, visit: Visit) -> None:
    page = visit(f"{site.url}/#/upload")
    drop(page.get_by_role("button", name="Drop the model"), ("bad.pb", b"no graph at all"))
    page.get_by_role("button", name="Upload", exact=True).click()
    said = page.get_by_role("alert").filter(has_text="400 bad_body")
    expect(said).to_contain_text("Nothing was stored.")
    assert violations(page) == []
    assert "bad" not in site.names()
    # The form is as it was, to be sent again.
    expect(page.get_by_label("Name")).to_have_value("bad")


def test_one_that_is_too_large_is_refused_in_the_servers_words(
    tmp_path: Path, visit: Visit
) -> None:
    large = tmp_path / "large.pb"
    large.write_bytes(bytes(20_000_000))
    with fake_server(tmp_path, "server.workers=1", "limits.max_upload_bytes=100000") as server:
        page = visit(f"{server.url}/#/upload")
        choose(page, large)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="413 too_large")).to_be_visible()


def test_without_a_model_nothing_is_sent(site: RunningServer, visit: Visit) -> None:
    page = visit(f"{site.url}/#/upload")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("There is no model yet.")).to_be_visible()
