"""``tfaas import``: the folder of an original TFaaS server, into a running one."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import DEMO, Fails, Tfaas
from tfaas_core.cli import main
from tfaas_core.testing.server import RunningServer, running_server

PARTICLES = DEMO / "particles.pb"
ENDS = "particles float32 [?, 42] -> signal float32 [?, 1]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server"), "server.workers=1") as running:
        yield running


@pytest.fixture(autouse=True)
def url(server: RunningServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The command finds the server by itself; it has no models before a test."""
    monkeypatch.setenv("TFAAS_URL", server.url)
    yield server.url
    for name in server.names():
        server.http.delete(f"/delete/{name}")


@pytest.fixture
def old(here: Path) -> Path:
    """A ``modelDir`` with one graph, as the original server stores what it is sent."""
    folder = here / "models"
    _graph(folder / "vk", name="vk", model="model.pb", labels="labels.txt", description="old")
    (folder / "vk" / "labels.txt").write_text("signal\n")
    return folder


def _graph(folder: Path, **params: object) -> None:
    folder.mkdir(parents=True)
    shutil.copy(PARTICLES, folder / "model.pb")
    (folder / "params.json").write_text(json.dumps(params))


def _saved_model(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    with tarfile.open(DEMO / "digits.tar.gz") as tarball:
        tarball.extractall(folder.parent, filter="data")
        top = tarball.getnames()[0].split("/")[0]
    (folder.parent / top).rename(folder)


def _bytes_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_graphs_and_saved_models_come_with_their_params_and_labels(
    tfaas: Tfaas, server: RunningServer, old: Path
) -> None:
    _saved_model(old / "numbers")
    before = _bytes_in(old)
    lines = tfaas("import", old).splitlines()
    assert [line.partition(" -> ")[0] for line in lines] == [
        "numbers, version 1: picture float32 [?, 8, 8, 1]",
        "vk, version 1: particles float32 [?, 42]",
    ]
    record = server.http.get("/models/vk").json()
    assert (record["description"], record["labels"]) == ("old", "labels.txt")
    assert server.predict(model="vk", values=[0.5] * 42).status_code == 200
    assert _bytes_in(old) == before


def test_what_is_there_already_is_skipped(tfaas: Tfaas, old: Path) -> None:
    _saved_model(old / "numbers")
    tfaas("import", old)
    assert tfaas("import", old).splitlines() == [
        "numbers, version 1: there already",
        "vk, version 1: there already",
    ]


def test_what_was_changed_becomes_a_new_version(tfaas: Tfaas, old: Path) -> None:
    tfaas("import", old)
    (old / "vk" / "params.json").write_text('{"model": "model.pb", "description": "new"}')
    assert tfaas("import", old) == f"vk, version 2: {ENDS}\n"


def test_a_newer_upload_is_not_undone(tfaas: Tfaas, server: RunningServer, old: Path) -> None:
    tfaas("import", old)
    newer = PARTICLES.read_bytes().replace(b"signal", b"sigma_")
    assert server.upload("vk", newer).status_code == 200
    assert tfaas("import", old) == "vk, version 1: there already\n"
    assert server.http.get("/models/vk").json()["version"] == 2


@pytest.mark.parametrize(
    "params",
    [
        {"Model": "model.pb"},
        {"Model": "model.pb", "Labels": "", "InputNode": "particles", "Description": "x"},
        {"NAME": "other", "model": "model.pb", "Input_Node": "particles"},
    ],
)
def test_in_whatever_case_params_are_written_it_is_there_already(
    tfaas: Tfaas, here: Path, params: dict[str, str]
) -> None:
    _graph(here / "models" / "vk", **params)
    tfaas("import", "models")
    assert tfaas("import", "models") == "vk, version 1: there already\n"


def test_a_link_to_a_model_has_a_name_of_its_own(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    _graph(here / "store" / "abc123", model="model.pb")
    (here / "models").mkdir()
    (here / "models" / "prod").symlink_to(here / "store" / "abc123")
    tfaas("import", "models")
    assert server.names() == ["prod"]


def test_folders_without_files_are_no_failures(tfaas: Tfaas, old: Path) -> None:
    (old / "empty" / "deep").mkdir(parents=True)
    (old / "lost+found").mkdir()
    assert tfaas("import", old).splitlines() == [
        "empty: no file is in there, skipped",
        f"vk, version 1: {ENDS}",
    ]


def test_a_dry_run_refuses_a_name_that_no_model_may_have(
    old: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _graph(old / "a b", model="model.pb")
    assert main(["import", str(old), "--dry-run"]) == 1
    assert capfd.readouterr().err.startswith("tfaas: a b: 'a b' cannot name a model")


def test_a_model_file_that_is_named_and_not_there_is_said(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _graph(here / "models" / "vk", model="gone.pb")
    assert main(["import", "models"]) == 0
    said = "tfaas: vk: there is no model file gone.pb, taking model.pb\n"
    assert capfd.readouterr().err == said


def test_clients_call_a_model_by_its_folder_whatever_its_params_say(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    _graph(here / "models" / "called", Name="otherwise", Model="model.pb")
    tfaas("import", "models")
    assert server.names() == ["called"]


def test_one_model_s_folder_will_do(tfaas: Tfaas, server: RunningServer, old: Path) -> None:
    tfaas("import", old / "vk")
    assert server.names() == ["vk"]


def test_a_dry_run_stores_nothing(tfaas: Tfaas, server: RunningServer, old: Path) -> None:
    assert tfaas("import", old, "--dry-run") == "vk: would be stored\n"
    assert server.names() == []


def test_what_cannot_be_stored_is_named_and_the_others_go_on(
    old: Path, capfd: pytest.CaptureFixture[str], server: RunningServer
) -> None:
    _graph(old / "a b", model="model.pb")
    _graph(old / "elsewhere", model="../vk/model.pb")
    _graph(old / "two", model="gone.pb")
    shutil.copy(PARTICLES, old / "two" / "other.pb")
    (old / "broken").mkdir()
    (old / "broken" / "params.json").write_text("{")
    (old / "notes").mkdir()
    (old / "notes" / "README").write_text("no model")
    assert main(["import", str(old)]) == 1
    out, err = capfd.readouterr()
    assert out == f"vk, version 1: {ENDS}\n"
    lines = {line.split(": ")[1]: line for line in err.splitlines() if line.startswith("tfaas: ")}
    assert "'a b'" in lines["a b"]
    assert "not a file beside it" in lines["elsewhere"]
    assert "holds 2 graphs" in lines["two"]
    assert "is not JSON" in lines["broken"]
    assert "holds no SavedModel and no graph" in lines["notes"]
    assert err.endswith("5 of 6 models were not stored\n")
    assert server.names() == ["vk"]


def test_labels_that_are_named_and_not_there_are_said(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _graph(here / "models" / "vk", model="model.pb", labels="labels.csv")
    assert main(["import", "models"]) == 0
    out, err = capfd.readouterr()
    assert out == f"vk, version 1: {ENDS}\n"
    assert err == "tfaas: vk: there are no labels labels.csv, going on\n"


def test_an_empty_folder_holds_no_models(tfaas: Tfaas, here: Path) -> None:
    (here / "models").mkdir()
    assert tfaas("import", "models") == "there are no models in models\n"


def test_json_tells_the_same(tfaas: Tfaas, old: Path) -> None:
    told = json.loads(tfaas("import", old, "--json"))
    assert told == {
        "models": [{"name": "vk", "outcome": f"vk, version 1: {ENDS}"}],
        "failed": [],
    }


def test_a_folder_that_is_not_there_is_a_wrong_usage(fails: Fails) -> None:
    assert "does not exist" in fails("import", "gone", status=2)
