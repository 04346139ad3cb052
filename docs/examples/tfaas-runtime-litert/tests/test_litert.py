from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tfaas_runtime_litert import tfaas_register_runtimes
from tfaas_runtime_litert.runtime import LiteRuntime

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable, Verdict
from tfaas_core.tensors import BatchAxis

RUNTIME = LiteRuntime()
SUM = Path(__file__).with_name("sum.tflite")
"""Of the three numbers of a row, weighted by 1, 2 and 3; make_models.py beside it makes it."""
UNSIGNED = Path(__file__).with_name("unsigned.tflite")
"""The same, without a signature, and for one row."""


def loaded(artifact: Path, **params: object) -> Servable:
    return RUNTIME.load(artifact, Params.of(params), LoadOptions())


def test_the_plugin_registers_the_runtime() -> None:
    assert list(tfaas_register_runtimes()) == ["litert"]


def test_a_model_answers_by_the_names_of_its_signature() -> None:
    servable = loaded(SUM)
    signature = servable.signature
    assert (signature.name, signature.batch) == ("serving_default", BatchAxis.FREE)
    assert [str(one) for one in (*signature.inputs, *signature.outputs)] == [
        "float32 [?, 3]",
        "float32 [?, 1]",
    ]
    assert [one.name for one in (*signature.inputs, *signature.outputs)] == ["x", "sum"]
    for rows in (1, 3, 2):
        (answer,) = servable.run([np.ones((rows, 3), np.float32)])
        assert answer.tolist() == [[6.0]] * rows
    servable.close()


def test_without_a_signature_the_whole_graph_is_served() -> None:
    servable = loaded(UNSIGNED)
    assert (servable.signature.name, servable.signature.batch) == ("", BatchAxis.ONE)
    (answer,) = servable.run([np.ones((1, 3), np.float32)])
    assert answer.tolist() == [[6.0]]
    with pytest.raises(DoesNotFit, match="cannot be run"):
        servable.run([np.ones((2, 3), np.float32)])


def test_a_signature_that_is_not_there_cannot_be_served() -> None:
    with pytest.raises(CannotServe, match="no signature 'other'; there are: serving_default"):
        loaded(SUM, signature="other")
    with pytest.raises(CannotServe, match="there are: none"):
        loaded(UNSIGNED, signature="other")


def test_files_are_told_by_their_mark_or_their_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"no model")
    assert RUNTIME.claim(SUM, "") is Verdict.SURE
    assert RUNTIME.claim(other, "") is Verdict.NO
    assert RUNTIME.claim(other, "odd.tflite") is Verdict.SURE
    assert RUNTIME.claim(tmp_path, "") is Verdict.NO


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_a_broken_file_is_a_bad_body(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    with pytest.raises(BadBody, match="none of TensorFlow Lite"):
        loaded(file)
