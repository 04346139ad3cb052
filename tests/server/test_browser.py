"""What a real browser makes of the server's answers: Chromium, without a window."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.chromium import FLAGS, chromium
from tests.plugin_site import write_plugin
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer

PAGE = """<!doctype html><title>elsewhere</title><pre id="said"></pre><script>
const said = [];
async function ask(what, url, options) {
  try {
    const answer = await fetch(url, options);
    said.push(`${what} ${answer.status} ${answer.headers.get("TFaaS-Model")}`);
  } catch { said.push(`${what} refused`); }
}
const json = {"Content-Type": "application/json", "X-Request-Id": "page-1"};
const row = JSON.stringify({model: "vk", values: [1, 2, 3]});
(async () => {
  await ask("predict", "URL/json", {method: "POST", headers: json, body: row});
  await ask("error", "URL/json", {method: "POST", headers: json, body: "{"});
  await ask("list", "URL/models");
  await ask("delete", "URL/delete/vk", {method: "DELETE"});
  document.getElementById("said").textContent = said.join("; ") + ".";
})();
</script>"""

OWN_PAGE = """<!doctype html><title>own</title><p id="inline">kept out</p><p id="own"></p>
<script>document.getElementById("inline").textContent = "ran"</script>
<script src="own.js"></script>"""

PLUGIN = """
from pathlib import Path
from tfaas_core import StaticFiles, hookimpl

@hookimpl
def tfaas_register_routes():
    return StaticFiles("/pages", Path(__file__).parent / "pages")
"""


@contextmanager
def elsewhere(folder: Path) -> Iterator[str]:
    """Serves a folder from another origin, which is given."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def shown(url: str, folder: Path) -> str:
    """The page as it is once its scripts have run."""
    options = ("--headless", *FLAGS, "--virtual-time-budget=20000")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [chromium(), *options, profile, "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def said(server: RunningServer, folder: Path, origin: str) -> str:
    (folder / "page.html").write_text(PAGE.replace("URL", server.url))
    found = re.search(r'<pre id="said">(.*?)</pre>', shown(f"{origin}/page.html", folder))
    assert found
    return found[1]


def test_scripts_of_an_origin_that_is_allowed_read_what_they_may(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with (
        elsewhere(tmp_path / "other") as origin,
        fake_server(tmp_path, "server.workers=1", f'cors.origins=["{origin}"]') as server,
    ):
        assert server.upload("vk", b"sum").status_code == 200
        assert said(server, tmp_path / "other", origin) == (
            "predict 200 vk/1; error 400 null; list 200 null; delete refused."
        )
        assert server.names() == ["vk"]


def test_unless_it_is_configured_no_script_of_another_origin_reads_anything(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    with (
        elsewhere(tmp_path / "other") as origin,
        fake_server(tmp_path, "server.workers=1") as server,
    ):
        assert server.upload("vk", b"sum").status_code == 200
        assert said(server, tmp_path / "other", origin) == (
            "predict refused; error refused; list refused; delete refused."
        )


def test_a_page_of_a_plugin_runs_its_own_files_and_nothing_inline(tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "tfaas-pages", PLUGIN)
    pages = tmp_path / "site" / "pages"
    pages.mkdir()
    (pages / "index.html").write_text(OWN_PAGE)
    (pages / "own.js").write_text('document.getElementById("own").textContent = "ran"')
    with fake_server(tmp_path, "server.workers=1") as server:
        page = shown(f"{server.url}/pages/", tmp_path)
    assert '<p id="inline">kept out</p>' in page
    assert '<p id="own">ran</p>' in page
