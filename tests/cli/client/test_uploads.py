"""`tfaas upload`, to a real server."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.client.commands import PARTICLES, WITHIN_S
from tests.cli.conftest import Fails, Tfaas
from tfaas_core.cli import main
from tfaas_core.testing.server import RunningServer


def test_an_upload_says_what_is_served_now(tfaas: Tfaas) -> None:
    ends = "particles float32 [?, 42] -> signal float32 [?, 1]"
    assert tfaas("upload", PARTICLES) == f"particles, version 1: {ends}\n"
    assert tfaas("upload", PARTICLES) == f"particles, version 2: {ends}\n"


def test_an_upload_takes_params_and_labels_and_the_name_in_the_params(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    (here / "p.json").write_text('{"name": "named", "description": "ünï", "owner": "me"}')
    (here / 'l "1".txt').write_text("signal\n")
    tfaas("upload", PARTICLES, "--params", "p.json", "--labels", 'l "1".txt')
    record = server.http.get("/models/named").json()
    assert (record["description"], record["owner"]) == ("ünï", "me")
    assert (record["model"], record["labels"]) == ("particles.pb", 'l "1".txt')


def test_an_upload_warns_of_labels_that_do_not_fit(
    here: Path, server: RunningServer, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "labels.txt").write_text("signal\nbackground\n")
    (here / "p.json").write_text('{"Name": "two"}')
    arguments = ["upload", str(PARTICLES), "--labels", "labels.txt", "--params", "p.json"]
    assert main([*arguments, "--url", server.url]) == 0
    captured = capfd.readouterr()
    assert captured.out.startswith("two, version 1: ")
    assert captured.err == (
        "tfaas: warning: there are 2 labels, but the model answers 1 number: the last one is never "
        "answered\n"
    )


def test_an_uploaded_tarball_has_its_own_name_unless_told_otherwise(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    for mode, tarball in (("w:gz", "a.tar.gz"), ("w", "b.bundle")):
        with tarfile.open(here / tarball, mode) as archive:  # type: ignore[call-overload]
            archive.add(PARTICLES, "packed/x.pb")
        tfaas("upload", tarball)
    assert server.names() == ["packed"]
    tfaas("upload", "a.tar.gz", "--name", "other")
    assert server.names() == ["other", "packed"]


def test_an_uploaded_folder_is_packed_under_its_name(
    tfaas: Tfaas, server: RunningServer, here: Path
) -> None:
    folder = here / "vk"
    (folder / "assets").mkdir(parents=True)
    (folder / "graph.pb").write_bytes(PARTICLES.read_bytes())
    (folder / "params.json").write_text('{"description": "inside", "owner": "me"}')
    (folder / "labels.txt").write_text("signal\n")
    tfaas("upload", folder)
    record = server.http.get("/models/vk").json()
    assert [record[key] for key in ("model", "labels", "description", "owner")] == [
        *("graph.pb", "labels.txt", "inside", "me")
    ]
    (here / "p.json").write_text('{"description": "outside"}')
    tfaas("upload", f"{folder}/", "--params", "p.json", "--name", "renamed")
    assert server.http.get("/models/renamed").json()["description"] == "outside"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tfaas("upload", ".")
    assert server.http.get("/models/vk").json()["version"] == 2


def test_an_uploaded_saved_model_answers(tfaas: Tfaas, here: Path) -> None:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    module = tf.Module()
    module.weights = tf.Variable([[1.0], [10.0], [100.0]])
    spec = tf.TensorSpec([None, 3], tf.float32, "row")
    module.serve = tf.function(lambda row: {"sum": row @ module.weights}, input_signature=[spec])
    tf.saved_model.save(module, str(here / "sum"), signatures={"serving_default": module.serve})
    assert tfaas("upload", "sum").startswith("sum, version 1: row float32 [?, 3] -> sum float32")
    assert tfaas("predict", "sum", "--values", "[1, 2, 3]") == "[321.0]\n"


def test_a_folder_with_anything_but_files_and_folders_is_not_sent(
    fails: Fails, server: RunningServer, here: Path
) -> None:
    folder = here / "vk"
    (folder / "deep").mkdir(parents=True)
    (folder / "graph.pb").write_bytes(PARTICLES.read_bytes())
    for make in (
        lambda path: path.symlink_to(PARTICLES),
        lambda path: path.symlink_to(here),
        lambda path: path.symlink_to(here / "nowhere"),
        os.mkfifo,
    ):
        make(folder / "deep" / "odd")
        assert "vk/deep/odd is neither a regular file nor a folder" in fails("upload", "vk")
        (folder / "deep" / "odd").unlink()
    assert server.names() == []


def test_what_is_no_model_is_not_sent(fails: Fails, here: Path) -> None:
    (here / "empty").mkdir()
    assert fails("upload", "empty") == "empty holds no model"
    (here / "empty" / "params.json").touch()
    assert fails("upload", "empty") == "empty holds no model"
    os.mkfifo(here / "pipe")
    assert fails("upload", "pipe") == "pipe is neither a regular file nor a folder"


def test_a_refused_upload_says_what_the_server_says(fails: Fails, here: Path) -> None:
    (here / "broken.pb").write_bytes(b"rubbish" * 100)
    assert "not a frozen TensorFlow graph" in fails("upload", "broken.pb")
    (here / "p.json").write_text("[]")
    assert fails("upload", PARTICLES, "--params", "p.json") == "params is not a JSON object"
    assert "'-bad' cannot name a model" in fails("upload", PARTICLES, "--name=-bad")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_upload_of_any_size_takes_little_memory(here: Path, kind: str) -> None:
    (here / "big").mkdir()
    model = here / "big" / "big.pb"
    model.touch()
    os.truncate(model, 1 << 28)
    path = model if kind == "file" else model.parent
    code = "from tfaas_core.cli import main; from pathlib import Path; import sys\n"
    code += "main(['upload', sys.argv[1]]); print(Path('/proc/self/status').read_text())"
    command: list[str | Path] = [sys.executable, "-c", code, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WITHIN_S)
    # It was sent to the end: only the whole can be told from a model.
    assert {"file": "no server could hold", "folder": "decompression bomb"}[kind] in done.stderr
    words = done.stdout.split()
    assert int(words[words.index("VmHWM:") + 1]) * 1024 < 1 << 27


def test_a_large_upload_that_is_refused_at_once_says_why(fails: Fails, here: Path) -> None:
    (here / "-big.pb").touch()
    os.truncate(here / "-big.pb", 1 << 28)
    assert "cannot name a model" in fails("upload", here / "-big.pb")


@pytest.mark.parametrize("what", [PARTICLES, "vk"])
def test_a_terminal_shows_how_far_an_upload_is(here: Path, what: str | Path) -> None:
    (here / "vk").mkdir()
    (here / "vk" / "graph.pb").write_bytes(PARTICLES.read_bytes())
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "upload", what],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
        timeout=WITHIN_S,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # of a terminal, the end is an error
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert b"100%" in shown
    assert b"version 1" in done.stdout
