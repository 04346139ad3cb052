"""Fixtures for tests of what touches model files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime

from tests.backends.storages.sql.databases import UrlOf, opened, postgresql_url, sqlite_url
from tfaas_core.models.params import BatchParams, Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.storage import Storage
from tfaas_core.tensors import BatchAxis

Serve = Callable[..., Servable]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Builds, writes and loads a frozen graph; the servable is closed after the test.

    ``serve(build, inputs, outputs, edit=edit, threads=1, axis=None, allow_ops=())``: ``build`` is
    called with an empty graph as TensorFlow's default one, ``edit`` may change the GraphDef that
    came of it; ``inputs`` and ``outputs`` are the node names in the params, ``axis`` is their batch
    axis; ``allow_ops`` are allowed beside those that all models may use.
    """
    servables = []

    def serve(
        build: Callable[[], Any],
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        edit: Callable[[Any], Any] = lambda graph_def: None,
        threads: int = 1,
        axis: BatchAxis | None = None,
        allow_ops: tuple[str, ...] = (),
    ) -> Servable:
        file = tmp_path / "model.pb"
        file.write_bytes(_frozen(build, edit))
        params = Params(
            input_nodes=tuple(inputs), output_nodes=tuple(outputs), batch=BatchParams(axis)
        )
        options = LoadOptions(threads, allow_ops=allow_ops)
        servables.append(GraphRuntime().load(file, params, options))
        return servables[-1]

    yield serve
    for servable in servables:
        servable.close()


def _frozen(build: Callable[[], Any], edit: Callable[[Any], Any]) -> bytes:
    # Only here: tests of storages do without TensorFlow.
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    graph = tf.Graph()
    with graph.as_default():
        build()
    graph_def = graph.as_graph_def()
    edit(graph_def)
    return bytes(graph_def.SerializeToString())


@pytest.fixture(params=["sqlite", "postgresql"])
def url_of(request: pytest.FixtureRequest) -> UrlOf:
    if request.param == "sqlite":
        return sqlite_url
    request.getfixturevalue("postgresql")
    return postgresql_url


@pytest.fixture
def url(url_of: UrlOf, tmp_path: Path) -> str:
    return url_of(tmp_path)


@pytest.fixture
def storage(url: str, tmp_path: Path) -> Iterator[Storage]:
    storage = opened(url, tmp_path)
    yield storage
    storage.close()


@pytest.fixture
def other_host(url: str, tmp_path: Path) -> Iterator[Storage]:
    """A storage on the same database that has a cache of its own."""
    storage = opened(url, tmp_path / "other")
    yield storage
    storage.close()
