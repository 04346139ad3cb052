"""``python -m tests.deploy.built``: builds the image, starts it, and asks it for a prediction.

``make image-check`` runs it. The base is of Debian's own packages, by debootstrap. TensorFlow is
left out, since that takes minutes; the model is one of the fake runtime. What is started has what a
pod of the chart has: uid 10001, no capabilities, no new privileges, and a read-only root.

What this machine cannot do, or get in time, is left out, with the reason; what is wrong with the
image fails. All of it has mounts and processes of its own, which end with it, however it ends.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from tfaas_core.sandbox.parts import Parts
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import STOP_TIMEOUT_S

ROOT = Path(__file__).parents[2]
BUILD_WITHIN_S = 170.0
TRY_WITHIN_S = 60.0
_PROGRAMS = {
    "buildah": "buildah",
    "bwrap": "bubblewrap",
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
}
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_DEBIAN = ("--variant=minbase", "--include=python3,python3-venv", "bookworm")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AS_HERE = ("/etc/pip.conf", "/etc/ssl/certs")
"""From where the image's pip is to install, as this machine's does."""
_BASE, _IMAGE = "localhost/debian-python", "localhost/tfaas-check"
_NOT_THE_IMAGE = re.compile(
    r"connection broken|timed out|Temporary failure in name resolution|No space left on device"
    r"|HTTP error (429|5\d\d)|\b(429|5\d\d) (Client|Server) Error",
    re.I,
)
"""How pip and buildah tell what is not for the image to mend."""
_PLUGIN = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

@hookimpl
def tfaas_register_runtimes():
    return {"fake": FakeRuntime()}
"""
_USER = 10001


class LeftOut(Exception):
    """Why this machine cannot say whether the image is well."""


class StepFailed(Exception):
    """A command failed; ``errors``: what it told last on stderr, line by line."""

    def __init__(self, command: str, said: str, errors: str) -> None:
        super().__init__(f"this failed: {command}\n{said}\n{errors}")
        self.errors = [line.strip() for line in errors.splitlines() if line.strip()]


def main(build_within_s: float = BUILD_WITHIN_S) -> int:
    """Returns the exit status: 1 if a step failed, which is told."""
    if why := why_not():
        print(f"left out: {why}")
        return 0
    with tempfile.TemporaryDirectory(prefix="tfaas-image-", ignore_cleanup_errors=True) as folder:
        words = [f"--in={folder}", f"--build-within={build_within_s}"]
        command = [*_APART, sys.executable, "-m", "tests.deploy.built", *words]
        with subprocess.Popen(command, cwd=ROOT) as run:
            try:
                return run.wait(build_within_s + TRY_WITHIN_S)
            except subprocess.TimeoutExpired:
                print(f"this failed: the image was not tried within {TRY_WITHIN_S:.0f} s")
                return 1
            finally:
                _end(run)


def _end(run: subprocess.Popen[bytes]) -> None:
    """With its first process, the kernel ends all that is apart; ``run`` waits for that."""
    if run.poll() is None:
        itself = psutil.Process(run.pid)
        for process in itself.children() or [itself]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def why_not(programs: Iterable[str] = tuple(_PROGRAMS)) -> str:
    """Why nothing can be built here by ``programs``; empty: it can."""
    for program in programs:
        if shutil.which(program) is None:
            return f"no {program}: apt-get install {_PROGRAMS[program]}"
    if os.getuid() != 0:
        return "it takes root"
    tried = [*_APART, "bwrap", "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"]
    told = subprocess.run(tried, capture_output=True, text=True, check=False)
    return f"no namespaces of one's own: {told.stderr.strip()}" if told.returncode else ""


def _check(folder: Path, build_within_s: float) -> int:
    try:
        builder = _Builder(folder, time.monotonic() + build_within_s)
        builder.make_base()
        builder.make_image()
        config, root = builder.mounted()
        _try(config, root, folder)
    except LeftOut as why:
        print(f"left out: {why}")
    except StepFailed as failed:
        print(failed)
        return 1
    return 0


