"""Hostile graphs are refused before TensorFlow sees them, with the op, the node, the path to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.private import op_def_registry
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.vetting.graphs import READ, add, harmless
from tests.backends.runtimes.vetting.hostile import HOSTILE
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable


def load(graph_def: Any, folder: Path, **options: Any) -> Servable:
    file = folder / "model.pb"
    file.write_bytes(graph_def.SerializeToString())
    return GraphRuntime().load(file, Params(), LoadOptions(threads=1, **options))


def test_a_harmless_graph_is_served(tmp_path: Path) -> None:
    assert load(harmless(), tmp_path).run([np.ones(1, np.float32)])[0].tolist() == [-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_graph_is_refused(name: str, tmp_path: Path) -> None:
    hostile, graph_def = HOSTILE[name], harmless()
    hostile.change(graph_def)
    with pytest.raises(CannotServe) as caught:
        load(graph_def, tmp_path)
    refusal = caught.value
    assert refusal.details["path"] == list(hostile.path)
    assert refusal.details.get("op", "") == hostile.op
    assert hostile.says in refusal.message
    for named in filter(None, (hostile.op, *hostile.path)):
        assert named in refusal.message


def test_without_a_policy_tensorflow_decides(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"top secret")

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.string, [], name="x")
        tf.io.read_file(x, name="y")
    graph_def = graph.as_graph_def()
    path = np.array(str(secret), object)
    for options in ({"policy": "off"}, {"allow_ops": (READ,)}):
        servable = load(graph_def, tmp_path, **options)
        assert servable.run([path])[0].item() == b"top secret"
        servable.close()
    with pytest.raises(CannotServe, match=r"node 'y' uses 'ReadFile', which reaches for files"):
        load(graph_def, tmp_path)


def test_an_op_that_tensorflow_does_not_know_is_said_to_be_unknown(tmp_path: Path) -> None:
    graph_def = harmless()
    add(graph_def, "bad", "MyOp")
    assert op_def_registry.get("MyOp") is None
    with pytest.raises(CannotServe, match=f"'MyOp', an op that TensorFlow {tf.__version__} does"):
        load(graph_def, tmp_path)
