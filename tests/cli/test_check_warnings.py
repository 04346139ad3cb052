"""``tfaas check`` says before a start all that the server warns of at the start."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.certificates import Authority
from tfaas_core.testing.hosts import HEAVY_PLUGINS
from tfaas_core.testing.server import STOP_TIMEOUT_S

FEW_FILES = 300


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    """All that a server on one machine may warn of, but a storage that is read-only."""
    (tmp_path / "models" / "old").mkdir(parents=True)
    (tmp_path / "models" / "old" / "model.pb").touch()
    given = [
        "server.port=0",
        "server.workers=1",
        f"server.tls_cert={Authority(tmp_path).signed('expired', days=-1)}",
        f"storage.root={tmp_path / 'models'}",
        "engine.isolation=inline",
        f"plugins.disabled={json.dumps(HEAVY_PLUGINS[1:])}",
        'models.allow_ops=["XlaCallModul"]',
    ]
    return [word for setting in given for word in ("--set", setting)]


def start(command: str, settings: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tfaas_core", command, *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES)),
    )


def test_check_warns_of_all_that_serve_does(settings: list[str], tmp_path: Path) -> None:
    with start("check", settings, tmp_path) as checking:
        _, told = checking.communicate(timeout=120)
    assert checking.returncode == 0
    checked = [line.removeprefix("tfaas: warning: ") for line in told.splitlines()]
    with start("serve", settings, tmp_path) as serving:
        assert serving.stdout is not None
        assert "://" in serving.stdout.readline()
        serving.terminate()
        _, log = serving.communicate(timeout=STOP_TIMEOUT_S)
    served = re.findall(r" WARNING \S+: (.*)", log)
    assert sorted(checked) == sorted(served)
    for words in (
        "expired on ",
        f"may open {FEW_FILES} files",
        "original TFaaS",
        "not confined by",
        "`$.models.allow_ops`; did you mean `XlaCallModule`?",
    ):
        assert len([warning for warning in checked if words in warning]) == 1, words
    assert len(checked) == 5
