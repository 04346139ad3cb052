"""`tfaas download` and `tfaas delete`, with a real server."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.cli.client.commands import PARTICLES, run
from tests.cli.conftest import DEMO, Fails, Tfaas
from tfaas_core.testing.server import RunningServer


def test_a_deleted_model_is_gone(tfaas: Tfaas, fails: Fails, server: RunningServer) -> None:
    tfaas("upload", PARTICLES)
    assert tfaas("delete", "particles") == "deleted particles\n"
    assert server.names() == []
    assert "there is no model 'particles'" in fails("delete", "particles")
    for odd in ("../models", "a/b", "a?b", "ü", "a b"):
        assert "there is no model" in fails("delete", odd)


def test_a_download_can_be_uploaded_again(tfaas: Tfaas, server: RunningServer, here: Path) -> None:
    params = DEMO / "particles.params.json"
    tfaas("upload", PARTICLES, "--params", params, "--name", "particles")
    assert tfaas("download", "particles") == "particles.tar.gz\n"
    assert [file.name for file in here.iterdir()] == ["particles.tar.gz"]
    tfaas("upload", "particles.tar.gz", "--name", "back")
    there, back = (server.http.get(f"/models/{name}").json() for name in ("particles", "back"))
    for key in ("checksum", "description", "features", "signature"):
        assert there.get(key) == back.get(key)


def test_a_download_goes_where_it_is_told_to(tfaas: Tfaas, here: Path) -> None:
    tfaas("upload", PARTICLES)
    target = here / "t.tar.gz"
    target.write_bytes(b"old")
    (here / "link").symlink_to(target)
    assert tfaas("download", "particles", "-o", "link") == ""
    assert (here / "link").is_symlink()
    assert tarfile.is_tarfile(target)
    tfaas("download", "particles", "-o", "/dev/null")
    assert Path("/dev/null").is_char_device()
    piped = run("download", "particles", "-o", "/dev/stdout").stdout
    with tarfile.open(fileobj=io.BytesIO(piped)) as archive:
        assert archive.getnames() == ["particles/particles.pb"]


def test_a_failed_download_leaves_nothing(
    fails: Fails, tfaas: Tfaas, here: Path, speaker: Callable[[bytes], str]
) -> None:
    (here / "kept.tar.gz").write_bytes(b"old")
    assert "there is no model 'kept'" in fails("download", "kept")
    for broken in (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde",
    ):
        url = speaker(broken)
        assert f"the connection to {url} broke" in fails("download", "kept", "--url", url)
    assert (here / "kept.tar.gz").read_bytes() == b"old"
    assert len(list(here.iterdir())) == 1
    tfaas("upload", PARTICLES)
    said = fails("download", "particles", "-o", here / "no" / "x.tar.gz")
    assert said.endswith("x.tar.gz cannot be written: No such file or directory")
