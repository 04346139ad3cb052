"""The commands that talk to a server, with a real one."""

from __future__ import annotations

import io
import json
import os
import pty
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import DEMO, Fails, Frozen, Tfaas
from tests.data import MODELS as DATA
from tfaas_core.cli import main
from tfaas_core.testing.server import RunningServer, running_server

PARTICLES = DEMO / "particles.pb"
ROW = json.dumps([0.5] * 42)
WITHIN_S = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server"), "server.workers=1") as running:
        yield running


@pytest.fixture(autouse=True)
def url(server: RunningServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The commands find the server by themselves; it has no models before a test."""
    monkeypatch.setenv("TFAAS_URL", server.url)
    yield server.url
    for name in server.names():
        server.http.delete(f"/delete/{name}")


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "tfaas_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=WITHIN_S, **options)


# Models.


def test_models_are_listed_as_a_table(tfaas: Tfaas) -> None:
    tfaas("upload", PARTICLES)
    tfaas("upload", PARTICLES, "--name", "again")
    header, *rows = (line.split(maxsplit=4) for line in tfaas("models").splitlines())
    assert [row[:4] for row in rows] == [
        ["again", "1", "graph", "207013"],
        ["particles", "1", "graph", "207013"],
    ]
    assert header[:4] == ["NAME", "VERSION", "RUNTIME", "BYTES"]
    assert rows[0][4].split("  ") == ["particles float32 [?, 42]", "signal float32 [?, 1]"]


def test_models_as_json_are_the_servers_records(tfaas: Tfaas, server: RunningServer) -> None:
    assert json.loads(tfaas("models", "--json")) == []
    tfaas("upload", PARTICLES)
    assert json.loads(tfaas("models", "--json")) == server.http.get("/models").json()


def test_models_of_a_server_without_signatures_are_listed_too(
    tfaas: Tfaas, speaker: Callable[[bytes], str]
) -> None:
    records = b'[{"name": "vk", "inputNode": "dense_1_input", "outputNode": "output_node0"}]'
    out = tfaas("models", "--url", speaker(answer(records)))
    assert out.splitlines()[1].split() == ["vk", "?", "?", "?", "dense_1_input", "output_node0"]


# Upload.


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
    assert fails("upload", "empty") == "empty holds no SavedModel and no graph (.pb)"
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
    assert {"file": "not a frozen", "folder": "decompression bomb"}[kind] in done.stderr
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


# Predict.


def test_values_are_answered_as_the_server_answers_them(
    tfaas: Tfaas, server: RunningServer
) -> None:
    tfaas("upload", PARTICLES)
    for values in (ROW, f"[{ROW}, {ROW}]"):
        expected = server.predict(values=json.loads(values)).text
        assert tfaas("predict", "particles", "--values", values) == f"{expected.strip()}\n"
        assert tfaas("predict", "--values", values) == f"{expected.strip()}\n"


def test_a_real_network_answers_as_tensorflow_did(tfaas: Tfaas) -> None:
    if not DATA.is_dir():
        pytest.skip("the real networks are not at hand")
    arrays = np.load(DATA / "photon_id_barrel.npz")
    rows = arrays["in:FirstLayer_input"].tolist()
    tfaas("upload", DATA / "photon_id_barrel.pb", "--name", "photons")
    answers = json.loads(tfaas("predict", "photons", "--values", json.dumps(rows)))
    np.testing.assert_allclose(answers, arrays["out:Identity"], rtol=1e-5)


def test_a_whole_request_comes_from_a_file_or_stdin(
    tfaas: Tfaas, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfaas("upload", PARTICLES)
    tfaas("upload", PARTICLES, "--name", "other")
    document = f'{{"inputs": {{"particles": {ROW}}}, "model": "particles"}}'
    (here / "request.json").write_text(document)
    expected = tfaas("predict", "particles", "--values", ROW)
    assert tfaas("predict", "--json", "request.json") == expected
    done = run("predict", "--json", "-", input=document.encode())
    assert done.stdout.decode() == expected
    tfaas("delete", "particles")
    assert tfaas("predict", "other", "--json", "request.json") == expected


def test_a_request_that_is_no_object_cannot_name_a_model(fails: Fails, here: Path) -> None:
    (here / "request.json").write_text("[1, 2]")
    assert fails("predict", "vk", "--json", "request.json") == "request.json is not a JSON object"
    (here / "request.json").write_text("{")
    assert "request.json is not JSON" in fails("predict", "vk", "--json", "request.json")
    assert "JSON" in fails("predict", "--json", "request.json")


def test_a_picture_is_answered(tfaas: Tfaas, frozen: Frozen, here: Path) -> None:
    from PIL import Image

    def build(tf: Any) -> None:
        picture = tf.compat.v1.placeholder(tf.float32, [None, 2, 2, 1], "picture")
        tf.reshape(picture, [-1, 4], "pixels")

    tfaas("upload", frozen("pixels.pb", build))
    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(here / "four.png")
    for name in (["pixels"], []):
        answered = json.loads(tfaas("predict", *name, "--image", "four.png"))
        assert answered == [1.0, 2.0, 3.0, 4.0]


def test_a_refused_prediction_says_what_the_server_says(fails: Fails, tfaas: Tfaas) -> None:
    tfaas("upload", PARTICLES)
    said = fails("predict", "particles", "--values", "[1, 2]")
    assert said == "values has 2 numbers, model 'particles' takes 42"
    assert "there is no model 'nobody'" in fails("predict", "nobody", "--values", "[1]")


# Delete and download.


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


# Versions.


@pytest.fixture
def ladder(tfaas: Tfaas, frozen: Frozen) -> str:
    """The name of a model whose version N, of 3, multiplies by N; the label ``old`` names 1."""

    def build(tf: Any, factor: float) -> None:
        picture = tf.compat.v1.placeholder(tf.float32, [None, 2, 2], "picture")
        tf.multiply(tf.reshape(picture, [-1, 4]), factor, "pixels")

    for number in (1.0, 2.0, 3.0):
        path = frozen("ladder.pb", lambda tf, factor=number: build(tf, factor))
        tfaas("upload", path)
    return "ladder"


@pytest.fixture
def labelled(ladder: str, server: RunningServer) -> str:
    server.http.put(f"/models/{ladder}/labels/old", json={"version": 1}).raise_for_status()
    server.http.put(f"/models/{ladder}/labels/first", json={"version": 1}).raise_for_status()
    return ladder


def test_versions_are_listed_with_what_points_at_them(
    tfaas: Tfaas, fails: Fails, server: RunningServer, labelled: str
) -> None:
    header, *rows = tfaas("versions", labelled).splitlines()
    assert header.split() == ["VERSION", "LIVE", "UPLOADED", "BYTES", "LABELS"]
    assert [(row.split()[0], "live" in row) for row in rows] == [
        ("1", False),
        ("2", False),
        ("3", True),
    ]
    assert rows[0].endswith("  first, old")
    records = json.loads(tfaas("versions", labelled, "--json"))
    assert records == server.http.get(f"/models/{labelled}/versions").json()
    assert fails("versions", "nobody") == "there is no model 'nobody'; see /models"


def test_roll_back_says_which_version_is_live(tfaas: Tfaas, fails: Fails, ladder: str) -> None:
    assert tfaas("rollback", ladder) == "ladder, version 2 is live\n"
    assert tfaas("rollback", ladder, "3") == "ladder, version 3 is live\n"
    assert tfaas("rollback", ladder, "1") == "ladder, version 1 is live\n"
    assert "no version before 1" in fails("rollback", ladder)
    assert "no version 9" in fails("rollback", ladder, "9")
    assert json.loads(tfaas("predict", "--values", "[[1, 2], [3, 4]]")) == [1, 2, 3, 4]


def test_a_prediction_names_a_version_or_a_label(
    tfaas: Tfaas, fails: Fails, labelled: str, here: Path
) -> None:
    from PIL import Image

    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(here / "four.png")
    (here / "request.json").write_text('{"values": [[1, 2], [3, 4]], "version": 3}')
    for sent in (
        ["--values", "[[1, 2], [3, 4]]"],
        ["--image", "four.png"],
        ["--json", "request.json"],
    ):
        for named in ([labelled], []):
            answered = tfaas("predict", *named, *sent, "--version", "2")
            assert json.loads(answered) == [2, 4, 6, 8]
    for sent in (["--values", "[[1, 2], [3, 4]]"], ["--image", "four.png"]):
        assert json.loads(tfaas("predict", *sent, "--label", "old")) == [1, 2, 3, 4]
    assert "no version 9" in fails("predict", "--values", "[1]", "--version", "9")
    assert "no label 'x'" in fails("predict", "--values", "[1]", "--label", "x")


def test_a_download_of_a_version_is_named_after_it(
    tfaas: Tfaas, fails: Fails, ladder: str, here: Path
) -> None:
    assert tfaas("download", ladder, "--version", "2") == "ladder-2.tar.gz\n"
    tfaas("upload", "ladder-2.tar.gz", "--name", "second")
    answered = tfaas("predict", "second", "--values", "[[1, 2], [3, 4]]")
    assert json.loads(answered) == [2, 4, 6, 8]
    assert "no version 9" in fails("download", ladder, "--version", "9")
    assert not (here / "ladder-9.tar.gz").exists()


# Servers that cannot be asked.


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def speaker() -> Iterator[Callable[[bytes], str]]:
    """Serves one connection: takes the head of a request, says these bytes, and hangs up.

    Gives its URL.
    """
    threads: list[threading.Thread] = []

    def serve(listening: socket.socket, said: bytes) -> None:
        with listening, listening.accept()[0] as connection:
            while b"\r\n\r\n" not in connection.recv(65536, socket.MSG_PEEK):
                pass
            connection.recv(65536)
            connection.sendall(said)

    def start(said: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(WITHIN_S)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        threads.append(threading.Thread(target=serve, args=(listening, said)))
        threads[-1].start()
        return url

    yield start
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()


COMMANDS: dict[str, list[str | Path]] = {
    "models": ["models"],
    "upload": ["upload", PARTICLES],
    "predict": ["predict", "--values", "[1]"],
    "delete": ["delete", "vk"],
    "download": ["download", "vk"],
    "versions": ["versions", "vk"],
    "rollback": ["rollback", "vk", "2"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreachable_server_is_named(fails: Fails, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    said = fails(*COMMANDS[command], "--url", url)
    assert said == f"{url} cannot be reached: Connection refused"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(b"<html>", "502 Bad Gateway"), "TFaaS server does: 502 Bad Gateway"),
        (answer(b'{"error": ["?"]}', "400 Bad Request"), "TFaaS server does: 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not answer as a TFaaS server does"),
        (b"", "broke"),
    ],
)
def test_a_server_that_speaks_otherwise_is_named(
    fails: Fails, speaker: Callable[[bytes], str], command: str, said: bytes, expected: str
) -> None:
    url = speaker(said)
    sentence = fails(*COMMANDS[command], "--url", url)
    assert expected in sentence
    assert url in sentence


def test_an_answer_of_another_kind_is_no_tfaas_servers(
    fails: Fails, speaker: Callable[[bytes], str]
) -> None:
    for body in (b"hello", b"{}", b'["vk"]', b'[{"id": 1}]'):
        for command in (["models"], ["versions", "vk"]):
            said = fails(*command, "--url", speaker(answer(body)))
            assert said.endswith("does not answer as a TFaaS server does")


def test_an_error_of_several_lines_is_printed_as_one(
    fails: Fails, speaker: Callable[[bytes], str]
) -> None:
    url = speaker(answer(b'{"error": "first\\n  second"}', "422 Unprocessable"))
    assert fails("models", "--url", url) == "first second"


def test_the_path_of_the_url_is_the_servers_base(
    tmp_path: Path, tfaas: Tfaas, fails: Fails, url: str
) -> None:
    assert "nothing is served at /base/models" in fails("models", "--url", f"{url}/base/")
    assert tfaas("models", "--url", f"{url}/").startswith("NAME")


@pytest.mark.parametrize(
    "arguments",
    [
        *[["models", "--url", bad] for bad in ("x", "ftp://x", "http://", "http://x:y", "x:8083")],
        *[["models", "--url", bad] for bad in ("http://u:p@x", "http://x/?q", "http://[x")],
        *[["upload"], ["upload", "nowhere.pb"], ["upload", PARTICLES, "--params", "nowhere"]],
        *[["predict"], ["predict", "vk"], ["predict", "vk", "--values", "[1"]],
        ["predict", "vk", "--values", "[1]", "--json", "-"],
        *[["predict", "--json", "nowhere"], ["predict", "--image", "nowhere"]],
        *[["delete"], ["download"], ["download", "vk", "-o", "/"]],
        *[["predict", "--values", "1", "--version", bad] for bad in ("0", "-1", "x", "1.0")],
        ["predict", "--values", "1", "--version", "1", "--label", "canary"],
        *[["download", "vk", "--version", "0"], ["versions"], ["versions", "a", "b"]],
        *[["rollback"], ["rollback", "vk", "0"], ["rollback", "vk", "x"]],
    ],
)
def test_wrong_usage_has_status_2(fails: Fails, arguments: list[str | Path]) -> None:
    fails(*arguments, status=2)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: tfaas {command}" in out
    assert "TFAAS_URL" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_client_starts_without_what_takes_long_to_import(command: str) -> None:
    arguments = list(map(str, COMMANDS[command]))
    code = f"import sys; from tfaas_core.cli import main; main({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"numpy", "sanic", "tensorflow", "httpx"}.isdisjoint(loaded)
