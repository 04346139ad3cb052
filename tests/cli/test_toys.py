"""The commands, and models of a third-party runtime."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.conftest import Fails, Tfaas
from tests.plugin_site import environment_with, write_plugin
from tests.toy import MODEL, TOY
from tfaas_core.testing.server import RunningServer, running_server

ENDS = "x float32 [?, 3] -> y float32 [?, 3]"
BY_PARAMS = {"runtime": "toy", "model": "double.json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("toys")
    write_plugin(folder / "site", "tfaas-toy", TOY)
    env = environment_with(folder / "site")
    with running_server(folder, "server.workers=1", env=env) as running:
        yield running


@pytest.fixture(autouse=True)
def _url(server: RunningServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFAAS_URL", server.url)


def folder_of(place: Path, file: str, **params: object) -> Path:
    place.mkdir(parents=True)
    (place / file).write_bytes(MODEL)
    if params:
        (place / "params.json").write_text(json.dumps(params))
    return place


def test_a_file_and_a_folder_are_uploaded_and_downloaded(tfaas: Tfaas, here: Path) -> None:
    folder = folder_of(here / "double", "double.toy")
    for path, version in ((folder, 1), (folder / "double.toy", 2)):
        assert tfaas("upload", path) == f"double, version {version}: {ENDS}\n"
        assert tfaas("predict", "double", "--values", "[1, 2, 3]") == "[2.0,4.0,6.0]\n"
        tfaas("download", "double", "-o", f"{version}.tar.gz")
        with tarfile.open(here / f"{version}.tar.gz") as archive:
            assert archive.getnames() == ["double/double.toy"]


def test_params_of_an_old_folder_name_the_file_and_its_runtime(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    folder_of(here / "models" / "old", "double.json", **BY_PARAMS)
    assert tfaas("import", "models") == f"old, version 1: {ENDS}\n"
    assert tfaas("import", "models") == "old, version 1: there already\n"
    assert server.http.get("/params/old").json() == BY_PARAMS


def test_a_copied_model_keeps_its_runtime(tfaas: Tfaas, server: RunningServer, here: Path) -> None:
    tfaas("upload", folder_of(here / "copied", "double.json", **BY_PARAMS))
    root = server.log.parent / "models"
    for name, folder in (("a", root), ("b", here / "b")):
        (here / f"{name}.toml").write_text(f"[storage]\nroot = {json.dumps(str(folder))}\n")
    copied = tfaas("copy", "copied", "--from", "a.toml", "--to", "b.toml")
    assert copied == "copied: 1 version copied\n"
    storage = FilesystemStorage(here / "b")
    storage.open()
    try:
        (model,) = storage.list()
        assert (model.live.runtime, model.live.params) == ("toy", BY_PARAMS)
    finally:
        storage.close()


def test_inspect_says_what_the_server_would(
    tfaas: Tfaas, fails: Fails, here: Path, site: Path
) -> None:
    write_plugin(site, "tfaas-toy", TOY)
    named = folder_of(here / "named", "double.toy")
    by_params = folder_of(here / "by-params", "double.json", **BY_PARAMS)
    for path in (named, named / "double.toy", by_params):
        assert json.loads(tfaas("inspect", path, "--json"))["runtime"] == "toy"
    assert "NAME being graph or toy" in fails("inspect", by_params / "double.json")
    (by_params / "params.json").unlink()
    assert "no graph (.pb) and no toy model (.toy)" in fails("inspect", by_params)
