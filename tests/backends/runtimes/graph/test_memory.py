"""What a graph takes once it is computed, the limit of its process bounds: no vetting can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.core.sandbox.test_confine import needs_all
from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate, EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf

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


BOMBS: Mapping[str, tuple[Callable[[], Any], str]] = {
    "filled by a function": (_function, _NO_CONSTANT),
    "filled for a shape": (_shapes, _NO_CONSTANT),
    "a long text": (_text, _TAKES_MORE),
    "a long list": (_list, _TAKES_MORE),
}
"""What graphs compute of constants alone, beforehand or in each run."""


def _written(folder: Path, name: str) -> str:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        made, _ = BOMBS[name]
        tf.add(x, tf.reduce_sum(tf.cast(made(), tf.float32)), name="y")
    file = folder / f"{name}.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return str(file)


async def _refusals(folder: Path) -> dict[str, str]:
    runtime = GraphRuntime()
    config = load_config(None, [f"engine.max_model_memory_bytes={_LIMIT}"], {})
    harness = Harness(
        LocalEngineFactory(), EngineContext(config, {RUNTIME: runtime}, 1), Shelf(folder)
    )
    told = {}
    try:
        await harness.start()
        for name in BOMBS:
            path = _written(folder, name)
            with pytest.raises(CannotServe) as refused:
                await harness.worker.engine.prepare(Candidate(name, "", RUNTIME, path, {}))
            told[name] = refused.value.message
    finally:
        await harness.close()
    return told


@needs_all
def test_what_a_graph_computes_beforehand_is_bounded_by_the_memory_of_its_process(
    tmp_path: Path,
) -> None:
    for name, message in asyncio.run(_refusals(tmp_path)).items():
        assert message.startswith(BOMBS[name][1]), name
