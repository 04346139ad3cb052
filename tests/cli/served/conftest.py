"""Models of other servers, and the storage that they are copied to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.served.models import put, save_half_plus, write_graph
from tfaas_core.cli import main
from tfaas_core.models.versions import Model

Stored = Callable[[str], Model]
Capture = pytest.CaptureFixture[str]

TO = ("--to", "tfaas.toml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModels ``two`` and ``three``, and the graph ``double.graphdef``."""
    folder = tmp_path_factory.mktemp("made")
    save_half_plus(folder / "two", 2.0)
    save_half_plus(folder / "three", 3.0)
    write_graph(folder / "double.graphdef", 2.0)
    return folder


@pytest.fixture(autouse=True)
def target(here: Path) -> Iterator[FilesystemStorage]:
    """The storage of ``tfaas.toml``."""
    (here / "tfaas.toml").write_text('[storage]\nroot = "stored"\n')
    storage = FilesystemStorage(here / "stored")
    storage.open()
    yield storage
    storage.close()


@pytest.fixture
def stored(target: FilesystemStorage) -> Stored:
    """A model that is there."""

    def look_up(name: str) -> Model:
        model = target.model(name)
        assert model is not None
        return model

    return look_up


@pytest.fixture
def half(here: Path, made: Path) -> Path:
    """A base path with the versions 123 and 124."""
    put(made / "two", here / "served" / "half" / "00000123")
    put(made / "three", here / "served" / "half" / "124")
    return here / "served" / "half"


def numbers(model: Model) -> list[int]:
    return [version.version for version in model.versions]


def lines(capfd: Capture, *arguments: str | Path, status: int = 1) -> tuple[list[str], list[str]]:
    """What the command prints to stdout and stderr."""
    assert main(["copy", *map(str, arguments), *TO]) == status
    captured = capfd.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()
