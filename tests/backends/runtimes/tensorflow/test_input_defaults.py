"""Inputs that need not be sent: those with a default, and those that no output needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    edit,
    function,
    load,
    names,
    save,
    save_v1,
    v1,
)
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis

Serve = Callable[..., Servable]

ROWS = np.array([[1, 2], [3, 4]], np.float32)
SPEC = tf.TensorSpec([None, 2], tf.float32)
SKIP = pytest.mark.parametrize("skip", [False, True], ids=["saver", "no saver"])


def with_default(folder: Path, default: Any, body: Callable[[Any, Any], Any], **o: Any) -> Path:
    """A model of x and ``extra``, which has a default."""
    default = tf.constant(default)

    def run(x: Any, extra: Any = default) -> Any:
        return {"y": body(x, extra)}

    specs = [tf.TensorSpec([None, 2], name="x"), tf.TensorSpec(default.shape, default.dtype)]
    module = tf.Module()
    if o:  # only tf.saved_model.load fills a table that no saver restores
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        module.table, plain = table, body
        body = lambda x, extra: plain(x, extra) + table.lookup(tf.constant(0, tf.int64))  # noqa: E731
    return save(folder, tf.function(run, input_signature=specs, autograph=False), module, **o)


def times(x: Any, extra: Any) -> Any:
    return x * extra


def times_first(x: Any, extra: Any) -> Any:
    return x * extra[0]


def default_of(servable: Servable, name: str) -> Any:
    (spec,) = (spec for spec in servable.signature.inputs if spec.name == name)
    return spec.default


# Defaults.


def test_the_default_that_a_signature_gives_is_shown(tmp_path: Path) -> None:
    servable = load(with_default(tmp_path / "model", 3.0, times))
    assert default_of(servable, "extra") == 3.0
    assert default_of(servable, "x") is None
    assert names(servable.signature.inputs) == ["extra", "x"]
    shown = msgspec.to_builtins(servable.signature)["inputs"]
    assert shown[0] == {"name": "extra", "dtype": "float32", "shape": (), "default": 3.0}
    assert "default" not in shown[1]


VALUES: dict[str, Any] = {
    "bool": [True, False],
    "string": [b"a", b"\xff", "ü".encode()],
    "complex64": [1.5 - 2j, 0.1j],
    "complex128": [1.5 - 2j, 0.1j],
    "float16": [0.1, 65504.0],
    "float32": [0.1, 1e-45, -3.4028235e38],
    "float64": [0.1, 5e-324],
    "int64": [-(2**63), 2**63 - 1],
    "uint64": [2**64 - 1, 0],
}


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES))
def test_a_default_of_any_dtype_is_as_json_spells_it(serve: Serve, dtype: str) -> None:
    values = np.array(VALUES.get(dtype, [0, 1]), NUMPY_DTYPES[dtype])

    def build() -> None:
        constant = tf.constant(values, tf.as_dtype(dtype))
        tf.identity(v1.placeholder_with_default(constant, [None], name="x"), name="y")

    shown = default_of(serve(build, ["x"]), "x")
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown
    if dtype == "string":
        assert shown == ["a", {"b64": "/w=="}, "ü"]
    elif dtype.startswith("complex"):
        assert np.array([complex(*pair) for pair in shown], dtype).tolist() == values.tolist()
        assert shown == [[1.5, -2.0], [0.0, 0.1]]
    else:
        assert np.array(shown, dtype).tolist() == values.tolist()
        assert len(str(shown[0])) <= 20


def test_a_default_of_bfloat16_is_as_float32(tmp_path: Path) -> None:
    servable = load(with_default(tmp_path / "model", tf.constant(0.5, tf.bfloat16), ignoring_dtype))
    assert default_of(servable, "extra") == 0.5


def ignoring_dtype(x: Any, extra: Any) -> Any:
    return x * tf.cast(extra, tf.float32)


@pytest.mark.parametrize("middle", [lambda x: x, tf.identity])
def test_a_constant_default_of_a_placeholder_that_the_params_name_is_shown(
    serve: Serve, middle: Callable[[Any], Any]
) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        factor = v1.placeholder_with_default(middle(tf.constant([2.0, 3.0])), [2], name="factor")
        tf.multiply(x, factor, name="y")

    assert default_of(serve(build, ["x", "factor"]), "factor") == [2.0, 3.0]
    assert names(serve(build).signature.inputs) == ["x"]


def test_a_default_that_is_computed_is_none(serve: Serve) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.identity(v1.placeholder_with_default(x + 1, [None, 2], name="other"), name="y")

    assert default_of(serve(build, ["x", "other"], ["y"]), "other") is None


def test_a_placeholder_s_default_is_shown_of_a_saved_model_too(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 2])
        factor = v1.placeholder_with_default(tf.constant(2.0), [])
        return {"x": x, "factor": factor}, {"y": x * factor}

    assert default_of(load(save_v1(tmp_path / "model", build)), "factor") == 2.0


@SKIP
@pytest.mark.parametrize(
    ("default", "reason"),
    [
        (np.full(9000, 3.0, np.float32), "its default has 9000 values"),
        (np.full(20_000, 3.0, np.float32), "its default has 20000 values"),
        (np.array([3.0, np.nan], np.float32), "its default has values that JSON lacks"),
    ],
)
def test_a_default_that_cannot_be_shown_is_used_and_said(
    tmp_path: Path, skip: bool, default: Any, reason: str
) -> None:
    options = {"experimental_skip_saver": True} if skip else {}
    folder = with_default(tmp_path / "model", default, times_first, **options)
    servable = load(folder)
    assert names(servable.signature.inputs) == ["x"]
    (said,) = servable.signature.left_out
    assert said.startswith(f"extra ({reason}")
    assert said.endswith(": to send it, name it in params.inputNode)")
    assert answers(servable, ROWS)["y"].tolist() == (3 * ROWS).tolist()

    named = load(folder, inputNode=["x", "extra"])
    assert default_of(named, "extra") is None
    assert named.signature.left_out == ()
    assert answers(named, ROWS, 2 * default)["y"].tolist() == (6 * ROWS).tolist()


@SKIP
def test_an_input_that_the_params_do_not_name_has_its_default(tmp_path: Path, skip: bool) -> None:
    options = {"experimental_skip_saver": True} if skip else {}
    servable = load(with_default(tmp_path / "model", 3.0, times, **options), inputNode="x")
    assert names(servable.signature.inputs) == ["x"]
    assert servable.signature.batch is BatchAxis.FREE
    assert servable.run([ROWS])[0].tolist() == (3 * ROWS).tolist()


def test_a_default_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    def change(meta_graph: Any) -> None:
        wrong = tf.make_tensor_proto([1, 2])
        meta_graph.signature_def["serving_default"].defaults["extra"].CopyFrom(wrong)

    folder = edit(with_default(tmp_path / "model", 3.0, times), change)
    with pytest.raises(CannotServe, match=r"default of input 'extra' is int32 \(2,\), but the"):
        load(folder)


# Inputs that no output needs.


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(tf.bool, []), (tf.float32, [None, 3]), (tf.string, None), (tf.qint8, [2]), (tf.variant, [])],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_placeholder_that_no_output_needs_decides_nothing(
    serve: Serve, dtype: Any, shape: Any, named: bool
) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        v1.placeholder(dtype, shape, name="other")

    signature = serve(build, ["x", "other"] if named else []).signature
    assert names(signature.inputs) == ["x"]
    assert signature.unused == ("other",)
    assert signature.batch is BatchAxis.FREE


def test_what_freezing_a_loop_leaves_is_not_told(serve: Serve) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        for name in ("unused_control_flow_input", "unused_control_flow_input_12", "mine"):
            v1.placeholder(tf.int32, [], name=name)

    assert serve(build).signature.unused == ("mine",)


def test_what_another_output_needs_is_unused(serve: Serve) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="label"), name="loss")

    servable = serve(build, ["x", "label"], ["y"])
    assert servable.signature.unused == ("label",)
    np.testing.assert_array_equal(servable.run([ROWS])[0], -ROWS)
    assert serve(build).signature.unused == ()


def test_what_is_before_a_node_that_is_fed_is_unused(serve: Serve) -> None:
    def build() -> None:
        middle = tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="middle")
        tf.negative(middle, name="y")

    signature = serve(build, ["middle"]).signature
    assert (names(signature.inputs), signature.unused) == (["middle"], ("x",))


def test_where_no_output_needs_anything_what_is_named_is_asked_for(serve: Serve) -> None:
    def build() -> None:
        v1.placeholder(tf.float32, [None, 2], name="x")
        tf.constant([7.0], name="y")

    servable = serve(build, ["x"], ["y"])
    assert (names(servable.signature.inputs), servable.signature.unused) == (["x"], ())
    assert servable.run([ROWS])[0].tolist() == [7]


def ignoring(x: Any, training: Any) -> Any:
    return {"y": -x}


def ignoring_inside(x: Any, training: Any) -> Any:
    inner = tf.function(lambda x, training: (x * 2, training), autograph=False)
    return {"y": inner(x, training)[0]}


@SKIP
@pytest.mark.parametrize("params", [{}, {"inputNode": ["training", "x"]}, {"inputNode": "x"}])
def test_an_argument_that_a_function_ignores_is_unused(
    tmp_path: Path, params: dict[str, Any], skip: bool
) -> None:
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

    def body(x: Any, training: Any) -> Any:
        return {"y": module.table.lookup(tf.constant(0, tf.int64)) - x}

    spec = tf.TensorSpec([], tf.bool)
    signature = function(body, x=SPEC, training=spec)
    servable = load(save(tmp_path / "m", signature, module, experimental_skip_saver=skip), **params)
    assert names(servable.signature.inputs) == ["x"]
    assert servable.signature.unused == ("training",)
    assert servable.signature.batch is BatchAxis.FREE
    np.testing.assert_array_equal(answers(servable, ROWS)["y"], -ROWS)


@pytest.mark.parametrize("dtype", [tf.string, tf.float64, tf.bfloat16])
@pytest.mark.parametrize("shape", [[], [None, 3], [2], None])
def test_whatever_its_dtype_and_shape(tmp_path: Path, dtype: Any, shape: Any) -> None:
    signature = function(ignoring_inside, x=SPEC, training=tf.TensorSpec(shape, dtype))
    servable = load(save(tmp_path / "model", signature))
    assert servable.signature.unused == ("training",)
    np.testing.assert_array_equal(answers(servable, ROWS)["y"], 2 * ROWS)


def asserting(x: Any, training: Any) -> Any:
    with tf.control_dependencies([tf.debugging.Assert(training, ["no"])]):
        return {"y": tf.identity(x)}


def branching(x: Any, training: Any) -> Any:
    return {"y": tf.cond(training, lambda: x, lambda: -x)}


def needing_inside(x: Any, training: Any) -> Any:
    inner = tf.function(lambda a, b: (a, tf.cast(b, tf.float32)), autograph=False)
    return {"y": x + inner(x, training)[1]}


@pytest.mark.parametrize("body", [asserting, branching, needing_inside])
def test_an_argument_that_a_function_needs_is_asked_for(
    tmp_path: Path, body: Callable[[Any, Any], Any]
) -> None:
    signature = function(body, x=SPEC, training=tf.TensorSpec([], tf.bool))
    servable = load(save(tmp_path / "model", signature))
    assert names(servable.signature.inputs) == ["training", "x"]
    assert servable.signature.unused == ()


# Outputs that no answer can hold.


def quantised(x: Any) -> Any:
    q = tf.quantization.quantize(x, 0.0, 4.0, tf.qint8)
    return {"y": -x, "q": q.output, "low": q.output_min}


def test_outputs_that_nobody_could_read_are_left_out_and_said(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", function(quantised, x=SPEC))
    servable = load(folder)
    assert names(servable.signature.outputs) == ["low", "y"]
    assert servable.signature.left_out == ("q (qint8)",)
    np.testing.assert_array_equal(answers(servable, ROWS)["y"], -ROWS)
    with pytest.raises(CannotServe, match=r"holds qint8, which .* other nodes in params"):
        load(folder, outputNode=["q", "y"])


def test_where_nobody_could_read_any_output_the_reason_is_told(tmp_path: Path) -> None:
    body = function(lambda x: {"q": tf.quantization.quantize(x, 0.0, 1.0, tf.qint8)[0]}, x=SPEC)
    with pytest.raises(CannotServe, match="holds qint8, which no request or answer can hold"):
        load(save(tmp_path / "model", body))


def test_the_same_of_a_graph(serve: Serve) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.raw_ops.QuantizeV2(input=x, min_range=0.0, max_range=1.0, T=tf.qint8, name="q")

    servable = serve(build)
    assert names(servable.signature.outputs) == ["q:1", "q:2"]
    assert servable.signature.left_out == ("q (qint8)",)
    assert serve(build, [], ["q:1"]).signature.left_out == ()

    def only_lists() -> None:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=[2], name="list")

    with pytest.raises(CannotServe, match=r"'list' holds variant, .* in params\.outputNode"):
        serve(only_lists)
