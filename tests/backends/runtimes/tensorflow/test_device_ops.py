"""Models that were made for graphics cards or TPUs are refused when they are uploaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import function, load, save
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import LoadOptions, Servable

Serve = Callable[..., Servable]

raw = tf.raw_ops
STABLEHLO = b"""
module @double {
  func.func public @main(%x: tensor<2xf32>) -> tensor<2xf32> {
    %y = stablehlo.add %x, %x : tensor<2xf32>
    return %y : tensor<2xf32>
  }
}
"""


def cudnn(x: Any) -> Any:
    state = tf.zeros([1, 1, 1])
    x = tf.reshape(x, [1, 1, 1])
    return raw.CudnnRNNV2(input=x, input_h=state, input_c=state, params=tf.zeros(16), name="rnn")[0]


def tpu(x: Any) -> Any:
    return raw.TPUOrdinalSelector(name="tpu") + tf.cast(tf.shape(x), tf.int32)


def xla(platforms: list[str], version: int = 9, unchecked: list[str] | None = None) -> Any:
    """Code that doubles two numbers."""

    # Only here: quiet_tensorflow has to import TensorFlow first.
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    def call(x: Any) -> Any:
        return gen_xla_ops.xla_call_module(
            args=[tf.ensure_shape(x, [2])],
            version=version,
            module=STABLEHLO,
            Sout=[tf.TensorShape([2])],
            Tout=[tf.float32],
            platforms=platforms,
            disabled_checks=unchecked or [],
            name="jax",
        )[0]

    return call


def pictures(op: Callable[[Any], Any], *sizes: int) -> Any:
    return lambda x: op(tf.reshape(x, [1, 1, *sizes]))


def convolution(x: Any) -> Any:
    return tf.nn.conv2d(x, tf.ones([1, 1, 1, 1]), 1, "SAME", data_format="NCHW", name="conv")


def convolution_3d(x: Any) -> Any:
    kernel = tf.ones([1, 1, 1, 1, 1])
    return tf.nn.conv3d(x, kernel, [1] * 5, "SAME", data_format="NCDHW", name="conv")


def pooling(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 1, 1, "SAME", data_format="NCHW", name="pool")


def graph(serve: Serve, body: Callable[[Any], Any], outer: str) -> Servable:
    """``body`` in a graph, or in a function, a loop or a branch of it."""
    inner = tf.function(body, autograph=False)
    outers: dict[str, Callable[[Any], Any]] = {
        "graph": body,
        "function": inner,
        "function of a function": tf.function(lambda x: inner(x), autograph=False),
        "branch": lambda x: tf.cond(tf.size(x) > 5, lambda: inner(x), lambda: inner(x)),
    }

    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        tf.identity(outers[outer](x), name="y")

    return serve(build, ["x"], ["y"], allow_ops=("XlaCallModule",))


@pytest.mark.parametrize("outer", ["graph", "function", "function of a function", "branch"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (cudnn, r"node '.*rnn' uses 'CudnnRNNV2', which only graphics cards .* use_cudnn=False"),
        (tpu, r"node '.*tpu'.* uses 'TPUOrdinalSelector', which only TPUs can run, .*CPUs"),
        (xla(["CUDA"]), r"node '.*jax' is XLA code for CUDA only, .* native_serialization"),
        (xla(["CUDA", "ROCM"]), "is XLA code for CUDA, ROCM only"),
        (xla(["CPU"], version=99), "is XLA code in format 99, .* reads formats 4 to"),
        (xla(["CPU"], version=3), "is XLA code in format 3, .*another version of JAX"),
        (
            pictures(convolution, 4, 4),
            r"node '.*conv' uses 'Conv2D' with the channels first, .* data_format NHWC",
        ),
        (pictures(convolution_3d, 4, 2, 2), r"node '.*conv' uses 'Conv3D' with the channels first"),
        (pictures(pooling, 4, 4), r"node '.*pool' uses 'MaxPool' with the channels first"),
    ],
)
def test_what_no_cpu_can_run_is_refused(
    serve: Serve, body: Callable[[Any], Any], message: str, outer: str
) -> None:
    with pytest.raises(CannotServe, match=message) as caught:
        graph(serve, body, outer)
    assert caught.value.details["op"]


@pytest.mark.parametrize(
    "body",
    [xla(["CPU"]), xla(["CUDA"], unchecked=["platform"]), xla(["CPU"], version=4)],
)
def test_code_of_xla_that_a_cpu_can_run_is_run(serve: Serve, body: Callable[[Any], Any]) -> None:
    servable = graph(serve, body, "function")
    assert servable.run([np.array([1, 2], np.float32)])[0].tolist() == [2, 4]


def test_code_of_xla_that_never_runs_is_not_the_request_s_fault(serve: Serve) -> None:
    with pytest.raises(
        CannotServe, match=r"cannot run the model: .* must have non-empty platforms"
    ):
        graph(serve, xla([]), "function").run([np.ones(2, np.float32)])


def test_a_saved_model_is_refused_likewise(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", function(lambda x: {"y": cudnn(x)}, x=tf.float32))
    with pytest.raises(CannotServe, match="'CudnnRNNV2', which only graphics cards can run"):
        load(folder)


def test_what_the_outputs_do_not_need_may_be_for_any_device(serve: Serve) -> None:
    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        tf.negative(x, name="y")
        tf.identity(tf.function(cudnn, autograph=False)(x), name="z")

    assert serve(build, ["x"], ["y"]).run([np.ones(1, np.float32)])[0].tolist() == [-1]


def test_what_comes_before_a_node_that_is_fed_may_be_for_any_device(serve: Serve) -> None:
    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        middle = tf.identity(tf.function(cudnn, autograph=False)(x), name="middle")
        tf.negative(middle, name="y")

    values = np.ones((1, 1, 1), np.float32)
    assert serve(build, ["middle"], ["y"]).run([values])[0].tolist() == [[[-1]]]


def test_a_branch_for_another_device_is_not_taken(tmp_path: Path) -> None:
    """Keras 2 wrote its LSTM layers so."""
    from tensorflow.python.ops.control_flow_switch_case import execute_fn_for_device

    def body(x: Any) -> Any:
        branches = {"CPU": lambda: tf.reshape(-x, [1, 1, 1]), "GPU": lambda: cudnn(x)}
        return {"y": execute_fn_for_device(branches, lambda: x)}

    servable = load(save(tmp_path / "model", function(body, x=tf.TensorSpec([1]))))
    assert servable.run([np.ones(1, np.float32)])[0].tolist() == [[[-1]]]


def switch(x: Any) -> Any:
    return tf.switch_case(tf.size(x) - 1, [lambda: x, lambda: 2 * x])


@pytest.mark.parametrize("body", [switch, xla(["CPU"])], ids=["switch", "xla"])
def test_what_a_saved_model_leaves_out_is_not_added(
    tmp_path: Path, body: Callable[[Any], Any]
) -> None:
    folder = save(tmp_path / "model", function(lambda x: {"y": body(x)}, x=tf.float32))
    servable = load(folder, LoadOptions(threads=1, allow_ops=("XlaCallModule",)))
    (doubled,) = servable.run([np.array([1, 2], np.float32)])
    assert doubled.tolist() == [2, 4]
