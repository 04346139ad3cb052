"""LiteRT as the second engine of TensorFlow's models."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.litert.accelerator import LiteAccelerator
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.cli.conftest import DEMO
from tfaas_core.engine.in_model_process.accelerating.accelerated import AcceleratedServable
from tfaas_core.engine.in_model_process.accelerating.acceleration_trial import AccelerationTrial
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import CannotAccelerate, FastModel, LoadOptions, Servable
from tfaas_core.system.output.muted import stderr_muted

if os.environ.get("CI") != "true":  # there, it must be installed
    pytest.importorskip("ai_edge_litert", reason="tfaas[fast] is not installed")

LITE = LiteAccelerator()


def fast(servable: Servable) -> FastModel:
    with stderr_muted():
        return LITE.open(LITE.convert(servable), servable.signature, 1)


def frozen(folder: Path, build: Any) -> Servable:
    with tf.Graph().as_default() as graph:
        build()
    file = folder / "model.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return GraphRuntime().load(file, Params(), LoadOptions(threads=1))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servable]:
    folder = tmp_path_factory.mktemp("digits")
    with tarfile.open(DEMO / "digits.tar.gz") as tarball:
        tarball.extractall(folder, filter="data")
    loaded = SavedModelRuntime().load(folder / "digits", Params(), LoadOptions(threads=1))
    yield loaded
    loaded.close()


def test_a_saved_model_answers_alike_whatever_the_number_of_rows_and_whatever_the_values(
    digits: Servable,
) -> None:
    trial = AccelerationTrial(digits, fast(digits), digits.signature)
    try:
        assert trial.found([], 40, mergeable=True).most_rows == 40
    except CannotAccelerate as error:  # a busy machine may measure anything
        assert "times as fast" in str(error)  # noqa: PT017


def test_large_variables_become_constants(tmp_path: Path) -> None:
    class Large(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weights = tf.Variable(tf.random.normal([600, 600], seed=1) / 30)

        @tf.function(input_signature=[tf.TensorSpec([None, 600], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": tf.nn.relu(x @ self.weights)}

    model = Large()
    tf.saved_model.save(model, tmp_path / "model", signatures=model.__call__)
    servable = SavedModelRuntime().load(tmp_path / "model", Params(), LoadOptions(threads=1))
    rows = np.random.default_rng(1).normal(size=(3, 600)).astype(np.float32)
    (expected,) = servable.run([rows])
    assert np.allclose(fast(servable).run([rows])[0], expected, atol=1e-5)
    assert np.array_equal(servable.run([rows])[0], expected)
    servable.close()


def test_numbers_that_are_not_finite_wake_tensorflow(tmp_path: Path) -> None:
    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        tf.sigmoid(x @ tf.constant([[1.0], [2.0], [-3.0]]), name="y")

    servable = frozen(tmp_path, build)
    assert isinstance(servable, GraphServable)
    rows = np.array([[1, 2, 3], [4, 5, 4]], np.float32)
    expected = servable.run([rows])[0]
    both = AcceleratedServable(servable)
    both.take(fast(servable), 40)
    assert np.allclose(both.run([rows])[0], expected, atol=1e-5)
    assert servable.session.opened is None
    rows[1, 0] = math.nan
    assert np.isnan(both.run([rows])[0]).ravel().tolist() == [False, True]
    assert servable.session.opened is not None


def test_an_index_out_of_range_is_tensorflows_error(tmp_path: Path) -> None:
    def build() -> None:
        places = tf.compat.v1.placeholder(tf.int32, [None, 2], "x")
        tf.gather(tf.constant([1.0, 2.0, 4.0]), places, name="y")

    servable = frozen(tmp_path, build)
    both = AcceleratedServable(servable)
    both.take(fast(servable), 40)
    assert both.run([np.array([[0, 2]], np.int32)])[0].tolist() == [[1.0, 4.0]]
    with pytest.raises(DoesNotFit, match="indices"):
        both.run([np.array([[0, 3]], np.int32)])


def test_what_the_converter_does_not_know_is_refused_in_one_line(tmp_path: Path) -> None:
    def build() -> None:
        tf.raw_ops.Betainc(
            a=tf.compat.v1.placeholder(tf.float32, [None, 2], "x"), b=1.0, x=0.5, name="y"
        )

    with pytest.raises(CannotAccelerate, match=r"cannot be converted: .*Betainc") as refused:
        fast(frozen(tmp_path, build))
    assert "\n" not in str(refused.value)


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = "from tfaas_backends.runtimes.graph.runtime import GraphRuntime\n"
    code += "GraphRuntime().accelerator().versions()\n"
    code += "import sys; print('tensorflow' in sys.modules, 'ai_edge_litert' in sys.modules)"
    run = [sys.executable, "-c", code]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(run, env=env, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "False"]
