"""``python -m tests.deploy.built``: builds the image, starts it, and asks it for a prediction.

``make image-check`` runs it. The base is of Debian's own packages, by debootstrap. TensorFlow is
left out, since that takes minutes; the model is one of the fake runtime. What is started has what a
pod of the chart has: uid 10001, no capabilities, no new privileges, and a read-only root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import STOP_TIMEOUT_S

ROOT = Path(__file__).parents[2]
_PROGRAMS = {"buildah": "buildah", "bwrap": "bubblewrap", "debootstrap": "debootstrap"}
_DEBIAN = ("--variant=minbase", "--include=python3,python3-venv", "bookworm")
_AS_HERE = ("/etc/pip.conf", "/etc/ssl/certs")
"""From where the image's pip is to install, as this machine's does."""
_BASE, _IMAGE = "localhost/debian-python", "localhost/tfaas-check"
_PLUGIN = """
from tfaas_core.hookspecs import hookimpl
from tfaas_core.testing.runtime import FakeRuntime

@hookimpl
def tfaas_register_runtimes():
    return {"fake": FakeRuntime()}
"""
_USER = 10001


def main() -> int:
    """Returns the exit status: 1 if a step failed, which is told."""
    if why := why_not():
        print(f"left out: {why}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="tfaas-image-"))
    try:
        builder = _Builder(folder)
        builder.make_base()
        builder.make_image()
        with builder.mounted() as root:
            _try(root, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def why_not() -> str:
    """Why nothing can be built here; empty: it can."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            return f"no {program}: apt-get install {package}"
    return "" if os.getuid() == 0 else "it takes root"


class _Builder:
    """buildah, with all of its files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buildah = ["buildah", "--root", f"{folder}/store", "--runroot", f"{folder}/run"]

    def make_base(self) -> None:
        root = self._folder / "root"
        _run("debootstrap", *_DEBIAN, str(root))
        made = self._asked("from", "scratch")
        self._asked("add", "--quiet", made, str(root), "/")
        self._asked("commit", "--quiet", "--rm", made, _BASE)
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
        _run("make", "image", *(f"{name}={value}" for name, value in words.items()))

    @contextmanager
    def mounted(self) -> Iterator[str]:
        """The root of the image."""
        made = self._asked("from", _IMAGE)
        try:
            yield self._asked("mount", made)
        finally:
            self._asked("rm", "--all")

    def _asked(self, *words: str) -> str:
        return _run(*self._buildah, *words).strip()


def _run(*command: str) -> str:
    """What it prints on stdout."""
    begin_s = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-8000:], done.stderr[-8000:], sep="\n")
        raise SystemExit(f"this failed: {' '.join(command)}")
    print(f"{time.monotonic() - begin_s:6.1f} s  {' '.join(command)[:120]}", flush=True)
    return done.stdout


def _try(root: str, folder: Path) -> None:
    """Starts it, uploads a model, and asks for a prediction; then stops it."""
    data, plugins = folder / "data", folder / "plugins"
    plugins.mkdir()
    (plugins / "fake.py").write_text(_PLUGIN)
    data.mkdir(mode=0o700)
    os.chown(data, _USER, _USER)
    with subprocess.Popen(_confined(root, data, plugins), stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            url = run.stdout.readline().split()[-1]
            (first,) = psutil.Process(run.pid).children()
            assert first.uids().real == _USER
            _ask(url)
            begin_s = time.monotonic()
            first.send_signal(signal.SIGTERM)
            assert run.wait(STOP_TIMEOUT_S) == 0
            print(f"it predicts, and ended {time.monotonic() - begin_s:.2f} s after SIGTERM")
        finally:
            run.kill()


def _confined(root: str, data: Path, plugins: Path) -> list[str]:
    """What starts ``tfaas serve`` in the image."""
    binds = [
        "--ro-bind",
        root,
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--ro-bind",
        "/sys",
        "/sys",
    ]
    binds += ["--perms", "1777", "--tmpfs", "/tmp", "--bind", str(data), "/var/lib/tfaas"]
    apart = [
        "--unshare-pid",
        "--as-pid-1",
        "--unshare-ipc",
        "--cap-add",
        "ALL",
        "--die-with-parent",
    ]
    variables = {"PATH": "/opt/tfaas/bin:/usr/bin:/bin", "HOME": "/var/lib/tfaas"}
    given = [word for pair in variables.items() for word in ("--setenv", *pair)]
    user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--no-new-privs"]
    user += ["--inh-caps=-all", "--bounding-set=-all"]
    settings = [
        "server.port=0",
        "server.open=true",
        "engine.sandbox=required",
        "server.sandbox=required",
        "plugins.dir=/mnt",
        f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}",
    ]
    serve = ["tfaas", "serve", *(word for each in settings for word in ("--set", each))]
    place = ["--ro-bind", str(plugins), "/mnt", "--chdir", "/var/lib/tfaas", "--clearenv"]
    return ["bwrap", *binds, *place, *apart, *given, *user, *serve]


def _ask(url: str) -> None:
    files = {"model": ("model.pb", b"sum")}
    uploaded = httpx.post(f"{url}/upload", data={"name": "sum"}, files=files, timeout=60)
    assert uploaded.status_code == 200, uploaded.text
    answer = httpx.post(f"{url}/models/sum/predict/json", json={"values": [1, 2, 3]}, timeout=60)
    assert answer.text == "[6.0]", answer.text


if __name__ == "__main__":
    sys.exit(main())
