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
    load,
    names,
    save,
    save_v1,
    v1,
)
from tests.backends.runtimes.tensorflow.rows_of_two import ROWS, SKIP, Serve
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis


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