class _Builder:
    """buildah, with all of its files in ``folder``."""

    def __init__(self, folder: Path, until_s: float) -> None:
        self._folder = folder
        self._until_s = until_s
        temporary = folder / "tmp"
        temporary.mkdir()
        stores = ["--root", f"{folder}/store", "--runroot", f"{folder}/run"]
        self._buildah = ["env", f"TMPDIR={temporary}", "buildah", *stores]

    def make_base(self) -> None:
        """With what an image of Python has."""
        root = self._folder / "root"
        self._asked("debootstrap", *_DEBIAN, str(root))
        made = self._asked(*self._buildah, "from", "scratch")
        self._asked(*self._buildah, "add", "--quiet", made, str(root), "/")
        self._asked(*self._buildah, "config", "--env", f"PATH={_PATH}", made)
        self._asked(*self._buildah, "commit", "--quiet", "--rm", made, _BASE)
        shutil.rmtree(root)

    def make_image(self) -> None:
        """By ``make image``, as its users do."""
        volumes = [f"--volume {place}:{place}:ro" for place in _AS_HERE if Path(place).exists()]
        variables = [f"--env {name}" for name in os.environ if name.startswith("PIP_")]
        words = {
            "BUILDER": " ".join(self._buildah),
            "BUILD_OPTIONS": " ".join(["--isolation chroot", *volumes, *variables]),
            "BASE": _BASE,
            "TAG": _IMAGE,
            "TENSORFLOW": "false",
        }
        try:
            self._run("make", "image", *(f"{name}={value}" for name, value in words.items()))
        except StepFailed as failed:
            for line in filter(_NOT_THE_IMAGE.search, failed.errors):
                raise LeftOut(f"what the image is made of did not come: {line}") from None
            raise

    def mounted(self) -> tuple[Any, str]:
        """What the image says of itself, and its root."""
        told = self._asked(*self._buildah, "inspect", "--type", "image", _IMAGE)
        made = self._asked(*self._buildah, "from", _IMAGE)
        return json.loads(told)["OCIv1"]["config"], self._asked(*self._buildah, "mount", made)

    def _asked(self, *command: str) -> str:
        """What it prints on stdout; it is not about our image, so if it fails, that is left out."""
        try:
            return self._run(*command).strip()
        except StepFailed as failed:
            print(failed)
            raise LeftOut(" ".join(["this machine cannot:", *failed.errors[-1:]])) from None

    def _run(self, *command: str) -> str:
        begin_s = time.monotonic()
        told = " ".join(command).replace(" ".join(self._buildah), "buildah")[:120]
        # A pipe might be kept open by what outlives it.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            try:
                left_s = max(self._until_s - begin_s, 0)
                done = subprocess.run(
                    command, cwd=ROOT, stdout=out, stderr=err, timeout=left_s, check=False
                )
            except subprocess.TimeoutExpired:
                raise LeftOut(f"it takes too long here: {told}") from None
            out.seek(0)
            err.seek(0)
            said, errors = out.read(), err.read()
        if done.returncode:
            raise StepFailed(told, said[-4000:], errors[-4000:])
        print(f"{time.monotonic() - begin_s:6.1f} s  {told}", flush=True)
        return said


def _try(config: Any, root: str, folder: Path) -> None:
    """Starts it, uploads a model, and asks for a prediction; then stops it."""
    data, plugins = folder / "data", folder / "plugins"
    plugins.mkdir()
    (plugins / "fake.py").write_text(_PLUGIN)
    data.mkdir(mode=0o700)
    os.chown(data, _USER, _USER)
    command = [*_confined(config, root, data, plugins), *_serve(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            said = run.stdout.readline().split()
            assert said, "the server has told no address"
            (first,) = psutil.Process(run.pid).children()
            assert first.uids().real == _USER
            _ask(said[-1])
            begin_s = time.monotonic()
            first.send_signal(signal.SIGTERM)
            assert run.wait(STOP_TIMEOUT_S) == 0
            print(f"it predicts, and ended {time.monotonic() - begin_s:.2f} s after SIGTERM")
        finally:
            run.kill()


def _confined(config: Any, root: str, data: Path, plugins: Path) -> list[str]:
    """The beginning of a command: what it starts is in the image, as in a pod."""
    binds = ["--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev"]
    binds += ["--ro-bind", "/sys", "/sys"]
    binds += ["--perms", "1777", "--tmpfs", "/tmp", "--bind", str(data), "/var/lib/tfaas"]
    binds += ["--ro-bind", str(plugins), "/mnt", "--chdir", config["WorkingDir"], "--clearenv"]
    apart = ["--unshare-pid", "--as-pid-1", "--unshare-ipc", "--cap-add", "ALL"]
    variables = [word for each in config["Env"] for word in ("--setenv", *each.split("=", 1))]
    assert config["User"] == f"{_USER}:{_USER}"
    user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--no-new-privs"]
    user += ["--inh-caps=-all", "--bounding-set=-all"]
    return ["bwrap", *binds, *apart, *variables, *user]


def _serve(config: Any) -> list[str]:
    """What the image starts, with settings."""
    sandbox = "on" if {"files", "calls"} & Parts.of_this_machine(1).missing.keys() else "required"
    settings = [
        "server.host=127.0.0.1",
        "server.port=0",
        "server.open=true",
        f"engine.sandbox={sandbox}",
        f"server.sandbox={sandbox}",
        "plugins.dir=/mnt",
        f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}",
    ]
    words = [word for each in settings for word in ("--set", each)]
    return [*config["Entrypoint"], *config["Cmd"], *words]


def _ask(url: str) -> None:
    files = {"model": ("model.pb", b"sum")}
    uploaded = httpx.post(f"{url}/upload", data={"name": "sum"}, files=files, timeout=60)
    assert uploaded.status_code == 200, uploaded.text
    answer = httpx.post(f"{url}/models/sum/predict/json", json={"values": [1, 2, 3]}, timeout=60)
    assert answer.text == "[6.0]", answer.text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.built")
    within = "seconds, after which a build that is not done is left out"
    parser.add_argument("--build-within", type=float, default=BUILD_WITHIN_S, help=within)
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    asked = _arguments()
    if asked.folder:
        sys.exit(_check(asked.folder, asked.build_within))
    # So that it ends as by Ctrl-C: with all that it has begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(asked.build_within))
