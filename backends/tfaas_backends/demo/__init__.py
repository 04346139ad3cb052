"""Models to try the server with, made by the scripts beside them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec

from tfaas_core.models.params import Params

_FOLDER = Path(__file__).parent


class DemoModel(msgspec.Struct, frozen=True):
    """A model that comes with TFaaS: its name, its files, and a line on what it does.

    ``model`` is a graph, or a bundle, which holds its own params: then ``params`` is None.
    """

    name: str
    model: Path
    params: Path | None
    description: str


def demo_models() -> list[DemoModel]:
    """All demo models, by name: ``NAME.pb`` with ``NAME.params.json``, or ``NAME.tar.gz``."""
    models = [_graph(file) for file in _FOLDER.glob("*.pb")]
    models += [_bundle(file) for file in _FOLDER.glob("*.tar.gz")]
    return sorted(models, key=lambda model: model.name)


def _graph(file: Path) -> DemoModel:
    params = file.with_suffix(".params.json")
    read = Params.parse(params.read_bytes())
    return DemoModel(read.name, file, params, read.description)


def _bundle(file: Path) -> DemoModel:
    with tarfile.open(file) as archive:
        params = archive.extractfile(f"{file.name.removesuffix('.tar.gz')}/params.json")
        assert params is not None
        read = Params.parse(params.read())
    return DemoModel(read.name, file, None, read.description)
