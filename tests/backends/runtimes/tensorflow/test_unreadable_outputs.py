"""Outputs that no answer can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    function,
    load,
    names,
    save,
    v1,
)
from tests.backends.runtimes.tensorflow.rows_of_two import ROWS, SPEC, Serve
from tfaas_core.errors import CannotServe


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
