"""The endpoints are exactly those that the registered plugins compose."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tfaas_core.testing.clients import fake_server


def test_without_the_json_codec_there_is_no_json_endpoint(tmp_path: Path) -> None:
    disabled = ["tfaas_plugins.codecs.json"]
    with fake_server(tmp_path, "server.workers=1", disabled=disabled) as server:
        for path in ("/json", "/predict/json"):
            answer = server.http.post(path, json={"values": [1]})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert server.http.get("/models").json() == []


def test_all_paths_live_under_the_base(tmp_path: Path) -> None:
    with fake_server(tmp_path, "server.workers=1", "server.base=/tfaas") as server:
        assert server.url.endswith("/tfaas")
        assert server.http.get("/models").json() == []
        root = server.url.removesuffix("/tfaas")
        assert httpx.get(f"{root}/models").status_code == 404


def test_what_exceeds_a_limit_is_refused_and_the_key_is_named(tmp_path: Path) -> None:
    limits = ("server.max_body_bytes=1000", "limits.max_upload_bytes=100000")
    with fake_server(tmp_path, "server.workers=1", *limits) as server:
        body = server.predict(model="nobody", values=[0] * 1000)
        assert (body.status_code, body.json()["code"]) == (413, "too_large")
        assert "server.max_body_bytes" in body.json()["error"]
        upload = server.upload("large", b"x" * 100_000)
        assert (upload.status_code, upload.json()["code"]) == (413, "too_large")
        assert "limits.max_upload_bytes" in upload.json()["error"]
        assert server.names() == []
        assert list((tmp_path / "models").glob(".staging/*")) == []


def test_what_is_raised_while_it_runs_comes_with_its_log(tmp_path: Path) -> None:
    running = fake_server(tmp_path, "server.workers=1")
    with pytest.raises(AssertionError) as raised, running as server:
        assert server.upload("vk", b"sum").status_code == 422
    (note,) = raised.value.__notes__
    assert note.startswith("The server's log:\n")
    assert "loaded vk version=1" in note
