"""One server for the tests that leave it as they found it, and small frozen graphs for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.server.ladder import Ladder, ScaleGraph, stored_doubler
from tfaas_core.testing.server import RunningServer, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with two HTTP workers and the default settings."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, "server.workers=2") as running:
        yield running


@pytest.fixture(scope="session")
def frozen() -> Callable[[Callable[[Any], Any]], bytes]:
    """Freezes what a function builds with the TensorFlow 1 API: ``frozen(lambda tf: ...)``."""
    import tensorflow as tf

    def freeze(build: Callable[[Any], Any]) -> bytes:
        with tf.Graph().as_default() as graph:
            build(tf)
            return bytes(graph.as_graph_def().SerializeToString())

    return freeze


@pytest.fixture(scope="session")
def scale_graph(frozen: Callable[..., bytes]) -> Callable[[float], bytes]:
    """A frozen graph ``x [?, 3] -> y [?, 3]`` that multiplies by a number."""

    def build(factor: float) -> bytes:
        def scale(tf: Any) -> None:
            x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
            tf.multiply(x, tf.constant(factor), "y")

        return frozen(scale)

    return build


@pytest.fixture(scope="module")
def doubler(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[str]:
    """The name of a stored model that doubles rows of 3, for the tests that leave it as it is."""
    with stored_doubler(server, scale_graph) as name:
        yield name


@pytest.fixture(scope="module")
def fixed(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[Ladder]:
    """Versions 1 to 3, the first one labelled, for the tests that change nothing."""
    made = Ladder(server, scale_graph, "fixed")
    made.upload(3)
    made.label("canary", 1)
    yield made
    server.http.delete("/delete/fixed")


@pytest.fixture
def clean(server: RunningServer) -> Iterator[None]:
    """Removes all models afterwards; nothing may be left of uploads that failed."""
    yield
    for name in server.names():
        server.http.delete(f"/delete/{name}")
    assert list((server.log.parent / "models" / ".staging").iterdir()) == []


@pytest.fixture
def ladder(server: RunningServer, scale_graph: ScaleGraph) -> Iterator[Ladder]:
    """Versions 1 to 3."""
    made = Ladder(server, scale_graph, "ladder")
    made.upload(3)
    yield made
    server.http.delete("/delete/ladder")
