"""``tfaas inspect`` of what cannot be served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.conftest import Fails, Frozen
from tests.cli.inspect.fakes import FAKE, WITHOUT_TENSORFLOW, InstallPlugin, tar
from tfaas_core.testing.forked import is_alive
from tfaas_core.testing.waiting import until

WITHIN_S = 120


@pytest.fixture
def aborting(frozen: Frozen) -> Path:
    """A frozen graph that makes TensorFlow end the process."""

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the end")]):
            tf.identity(x, "y")

    return frozen("aborting.pb", build)


@pytest.mark.parametrize("content", [b"", b"rubbish" * 100, b"\x1f\x8b" * 100])
def test_what_is_no_model_is_refused_in_the_servers_words(
    fails: Fails, here: Path, content: bytes
) -> None:
    (here / "broken.pb").write_bytes(content)
    said = fails("inspect", "broken.pb")
    assert said.startswith("a server would refuse broken.pb: the ")


def test_a_folder_that_could_not_be_uploaded_is_refused(
    fails: Fails, scale: Path, here: Path
) -> None:
    (here / "vk").mkdir()
    assert "no saved_model.pb and no graph (.pb)" in fails("inspect", "vk")
    (here / "vk" / "graph.pb").symlink_to(scale)
    assert "vk/graph.pb is neither a regular file nor a folder" in fails("inspect", "vk")
    os.mkfifo(here / "pipe")
    assert "pipe is neither a regular file nor a folder" in fails("inspect", "pipe")


def test_the_ops_of_a_refused_model_are_counted(
    capfd: pytest.CaptureFixture[str], frozen: Frozen
) -> None:
    from tfaas_core.cli import main

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        tf.add(x, tf.raw_ops.VariableV2(shape=[3], dtype=tf.float32), "y")

    assert main(["inspect", str(frozen("unfrozen.pb", build)), "--json"]) == 1
    captured = capfd.readouterr()
    found = json.loads(captured.out)
    assert (found["loadable"], found["signature"]) == (False, None)
    assert found["ops"]["VariableV2"] == 1
    assert captured.err == f"tfaas: a server would refuse {found['path']}: {found['refusal']}\n"


def test_what_a_server_would_not_let_run_is_refused_in_its_words(
    fails: Fails, aborting: Path
) -> None:
    said = fails("inspect", str(aborting))
    assert "node 'Abort' uses 'Abort', which ends the process: leave it out of the model" in said


def test_a_model_that_makes_tensorflow_abort_is_refused_in_one_line(
    aborting: Path, unpacked: Path
) -> None:
    tarball = tar(aborting.with_name("b.tar.gz"), {"vk/aborting.pb": aborting})
    done = subprocess.run(
        [sys.executable, "-m", "tfaas_core", "inspect", tarball, "--set", "models.policy=off"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
        env=os.environ | {"TMPDIR": str(unpacked)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"tfaas: a server would refuse {tarball}: ")
    assert done.stderr.count("\n") == 1
    assert "Abort" in done.stdout


def test_an_interrupted_inspection_leaves_nothing(scale: Path, unpacked: Path) -> None:
    tarball = tar(scale.with_name("b.tar.gz"), {"vk/s.pb": scale})
    process = subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", "inspect", tarball],
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(unpacked)},
    )
    until(lambda: psutil.Process(process.pid).children() != [])
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, errors.strip()) == (130, b"")
    until(lambda: not any(map(is_alive, children)), WITHIN_S)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "abort-on-load",
            "model 'model' (its runtime is of plugin tfaas_counting) makes its process crash on "
            "loading: it was killed by SIGABRT",
        ),
        (
            "exit-on-load",
            "the runtime of plugin tfaas_counting failed in the load of model 'model': SystemExit: "
            "the fake runtime has had enough",
        ),
    ],
)
def test_what_a_plugins_runtime_does_wrong_is_refused_in_one_line_with_its_name(
    fails: Fails, here: Path, install_plugin: InstallPlugin, word: str, says: str
) -> None:
    install_plugin("tfaas-counting", FAKE.format(body="return {}"))
    (here / "model").write_text(word)
    assert fails("inspect", "model", "--set", WITHOUT_TENSORFLOW).endswith(says)
