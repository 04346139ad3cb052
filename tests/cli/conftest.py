"""A current folder for each test, small models, and the commands' answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tfaas_core.cli import main

Tfaas = Callable[..., str]
Fails = Callable[..., str]
Frozen = Callable[..., Path]

DEMO = Path(__file__).parents[2] / "backends" / "tfaas_backends" / "demo"


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Those of this process are as before: `tfaas serve`, refused or not, configures them."""
    known = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    before = [(one, one.level, [*one.handlers], one.propagate, one.disabled) for one in known]
    yield
    for each in map(logging.getLogger, list(logging.root.manager.loggerDict)):
        each.setLevel(logging.NOTSET)
        each.handlers, each.propagate, each.disabled = [], True, False
    for logger, level, handlers, propagate, disabled in before:
        logger.setLevel(level)
        logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
    logging.captureWarnings(False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, without a tfaas.toml."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def tfaas(capfd: pytest.CaptureFixture[str]) -> Tfaas:
    """Runs a command that succeeds without a word on stderr; gives what it prints."""

    def run(*arguments: str | Path) -> str:
        status = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert (status, captured.err) == (0, "")
        return captured.out

    return run


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Fails:
    """Runs a command that fails, with ``status``; gives the sentence that it says why with."""

    def run(*arguments: str | Path, status: int = 1) -> str:
        assert main([str(argument) for argument in arguments]) == status
        captured = capfd.readouterr()
        assert captured.err.startswith("tfaas: ")
        assert captured.err.count("\n") == 1
        return captured.err.removeprefix("tfaas: ").rstrip("\n")

    return run


@pytest.fixture
def frozen(here: Path) -> Frozen:
    """Writes the frozen graph that a function builds: ``frozen("x.pb", lambda tf: ...)``."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    def freeze(name: str, build: Callable[[Any], Any]) -> Path:
        with tf.Graph().as_default() as graph:
            build(tf)
        file = here / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(graph.as_graph_def().SerializeToString())
        return file

    return freeze
