"""The files of a folder, compressed for whoever takes that."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.core.served_files import Get, with_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<p>hello")
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "large.bin").write_bytes(os.urandom(3 << 20))
    return tmp_path


def test_texts_are_sent_by_gzip_to_whoever_takes_it(folder: Path) -> None:
    text = "<p>hello " * 500
    taking = ("gzip", "br, GZip;q=0.5", "*", "deflate, *;q=0.1", "gzip, deflate, br, zstd")
    refusing = ("", "br", "identity", "gzip;q=0", "*;q=0", "*, gzip;q=0", "gzip;q=x", "gzipped")

    async def test(get: Get) -> None:
        for name in ("index.html", "app.js", "s.css", "d.json", "v.svg"):
            (folder / name).write_text(text)
            plain = await get(f"/ui/{name}")
            for accepted in taking:
                for _turn in range(2):
                    answer = await get(f"/ui/{name}", f"Accept-Encoding: {accepted}")
                    assert answer.headers["content-encoding"] == "gzip", accepted
                    assert gzip.decompress(answer.body).decode() == text
                    assert len(answer.body) < len(text) / 10
                    same = {*plain.headers} - {"content-length"}
                    assert {k: answer.headers[k] for k in same} == {
                        k: plain.headers[k] for k in same
                    }
            for accepted in refusing:
                answer = await get(f"/ui/{name}", f"Accept-Encoding: {accepted}")
                assert "content-encoding" not in answer.headers, accepted
                assert answer.body.decode() == text
            assert plain.headers["vary"] == "Accept-Encoding"
        both = await get("/ui/app.js", "Accept-Encoding: br", "Accept-Encoding: gzip")
        assert both.headers["content-encoding"] == "gzip"

    with_files(folder, test)


def test_what_gzip_would_not_shorten_is_sent_as_it_is(folder: Path) -> None:
    (folder / "noise.txt").write_bytes(os.urandom(5000))
    (folder / "p.png").write_bytes(bytes(5000))
    (folder / "a.tar.gz").write_bytes(bytes(5000))

    async def test(get: Get) -> None:
        for name in ("noise.txt", "p.png", "a.tar.gz", "app.js", "large.bin"):
            answer = await get(f"/ui/{name}", "Accept-Encoding: gzip")
            assert "content-encoding" not in answer.headers, name
            assert answer.body == (folder / name).read_bytes()
            is_text = name.endswith((".txt", ".js"))
            assert ("vary" in answer.headers) == is_text

    with_files(folder, test)


def test_what_was_compressed_is_known_again_and_new_once_it_changes(folder: Path) -> None:
    async def test(get: Get) -> None:
        for text in ("one " * 1000, "two " * 2000):
            (folder / "app.js").write_text(text)
            packed = await get("/ui/app.js", "Accept-Encoding: gzip")
            assert gzip.decompress(packed.body).decode() == text
            for accepted in ("gzip", "identity"):
                known = (f"If-None-Match: {packed.headers['etag']}", f"Accept-Encoding: {accepted}")
                answer = await get("/ui/app.js", *known)
                assert (answer.status, answer.headers["vary"]) == (304, "Accept-Encoding")
            head = await get("/ui/app.js", "Accept-Encoding: gzip", method="HEAD")
            assert head.headers == packed.headers

    with_files(folder, test)
