"""Bundles and base64 uploads, as TFaaS clients send them."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Callable

import httpx
import pytest

from tfaas_core.testing.server import RunningServer

pytestmark = pytest.mark.usefixtures("clean")

OCTETS = "application/octet-stream"


def tarred(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def graph(scale_graph: Callable[[float], bytes]) -> bytes:
    return scale_graph(3.0)


def post(
    server: RunningServer, body: bytes, query: str = "", path: str = "/upload", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post(f"{path}{query}", content=body, headers=named)


def test_the_documented_bundle_line_stores_the_model(server: RunningServer, graph: bytes) -> None:
    params = b'{"description": "bundled"}'
    bundle = tarred({"vk/graph.pb": graph, "vk/params.json": params, "vk/labels.txt": b"a\nb\nc\n"})
    stored = post(server, bundle, content_encoding="gzip", content_type=OCTETS)
    assert stored.status_code == 200, stored.text
    record = stored.json()
    assert [record[key] for key in ("name", "model", "labels")] == ["vk", "graph.pb", "labels.txt"]
    assert record["description"] == "bundled"
    assert record["size"] == len(graph)
    assert server.predict(model="vk", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("path", ["/upload", "/bundle"])
def test_a_bundle_is_found_by_its_bytes_and_named_by_the_query(
    server: RunningServer, graph: bytes, mode: str, path: str
) -> None:
    bundle = tarred({"graph.pb": graph}, mode)
    assert post(server, bundle, path=path, content_type=OCTETS).json()["field"] == "name"
    stored = post(server, bundle, "?name=named", path, content_type=OCTETS)
    assert stored.json()["name"] == "named", stored.text


def test_a_bundle_may_be_the_forms_model(server: RunningServer, graph: bytes) -> None:
    stored = server.upload("formed", tarred({"vk/graph.pb": graph}))
    assert stored.json()["name"] == "formed", stored.text
    assert server.predict(model="formed", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]


def test_the_classic_clients_base64_form_is_read(server: RunningServer, graph: bytes) -> None:
    web_safe = base64.urlsafe_b64encode(graph).rstrip(b"=")
    for encoded in (base64.b64encode(graph), base64.encodebytes(graph), web_safe):
        stored = server.http.post(
            "/upload",
            data={"name": "classic"},
            files={"model": ("model.pb", encoded)},
            headers={"Content-Encoding": "base64"},
        )
        assert stored.status_code == 200, stored.text
        assert stored.json()["size"] == len(graph)
    assert server.predict(model="classic", values=[1, 2, 3]).json() == [3.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (lambda graph: b"", {}, 400, "tarball"),
        (lambda graph: b"rubbish" * 100, {}, 400, "tarball"),
        (lambda graph: graph, {}, 400, "tarball"),
        (lambda graph: gzip.compress(b"no tarball" * 100), {}, 400, "tarball"),
        (lambda graph: tarred({"vk/g.pb": graph})[:100], {}, 400, "tarball"),
        (
            lambda graph: tarred({"vk/g.pb": graph}, "w"),
            {"content_encoding": "gzip"},
            400,
            "not gzip",
        ),
        (lambda graph: graph, {"content_encoding": "base64"}, 400, "not base64"),
        (lambda graph: graph, {"content_encoding": "br"}, 415, "Content-Encoding"),
        (lambda graph: tarred({"../x.pb": graph}), {}, 400, "leads out"),
        (lambda graph: tarred({"-bad/g.pb": graph}), {}, 422, "name"),
        (lambda graph: tarred({"vk/readme": b""}), {}, 422, "no saved_model.pb"),
        (
            lambda graph: tarred({f"vk/{n}": b"" for n in range(20_000)}),
            {},
            413,
            "max_bundle_files",
        ),
    ],
)
def test_a_bad_bundle_is_refused_and_changes_nothing(
    server: RunningServer,
    graph: bytes,
    body: Callable[[bytes], bytes],
    headers: dict[str, str],
    status: int,
    words: str,
) -> None:
    answer = post(server, body(graph), **{"content_type": OCTETS} | headers)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]
    assert server.names() == []


@pytest.mark.parametrize(("start", "words"), [(b"PK\x03\x04", "model.export"), (b"BZh", "tar cfz")])
def test_an_archive_that_is_no_bundle_is_told_what_to_be(
    server: RunningServer, start: bytes, words: str
) -> None:
    answer = server.upload("archive", start + bytes(600))
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["error"]


def test_a_downloaded_bundle_uploads_again_to_the_same_answers(
    server: RunningServer, graph: bytes
) -> None:
    params = b'{"description": "there and back", "features": ["a", "b", "c"]}'
    stored = server.upload("there", graph, params=params, labels=b"x\ny\nz\n").json()
    packed = server.http.get("/models/there/download")
    assert packed.headers["Content-Type"] == "application/gzip"
    assert "there.tar.gz" in packed.headers["Content-Disposition"]
    back = post(server, packed.content, "?name=back", content_type=OCTETS)
    assert back.status_code == 200, back.text
    same = ("inputNode", "outputNode", "description", "features", "signature", "checksum", "size")
    assert [back.json()[key] for key in same] == [stored[key] for key in same]
    again = server.http.get("/models/back/download").content
    assert names_in(again) == ["back/model.pb", "back/params.json", "back/labels.txt"]
    row = {"values": [3, 1, 2], "keys": ["c", "a", "b"]}
    assert server.predict(model="back", **row).json() == [3.0, 6.0, 9.0]
    assert server.http.get("/models/nobody/download").status_code == 404
    assert server.http.head("/models/there/download").content == b""


def names_in(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return archive.getnames()
