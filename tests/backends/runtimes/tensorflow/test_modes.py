"""TensorFlow's modes: a model's process has oneDNN if its params, or the configuration, say so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.config import load_config
from tfaas_core.engine.base import Candidate
from tfaas_core.plugins import plugins_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.tools.lone_engine import engine_context, lone_engine, record_of


def channels_first(folder: Path) -> Path:
    """A convolution that on CPUs only oneDNN computes: each number becomes the sum of two rows."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 2, 3, 3], "x")
        tf.nn.conv2d(x, tf.ones([1, 1, 2, 4]), 1, "VALID", data_format="NCHW", name="y")
    path = folder / "conv.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@in_event_loop
async def test_a_model_gets_the_mode_that_its_params_name(tmp_path: Path) -> None:
    path = channels_first(tmp_path)
    config = load_config(None, (), {})
    context = engine_context(config, plugins_of(config))
    # No stored model: TensorFlow is imported in the fork server of the mode alone.
    context = msgspec.structs.replace(context, stored_runtimes=list)
    async with lone_engine(context, {}) as lone:
        said = Candidate("conv", "", "graph", str(path), {"mode": "onednn"})
        loaded = await lone.engine.prepare(said)
        rows = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3)
        record = record_of(said, loaded)
        (answer,) = await lone.engine.run_prepared(loaded.ticket, record, [rows], 2)
        np.testing.assert_array_equal(answer, np.repeat(rows.sum(1, keepdims=True), 4, axis=1))
