"""What a graph takes once it is computed, the limit of its process bounds: no vetting can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.core.sandbox.test_confine import needs_all
from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate, EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe, Unavailable
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf
from tfaas_core.testing.loops import in_event_loop

_LIMIT = 256 << 20
_MANY = 1 << 28
"""Floats, of four times the limit."""

_TAKES_MORE = f"the model takes more memory to load than a model may take, {_LIMIT} bytes: "
_NO_CONSTANT = "TensorFlow cannot make a constant of the graph, or one that it computes beforehand"


def _filled(size: Any) -> Any:
    return tf.fill(size, 1.0)


def _text() -> Any:
    text = tf.constant("x")
    for _ in range(30):
        text = tf.strings.join([text, text])
    return tf.strings.length(text)


def _list() -> Any:
    made = tf.raw_ops.TensorListReserve(
        element_shape=tf.constant([], tf.int32), num_elements=_MANY, element_dtype=tf.float32
    )
    return tf.raw_ops.TensorListLength(input_handle=made)


def _function() -> Any:
    return tf.function(_filled)(tf.constant([_MANY]))


def _shapes() -> Any:
    huge = tf.reduce_sum(tf.fill(tf.identity([_MANY]), 1.0))
    return _filled(tf.cast(0 * huge, tf.int32)[None])


def _doubled() -> Any:
    return tf.while_loop(
        lambda _: True,
        lambda rows: (tf.concat([rows, rows], 0),),
        (tf.constant([1.0]),),
        shape_invariants=(tf.TensorShape([None]),),
        maximum_iterations=28,
    )


def _product() -> Any:
    row = tf.fill([1 << 14], 1.0)
    return tf.einsum("i,j->ij", row, row)


BOMBS: Mapping[str, tuple[Callable[[], Any], str]] = {
    "filled by a function": (_function, _NO_CONSTANT),
    "filled for a shape": (_shapes, _NO_CONSTANT),
    "a long text": (_text, _TAKES_MORE),
    "a long list": (_list, _TAKES_MORE),
}
"""What graphs compute of constants alone, beforehand or in each run."""

IN_A_RUN: Mapping[str, Callable[[], Any]] = {
    "a loop that doubles": _doubled,
    "a product of vectors": _product,
}
"""What graphs compute of them that nothing computes beforehand."""


def _written(folder: Path, name: str, made: Callable[[], Any]) -> str:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        tf.add(x, tf.reduce_sum(tf.cast(made(), tf.float32)), name="y")
    file = folder / f"{name}.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return str(file)


@asynccontextmanager
async def _harness(folder: Path) -> AsyncIterator[Harness]:
    config = load_config(None, [f"engine.max_model_memory_bytes={_LIMIT}"], {})
    context = EngineContext(config, {RUNTIME: GraphRuntime()}, 1)
    harness = Harness(LocalEngineFactory(), context, Shelf(folder))
    try:
        await harness.start()
        yield harness
    finally:
        await harness.close()


@needs_all
@in_event_loop
async def test_what_a_graph_computes_is_bounded_by_the_memory_of_its_process(
    tmp_path: Path,
) -> None:
    async with _harness(tmp_path) as harness:
        for name, (made, told) in BOMBS.items():
            candidate = Candidate(name, "", RUNTIME, _written(tmp_path, name, made), {})
            with pytest.raises(CannotServe) as refused:
                await harness.worker.engine.prepare(candidate)
            assert refused.value.message.startswith(told), name
        for name, made in IN_A_RUN.items():
            candidate = Candidate(name, "", RUNTIME, _written(tmp_path, name, made), {})
            loaded = await harness.worker.engine.prepare(candidate)
            for _ in range(2):
                with pytest.raises(Unavailable, match="memory"):
                    await harness.worker.run_prepared(loaded, np.ones(3, np.float32))
