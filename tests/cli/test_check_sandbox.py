"""``tfaas check`` tells how models are confined, and refuses what is required and not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tfaas_core.cli import main
from tfaas_core.sandbox.landlock import landlock_version
from tfaas_core.testing.hosts import HEAVY_PLUGINS

Capture = pytest.CaptureFixture[str]

INLINE = ("--set", "engine.isolation=inline")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check_says_how_models_are_confined(capsys: Capture) -> None:
    disabled = json.dumps(HEAVY_PLUGINS)
    settings = ["--set", f"plugins.disabled={disabled}", "--set", "engine.isolation=model"]
    assert main(["check", *settings]) == 0
    told = capsys.readouterr().out.splitlines()[1]
    assert told.startswith("models are confined by privileges (no new ones, and ")
    if landlock_version():
        assert ": the artifact, libraries, and of /proc its own)" in told
    off = ["--set", "engine.sandbox=off", "--set", "server.sandbox=off"]
    assert main(["check", *settings, *off]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["models are not confined", "HTTP workers are not confined"]


def test_check_says_how_http_workers_are_confined(capsys: Capture) -> None:
    settings = ["check", "--set", f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"]
    assert main(settings) == 0
    told = capsys.readouterr().out.splitlines()
    (line,) = [line for line in told if line.startswith("HTTP workers are confined by ")]
    assert "privileges (no new ones, and " in line
    assert line.endswith("decoders (confined processes for large pictures)")
    assert main([*settings, "--set", "server.programs=true"]) == 0
    told = capsys.readouterr().err.splitlines()
    why = "server.programs lets plugins start them"
    assert told[-1] == f"tfaas: warning: HTTP workers are not confined by `programs`: {why}"
    required = ["--set", "server.programs=true", "--set", "server.sandbox=required"]
    assert main([*settings, *required]) == 1
    assert capsys.readouterr().err == (
        "tfaas: HTTP workers cannot be confined as is required, for want of `programs`: "
        "server.programs lets plugins start them - at `$.server.sandbox`\n"
    )


def test_a_sandbox_that_is_required_must_be_there(capsys: Capture) -> None:
    assert main(["check", *INLINE, "--set", "engine.sandbox=required"]) == 1
    assert capsys.readouterr().err == (
        "tfaas: models cannot be confined as is required, for want of `process`: "
        'isolation = "inline" runs models in the HTTP workers - at `$.engine.sandbox`\n'
    )


def test_what_is_missing_is_a_warning(capsys: Capture) -> None:
    assert main(["check", *INLINE]) == 0
    told = capsys.readouterr()
    fine, models, _http_workers = told.out.splitlines()
    assert (fine, models) == ("configuration and plugins are fine", "models are not confined")
    assert told.err == (
        'tfaas: warning: models are not confined by `process`: isolation = "inline" runs models '
        "in the HTTP workers\n"
    )
