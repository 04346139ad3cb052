"""The viewer of graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from tfaas_backends import demo

from tests.server.page.conftest import Visit
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer, running_server

netron = pytest.importorskip("netron", reason="no netron: pip install 'tfaas[netron]'")


@pytest.mark.parametrize("name", ["digits", "particles"])
def test_a_models_graph_is_drawn(site: RunningServer, visit: Visit, name: str) -> None:
    page = visit(f"{site.url}/#/models/{name}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("link", name="Graph").click()
    expect(page.locator("#canvas .node").first).to_be_visible()
    expect(page).to_have_title(f"{name}.pb")
    outside = [url for url in asked if not url.startswith((f"{site.url}/", "data:"))]
    assert outside == []
    models = {url.partition("?")[0] for url in asked if "/models/" in url and "/netron/" not in url}
    assert f"{site.url}/models/{name}/graph.pb" in models


def test_no_other_address_is_taken_for_a_model(site: RunningServer, visit: Visit) -> None:
    page = visit(f"{site.url}/netron/?url={site.url}/models/particles/graph.pb")
    expect(page.get_by_role("button", name="Open Model")).to_be_visible()
    assert page.url == f"{site.url}/netron/"


def test_the_graph_is_the_file_as_it_was_uploaded(site: RunningServer) -> None:
    answer = site.http.get("/models/particles/graph.pb")
    expected = (Path(demo.__file__).parent / "particles.pb").read_bytes()
    assert answer.content == expected
    assert site.http.get("/models/particles/versions/1/graph.pb").content == expected
    assert answer.headers["content-length"] == str(len(expected))
    assert site.http.get("/models/particles/versions/9/graph.pb").status_code == 404
    assert site.http.get("/models/nowhere/graph.pb").json()["code"] == "unknown_model"


def test_a_model_of_another_runtime_has_no_graph(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1") as server:
        assert server.upload("vk", b"sum").status_code == 200
        answer = server.http.get("/models/vk/graph.pb")
        assert answer.status_code == 404
        assert "runtime 'fake'" in answer.json()["error"]


def test_a_graph_takes_the_token_that_the_page_has(tmp_path: Path, visit: Visit) -> None:
    particles = Path(demo.__file__).parent / "particles.pb"
    tokens = 'plugins.token_guard.tokens={ alice = "of-alice" }'
    alice = {"Authorization": "Bearer of-alice"}
    with running_server(tmp_path, tokens, "server.workers=1") as server:
        files = {"model": ("p.pb", particles.read_bytes())}
        stored = server.http.post("/upload", data={"name": "p"}, files=files, headers=alice)
        assert stored.status_code == 200
        assert server.http.get("/models/p/graph.pb").status_code == 401
        page = visit(f"{server.url}/#/models/p")
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox").fill("of-alice")
        dialog.get_by_role("button", name="Use it").click()
        page.get_by_role("link", name="Graph").click()
        expect(page.locator("#canvas .node").first).to_be_visible()


def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    # A module that is no package stands in its way.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "netron.py").touch()
    with fake_server(tmp_path, "server.workers=1") as server:
        for path in ("/netron/?model=vk", "/netron/view.js"):
            answer = server.http.get(path)
            assert answer.status_code == 404
            assert "pip install 'tfaas[netron]'" in answer.json()["error"]


def test_a_path_without_its_slash_leads_to_the_viewer(site: RunningServer) -> None:
    answer = site.http.get("/netron?model=digits&version=1")
    assert answer.status_code == 308
    assert answer.headers["location"] == "./netron/?model=digits&version=1"


def test_only_what_a_page_loads_is_served_of_the_package(site: RunningServer) -> None:
    assert site.http.get("/netron/view.js").status_code == 200
    for path in ("server.py", "__init__.py", "../numpy/version.py", "nowhere.js"):
        assert site.http.get(f"/netron/{path}").status_code == 404
