"""The files of a folder, as clients get them, and what they do not get."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.core.http.served import Served, serve_host
from tests.core.plugins.sources import InstallPlugin, at_rest
from tests.core.served_files import FilesHost, Get, with_files
from tfaas_core import static_files
from tfaas_core.config import load_config
from tfaas_core.errors import PluginError
from tfaas_core.static_files import StaticFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages, and beside them what nobody may see."""
    made = tmp_path / "pages"
    (made / "sub" / "bare").mkdir(parents=True)
    (made / "index.html").write_text("<p>hello")
    (made / "sub" / "index.html").write_text("<p>below")
    (made / "a b+ü.txt").write_text("odd name")
    (made / "within").symlink_to("sub")
    (made / "app.js").write_text("1")
    (made / "large.bin").write_bytes(os.urandom(static_files._LARGE_BYTES * 3 + 7))
    (tmp_path / "pages-secret").mkdir()
    (tmp_path / "pages-secret" / "key.txt").write_text("secret")
    (made / "out.txt").symlink_to("../pages-secret/key.txt")
    (made / "out").symlink_to("../pages-secret")
    (made / "loop").symlink_to("loop")
    os.mkfifo(made / "pipe")
    return made


def test_files_are_served_with_their_media_types(folder: Path) -> None:
    types = {
        **{"index.html": "text/html; charset=utf-8", "app.js": "text/javascript; charset=utf-8"},
        **{"s.css": "text/css; charset=utf-8", "d.json": "application/json", "p.png": "image/png"},
        **{"m.wasm": "application/wasm", "f.woff2": "font/woff2", "v.svg": "image/svg+xml"},
        **{"a.tar.gz": "application/gzip", "a.bz2": "application/octet-stream"},
        **{"none": "application/octet-stream", "a.odd": "application/octet-stream"},
        **{"data:x.html": "text/html; charset=utf-8"},
    }

    async def test(get: Get) -> None:
        for name, media_type in types.items():
            (folder / name).write_text(name)
            answer = await get(f"/ui/{name}")
            assert (answer.status, answer.body) == (200, name.encode())
            assert answer.headers["content-type"] == media_type, name
            assert answer.headers["x-content-type-options"] == "nosniff"

    with_files(folder, test)


def test_a_folder_is_its_index_and_never_listed(folder: Path) -> None:
    async def test(get: Get) -> None:
        assert (await get("/ui/")).body == b"<p>hello"
        for target in ("/ui/sub/", "/ui/sub/index.html", "/ui/within/", "/ui/sub//"):
            assert (await get(target)).body == b"<p>below"
        for target in ("/ui/sub/bare/", "/ui/sub/bare"):
            assert (await get(target)).status == 404
        folders = {"/ui": "./ui/", "/ui/sub": "./sub/", "/ui/sub?a": "./sub/"}
        for target, location in folders.items():
            answer = await get(target)
            assert (answer.status, answer.headers["location"]) == (308, location)

    with_files(folder, test)


def test_they_may_be_all_that_is_served(folder: Path) -> None:
    async def test(get: Get) -> None:
        for target in ("/", "/index.html", ""):
            assert (await get(f"/{target.lstrip('/')}")).body == b"<p>hello"
        assert (await get("/sub/")).body == b"<p>below"
        assert (await get("/a%20b+%C3%BC.txt")).body == b"odd name"

    with_files(folder, test, path="/")


@pytest.mark.parametrize(
    "target",
    [
        *("../pages-secret/key.txt", "..%2Fpages-secret/key.txt", "%2e%2e/pages-secret/key.txt"),
        *("sub/../../pages-secret/key.txt", "sub/../index.html", "./index.html", "sub//index.html"),
        *("%252e%252e/pages-secret/key.txt", "..%5cpages-secret%5ckey.txt", "..", "sub/.."),
        *("out.txt", "out/key.txt", "out", "out/", "loop", "loop/", "pipe", "pipe/"),
        *("/etc/passwd", "%2Fetc%2Fpasswd", "index.html%00", "%00", "index.html%00.txt", "nothing"),
        *("index.html/", "index.html/x", "x" * 3000, "/".join("y" * 2000), "a\udcffb"),
    ],
)
def test_what_is_no_file_in_the_folder_is_a_404(folder: Path, tmp_path: Path, target: str) -> None:
    async def test(get: Get) -> None:
        for target_of in ("/ui/{}", "/ui/{}?q=1"):
            answer = await get(target_of.format(target.replace("\udcff", "%ED%B3%BF")))
            assert answer.status in (400, 404), answer.body
            assert b"secret" not in answer.body.replace(b"pages-secret", b"")
            assert b"root:" not in answer.body
            assert str(tmp_path).encode() not in answer.body

    with_files(folder, test)


