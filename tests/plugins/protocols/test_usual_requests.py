"""Usual requests are read in short ways, and hold what a closer look would find in them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.infer.input_forms import InputForms
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.requests import InferBody, infer_body, usual_infer_body
from tfaas_plugins.protocols.oip.infer.usual_body import usual_body
from tfaas_plugins.protocols.tfserving.models import bound_as_it_is
from tfaas_plugins.protocols.tfserving.tensors import columns_answer, rows_answer, values_of
from tfaas_plugins.protocols.tfserving.usual_answer import usual_answer
from tfaas_plugins.protocols.tfserving.usual_values import UsualValues
from tfaas_plugins.protocols.vectors import Vectors, may_hold_booleans

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Arrays, BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

LIMITS = Limits()
NO_TAIL = memoryview(b"")
DATATYPES = {
    **{"float32": "FP32", "float64": "FP64", "float16": "FP16", "bool": "BOOL"},
    **{"int8": "INT8", "int64": "INT64", "uint64": "UINT64", "string": "BYTES"},
}

NUMBERS = (
    st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.integers(-128, 127)
    | st.sampled_from([1e39, -1e300, 2**63, 2**64, 2**70, -(2**63) - 1, 65520.0, 1e-46, -0.0])
)
ODD = st.sampled_from([True, False, None, "1", "true", {"b64": "AAA="}, [], [1.0], float("nan")])
VALUES = NUMBERS | NUMBERS | NUMBERS | ODD
SIZES = st.sampled_from([(), (1,), (2,), (3,), (2, 2), (None,), (0,)])
NAMES = st.sampled_from(["x", "x", "y"])


def spelt(document: Any) -> bytes:
    return json.dumps(document).encode()


@st.composite
def lists(draw: st.DrawFn) -> Any:
    """Rows of numbers, or nearly."""
    if draw(st.booleans()):
        return draw(st.lists(VALUES, max_size=4))
    width = draw(st.integers(0, 3))
    rows = st.lists(VALUES, min_size=width, max_size=width) | ODD
    return draw(st.lists(rows, max_size=3))


@st.composite
def versions(draw: st.DrawFn) -> ModelVersion:
    dtype, sizes = draw(st.sampled_from(sorted(DATATYPES))), draw(SIZES)
    batch = draw(st.sampled_from([*[BatchAxis.FREE] * 3, BatchAxis.ONE, BatchAxis.NONE]))
    first = {BatchAxis.FREE: None, BatchAxis.ONE: 1, BatchAxis.NONE: draw(st.none() | st.just(2))}
    inputs = [TensorSpec("x", dtype, (first[batch], *sizes))]
    if draw(st.booleans()):
        inputs.append(TensorSpec("y", "float32", (first[batch],)))
    return model_version(inputs, batch=batch)


def assert_same(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert (array.dtype, array.shape) == (expected[name].dtype, expected[name].shape)
        assert array.tobytes() == expected[name].tobytes()


@st.composite
def predict_requests(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from(["instances", "inputs"]))
    values = draw(lists())
    if draw(st.integers(0, 9)) == 0:
        return {key: draw(st.just({"x": values}) | ODD)}
    if draw(st.booleans()):
        named = {"x": values, "y": draw(lists())} if draw(st.booleans()) else {"x": values}
        if key == "instances":
            columns = zip(*named.values(), strict=False)
            return {key: [dict(zip(named, row, strict=True)) for row in columns]}
        return {key: named}
    return {key: values}


@settings(max_examples=tries(500), deadline=None)
@given(versions(), predict_requests())
def test_usual_values_are_those_of_a_closer_look(version: ModelVersion, sent: Any) -> None:
    body = spelt(sent)
    document = read(body, LIMITS)
    usual = UsualValues(version).of(document, may_hold_booleans(body))
    if usual is None:
        return
    values = values_of(document, version.signature)
    expected = bound_as_it_is(version, values.arrays)
    assert_same(usual.bound.arrays, expected.arrays)
    assert (usual.bound.rows, usual.bound.whole, usual.bound.any_shape) == (
        *(expected.rows, expected.whole, expected.any_shape),
    )
    assert usual.by_rows == (values.rows is not None)


@st.composite
def infer_requests(draw: st.DrawFn) -> dict[str, Any]:
    inputs = draw(st.lists(infer_inputs(), max_size=2))
    optional = {
        "id": st.sampled_from(["", "a", None, 7]),
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_output", "signature_name", "triton_x", "timeout", "u"]),
            st.booleans() | st.sampled_from(["", "s", 1, -1, 1.5]),
            max_size=2,
        ),
        "outputs": st.lists(infer_outputs(), max_size=2) | st.none(),
        "unknown": st.just([[1]]),
    }
    return draw(st.fixed_dictionaries({"inputs": st.just(inputs)}, optional=optional))


@st.composite
def infer_inputs(draw: st.DrawFn) -> dict[str, Any]:
    data = draw(st.lists(VALUES, max_size=4)) if draw(st.booleans()) else draw(lists())
    likely = st.sampled_from([[len(data)], [1, len(data)], [len(data), 1], [len(data) // 2, 2]])
    shape: list[Any] = draw(likely | st.lists(st.integers(-1, 4) | st.just(1.0), max_size=3))
    optional = {"parameters": st.just({}), "odd": st.just(1)}
    fields = {
        "name": draw(NAMES),
        "datatype": draw(st.sampled_from(["FP32", "FP32", *DATATYPES.values()])),
        "shape": shape,
        "data": data,
    }
    return fields | draw(st.fixed_dictionaries({}, optional=optional))


def infer_outputs() -> st.SearchStrategy[dict[str, Any]]:
    parameters = st.dictionaries(
        st.sampled_from(["binary_data", "classification", "shared_memory_region", "u"]),
        st.booleans() | st.sampled_from(["s", 1, 10**30]),
        max_size=2,
    )
    optional = {"parameters": parameters}
    return st.fixed_dictionaries({"name": st.sampled_from(["y", "z"])}, optional=optional)


def outcome(work: Any) -> Any:
    """What a client would notice of it."""
    try:
        found = work()
    except BadBody as error:
        return error.message
    if isinstance(found, InferBody):
        return found.id, dict(found.parameters), found.outputs, found.binary
    return found


@settings(max_examples=tries(800), deadline=None)
@given(versions(), infer_requests())
def test_usual_bodies_are_those_of_a_closer_look(version: ModelVersion, sent: Any) -> None:
    body = spelt(sent)
    usual = usual_body(body, LIMITS)
    if usual is None:
        return
    found = outcome(lambda: usual_infer_body(usual))
    document = read(body, LIMITS)
    assert found == outcome(lambda: infer_body(document, NO_TAIL))
    arrays = InputForms(version).arrays(usual.inputs)
    if arrays is not None and not isinstance(found, str):
        looked_at = infer_body(document, NO_TAIL)
        assert_same(arrays, arrays_of(looked_at, version, Allowance(LIMITS)))


VECTORS = model_version((TensorSpec("x", "float32", (None, 8)),))
ROW = [1, 2.5, 3, 4, -5, 6, 7, 8]
INPUT = {"name": "x", "datatype": "FP32", "shape": [2, 8], "data": ROW + ROW}


@pytest.mark.parametrize(
    "sent",
    [
        *({"instances": [ROW]}, {"instances": [ROW, ROW]}, {"inputs": [ROW, ROW]}),
        *({"instances": [{"x": ROW}, {"x": ROW}]}, {"inputs": {"x": [ROW]}}),
    ],
)
def test_what_most_clients_of_tensorflow_serving_send_is_usual(sent: Any) -> None:
    assert UsualValues(VECTORS).of(sent, booleans=False) is not None


@pytest.mark.parametrize(
    "sent",
    [
        *({"instances": {"x": [ROW]}}, {"instances": []}, {"instances": None}, {}),
        *({"instances": [ROW], "inputs": [ROW]}, {"instances": [ROW[1:]]}, {"inputs": ROW}),
        *({"instances": [{"y": ROW}]}, {"instances": [{"x": ROW}, ROW]}, {"inputs": {}}),
        {"instances": [ROW, ["1", *ROW[1:]]]},
    ],
)
def test_what_may_be_wrong_is_left_to_a_closer_look(sent: Any) -> None:
    assert UsualValues(VECTORS).of(sent, booleans=False) is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"id": "7"},
        {"parameters": {"binary_data_output": False}},
        {"outputs": [{"name": "y"}, {"name": "z", "parameters": {"binary_data": True}}]},
    ],
)
def test_what_most_clients_of_the_open_inference_protocol_send_is_usual(more: Any) -> None:
    usual = usual_body(spelt({"inputs": [INPUT], **more}), LIMITS)
    assert usual is not None
    assert InputForms(VECTORS).arrays(usual.inputs) is not None


def test_a_usual_body_is_held_to_the_limits() -> None:
    small = Limits(max_values=100, max_lists=10)
    body = spelt({"inputs": [{**INPUT, "shape": [25, 8], "data": [1] * 200}]})
    assert usual_body(body, LIMITS) is not None
    with pytest.raises(TooLarge):
        usual_body(body, small)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"inputs": NaN}', b'{"inputs": [1e999]}'])
def test_what_is_no_usual_json_is_left_to_others(body: bytes) -> None:
    assert usual_body(body, LIMITS) is None
    with pytest.raises((BadBody, NotJson)):
        infer_body(read(body, LIMITS), NO_TAIL)


@settings(max_examples=tries(300), deadline=None)
@given(st.lists(st.sampled_from(["inputs", True, False, "u", "true", 1, "fuel"]), max_size=5))
def test_no_boolean_is_overlooked(values: list[Any]) -> None:
    body = spelt({"inputs": values} if len(values) % 2 else values)
    assert may_hold_booleans(body) or bool not in set(map(type, values))


@settings(max_examples=tries(300), deadline=None)
@given(
    st.sampled_from(sorted(DATATYPES)),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([1.0, 0.1, -2.5, float("nan"), float("inf"), 1e-30]),
)
def test_usual_answers_are_those_of_a_closer_look(
    dtype: str, shape: list[int], number: float
) -> None:
    if dtype == "string":
        array = np.full(shape, b"text", object)
    else:
        with np.errstate(all="ignore"):
            array = np.full(shape, number).astype(dtype)
    for outputs in ({"y": array}, {"y": array.T}, {"y": array, "z": array}):
        for by_rows, write in ((True, rows_answer), (False, columns_answer)):
            usual = usual_answer(outputs, by_rows)
            assert usual is None or usual == write(outputs)


def test_what_most_models_answer_is_usual() -> None:
    for dtype in ("float32", "float64", "int32", "int64", "uint8"):
        assert usual_answer({"y": np.ones((3, 2), dtype)}, by_rows=True) is not None


def test_a_shape_without_axes_is_looked_at_closer() -> None:
    vectors = Vectors.of(TensorSpec("x", "float32", (None,)))
    assert vectors is not None
    assert vectors.of_shape([], [0.0]) is None