def test_what_has_not_changed_is_not_sent_again(folder: Path) -> None:
    async def test(get: Get) -> None:
        for name in ("index.html", "large.bin"):
            first = (await get(f"/ui/{name}")).headers
            tag, since = first["etag"], first["last-modified"]
            assert first["cache-control"] == "no-cache"
            for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
                answer = await get(f"/ui/{name}", f"If-None-Match: {known}")
                assert answer.status == 304
                assert answer.headers["etag"] == tag
            assert (await get(f"/ui/{name}", f"If-Modified-Since: {since}")).status == 304
            # The tag alone counts if there is one.
            both = ('If-None-Match: "x"', f"If-Modified-Since: {since}")
            assert (await get(f"/ui/{name}", *both)).status == 200
            for odd in ("yesterday", "", "Thu, 01 Jan 1970 00:00:00 GMT"):
                assert (await get(f"/ui/{name}", f"If-Modified-Since: {odd}")).status == 200
            (folder / name).write_text("changed")
            answer = await get(f"/ui/{name}", f"If-None-Match: {tag}")
            assert (answer.status, answer.body) == (200, b"changed")

    with_files(folder, test)


def test_a_large_file_is_streamed_whole_and_its_length_said(folder: Path) -> None:
    async def test(get: Get) -> None:
        content = (folder / "large.bin").read_bytes()
        for _turn in range(2):
            answer = await get("/ui/large.bin")
            assert answer.headers["content-length"] == str(len(content))
            assert answer.body == content

    with_files(folder, test)


@pytest.mark.parametrize("name", ["index.html", "large.bin"])
def test_head_says_what_get_would(folder: Path, name: str) -> None:
    async def test(get: Get) -> None:
        for _turn in range(2):
            head = await get(f"/ui/{name}", method="HEAD")
            assert head.status == 200
            assert head.headers == (await get(f"/ui/{name}")).headers
        assert (await get("/ui/nothing", method="HEAD")).status == 404
        assert (await get("/ui/index.html", "Content-Length: 0", method="POST")).status == 405

    with_files(folder, test)


def test_a_large_file_that_changes_before_it_is_sent_is_a_503(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Any = static_files._read

    def changed(found: Any) -> Any:
        (folder / "large.bin").write_bytes(b"short")
        return read(found)

    monkeypatch.setattr(static_files, "_read", changed)

    async def test(get: Get) -> None:
        answer = await get("/ui/large.bin")
        assert answer.status == 503
        assert b"the file is being changed; try again" in answer.body

    with_files(folder, test)


def test_clients_that_go_away_leave_no_file_open_and_no_word_in_the_log(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def beside(served: Served) -> None:
        clients = [await served.connect() for _ in range(10)]
        for client in clients:
            client.writer.write(b"GET /ui/large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        await clients[0].reader.readuntil(b"\r\n\r\n")
        for client in clients:
            client.writer.transport.abort()
        async with asyncio.timeout(10):
            while any("large.bin" in _target(fd) for fd in os.listdir("/proc/self/fd")):
                await asyncio.sleep(0.01)

    serve_host(FilesHost("/ui", folder), beside)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def test_a_folder_that_is_missing_is_a_start_up_error(install_plugin: InstallPlugin) -> None:
    source = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.static_files import StaticFiles

@hookimpl
def tfaas_register_routes():
    return StaticFiles("/ui", "/no/such/folder")
"""
    install_plugin("tfaas-ui", source)
    with pytest.raises(PluginError) as caught:
        at_rest(load_config(environ={})).routes()
    assert caught.value.message == (
        "plugin tfaas_ui (tfaas-ui 1.0) failed in tfaas_register_routes: NotADirectoryError: there "
        "is no folder '/no/such/folder' to serve at /ui; fix it, or list it in [plugins] disabled"
    )


def test_two_plugins_may_not_serve_the_same_path(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    source = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.static_files import StaticFiles

@hookimpl
def tfaas_register_routes():
    return [*StaticFiles("/ui/", FOLDER)]
"""
    for name in ("tfaas-a", "tfaas-b"):
        install_plugin(name, source.replace("FOLDER", repr(str(tmp_path))))
    with pytest.raises(PluginError, match="both claim the route `GET /ui`"):
        at_rest(load_config(environ={})).routes()


def test_files_that_are_public_are_so_on_each_path(tmp_path: Path) -> None:
    assert [route.public for route in StaticFiles("/ui", tmp_path)] == [False, False]
    assert [route.public for route in StaticFiles("/ui", tmp_path, public=True)] == [True, True]
