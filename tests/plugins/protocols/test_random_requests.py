"""Random requests of both protocols: whatever they hold, nothing but an error of a client comes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.datatypes import DATATYPES, from_raw, to_raw
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.requests import infer_body
from tfaas_plugins.protocols.oip.messages import InferRequest, infer_message
from tfaas_plugins.protocols.tfserving.examples import examples_of
from tfaas_plugins.protocols.tfserving.tensors import values_of

from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import NUMPY_DTYPES, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(["x", "y", "b64", "a"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
SPECS = tuple(TensorSpec(name, dtype, None) for name, dtype in (("x", "float32"), ("y", "string")))


def allowance() -> Allowance:
    return Allowance(Limits())


@settings(max_examples=tries(300), deadline=None)
@given(st.sampled_from(sorted(NUMPY_DTYPES)), JSON, st.sampled_from(["instances", "inputs"]))
def test_tensors_of_tensorflow_serving(dtype: str, value: Any, key: str) -> None:
    version = model_version((TensorSpec("x", dtype, None),), SPECS)
    try:
        values = values_of({key: value}, version.signature)
    except BadBody:
        return
    assert values.arrays["x"].dtype == NUMPY_DTYPES[dtype]


@settings(max_examples=tries(300), deadline=None)
@given(JSON, JSON)
def test_examples_of_tensorflow_serving(examples: Any, context: Any) -> None:
    try:
        found = examples_of({"examples": examples, "context": context}, "classify", Limits())
    except BadBody:
        return
    assert all(type(each) is bytes for each in found.exact.array())


@settings(max_examples=tries(300), deadline=None)
@given(st.data())
def test_requests_of_the_open_inference_protocol(data: st.DataObject) -> None:
    tensor = st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["x", "y", "z"]) | SCALARS,
            "datatype": st.sampled_from(sorted(DATATYPES)) | SCALARS,
            "shape": st.lists(st.integers(-2, 5) | st.integers(), max_size=4) | SCALARS,
            "data": JSON,
            "parameters": st.dictionaries(st.just("binary_data_size"), st.integers() | SCALARS),
        },
    )
    outputs = st.lists(st.fixed_dictionaries({"name": st.just("y"), "parameters": JSON}) | JSON)
    document = {
        "inputs": data.draw(st.lists(tensor, max_size=3) | JSON),
        "outputs": data.draw(outputs | JSON),
        "parameters": data.draw(JSON),
    }
    tail = memoryview(data.draw(st.binary(max_size=20)))
    try:
        arrays = arrays_of(infer_body(document, tail), model_version(SPECS, SPECS), allowance())
    except BadBody:
        return
    assert set(arrays) == {"x", "y"}


@settings(max_examples=tries(300), deadline=None)
@given(
    st.sampled_from(sorted(DATATYPES)),
    st.lists(st.integers(-1, 5) | st.integers(), max_size=3) | st.lists(st.just(1), min_size=30),
    st.binary(max_size=64),
)
def test_raw_tensors_are_written_as_they_were_read(
    datatype: str, shape: list[int], data: bytes
) -> None:
    try:
        array = from_raw(memoryview(data), datatype, shape, "input 'x'", allowance())
    except BadBody:
        return
    written = bytes(to_raw(array, datatype))
    if datatype == "BOOL":
        data = bytes(map(bool, data))
    assert written == data
    assert array.shape == tuple(shape)


@settings(max_examples=tries(200), deadline=None)
@given(st.lists(st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.booleans()))
def test_json_is_read_with_its_bare_words(values: list[Any]) -> None:
    text = json.dumps(values)
    try:
        found = read(text.encode(), Limits())
    except TfaasError:  # of half a surrogate pair
        assert "\\ud" in text
    else:
        assert json.dumps(found) == text


@pytest.mark.parametrize("number", ["9" * 310, "-" + "9" * 4000, "1" * 10**5, "1e400", "-1E309"])
@pytest.mark.parametrize("other", ["1", "NaN", "Infinity"])
def test_a_number_that_no_float_holds_is_refused_and_not_infinity(number: str, other: str) -> None:
    with pytest.raises(NotJson, match="too large for any model") as caught:
        read(f"[{other}, {number}]".encode(), Limits())
    assert caught.value.offset == len(f"[{other}, ")


def test_bare_words_are_read_wherever_a_number_may_stand() -> None:
    text = '{"a": [NaN, 1, -Infinity, [Infinity, -NaN]], "b": {"c": Inf, "d": -Inf}, "e": "NaN"}'
    found = read(text.encode(), Limits())
    assert repr(found["a"]) == "[nan, 1, -inf, [inf, nan]]"
    assert (found["b"], found["e"]) == ({"c": np.inf, "d": -np.inf}, "NaN")
    assert repr(read(b" NaN", Limits())) == "nan"


@pytest.mark.parametrize(
    "text", ["1NaN", "NaN1", "NaNNaN", "--NaN", "Nan", "infinity", "Infi", "NaNs"]
)
def test_other_words_are_told_with_their_place(text: str) -> None:
    for before in ("", "NaN, ", "Infinity, 1, "):
        with pytest.raises(NotJson) as caught:
            read(f"[{before}{text}]".encode(), Limits())
        assert 0 <= caught.value.offset - len(before) - 1 <= len(text)


@pytest.mark.parametrize("body", [b"", b"[" * 10**6, b'{"a":' * 10**4, b"1" * 10**5, b"NaN" * 9])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(TfaasError):
        read(body, Limits())


def inferred(text: str, version: ModelVersion) -> None:
    body = infer_body(read(text.encode(), Limits()), memoryview(b""))
    arrays_of(body, version, allowance())


def classified(text: str) -> None:
    examples_of(read(text.encode(), Limits()), "classify", Limits())


DEPTHS = [*range(1, 1000, 37), *range(900, 1024)]


@pytest.mark.parametrize("nested", [('{"a":', "}"), ('[{"a":', "}]")])
def test_however_deep_a_body_is_nested_it_is_an_error_of_the_client(
    nested: tuple[str, str],
) -> None:
    version = model_version(SPECS[:1], SPECS)
    for depth in DEPTHS:
        value = nested[0] * depth + "1" + nested[1] * depth
        tensor = '{"name": "x", "datatype": "FP32", "shape": [2], "data": [0, 0]'
        for text in (
            f'{{"instances": [0, {value}]}}',
            f'{{"inputs": {{"x": [0, {value}]}}}}',
        ):
            with pytest.raises(BadBody):
                values_of(read(text.encode(), Limits()), version.signature)
        for field in ("datatype", "data", "shape", "name", "parameters"):
            text = f'{{"inputs": [{tensor}, "{field}": [{value}]}}]}}'
            with pytest.raises(BadBody):
                inferred(text, version)
        with pytest.raises(BadBody):
            classified(f'{{"examples": [{{"x": {value}}}]}}')


@pytest.mark.parametrize("digits", [19, 25, 308])
def test_a_timeout_of_however_many_digits_is_a_long_time(digits: int) -> None:
    timeout = "9" * digits
    text = f'{{"inputs": [], "parameters": {{"timeout": {timeout}}}}}'
    timeout_s = infer_body(read(text.encode(), Limits()), memoryview(b"")).timeout_s
    assert timeout_s is not None
    assert 10**12 < timeout_s < 10**14


@pytest.mark.parametrize("timeout", ['"5"', "-1", "1.5", "true"])
def test_a_timeout_that_is_no_whole_number_is_refused(timeout: str) -> None:
    text = f'{{"inputs": [], "parameters": {{"timeout": {timeout}}}}}'
    body = infer_body(read(text.encode(), Limits()), memoryview(b""))
    with pytest.raises(BadBody, match="'timeout' is no whole number of microseconds"):
        _ = body.timeout_s


@pytest.mark.parametrize("parameters", ["{}", '{"timeout": 0}'])
def test_without_a_timeout_or_with_0_there_is_none(parameters: str) -> None:
    text = f'{{"inputs": [], "parameters": {parameters}}}'
    assert infer_body(read(text.encode(), Limits()), memoryview(b"")).timeout_s is None


def test_values_that_bfloat16_lacks_are_rounded_and_not_cut_off() -> None:
    array = np.array([1.5, -2.0, np.nan, np.inf], np.float32)
    raw = to_raw(array, "BF16")
    assert bytes(raw[:4]) == b"\xc0\x3f\x00\xc0"
    again = from_raw(memoryview(raw), "BF16", [4], "x", allowance())
    assert np.array_equal(again, array, equal_nan=True)


@settings(max_examples=tries(300), deadline=None)
@given(st.data())
def test_messages_of_infer_calls(data: st.DataObject) -> None:
    tensor = st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["x", "y", "z"]),
            "datatype": st.sampled_from(sorted(DATATYPES)) | st.text(max_size=5),
            "shape": st.lists(st.integers(-2, 5) | st.integers(-(2**63), 2**63 - 1), max_size=4),
            "contents": st.fixed_dictionaries(
                {},
                optional={
                    "fp32_contents": st.lists(st.floats(width=32), max_size=9),
                    "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9),
                    "bytes_contents": st.lists(st.binary(max_size=4), max_size=9),
                },
            ),
        },
    )
    message = InferRequest(
        inputs=data.draw(st.lists(tensor, max_size=3)),
        outputs=[{"name": name} for name in data.draw(st.lists(st.text(max_size=3), max_size=2))],
        raw_input_contents=data.draw(st.lists(st.binary(max_size=20), max_size=3)),
    ).SerializeToString()
    cut = data.draw(st.integers(0, len(message)))
    limits = Limits(max_values=data.draw(st.sampled_from([1, 1_000_000])))
    for body in (message, message[:cut], message + data.draw(st.binary(max_size=20))):
        try:
            arrays = arrays_of(
                infer_message(body, limits).body, model_version(SPECS, SPECS), Allowance(limits)
            )
        except (BadBody, TooLarge):
            continue
        assert set(arrays) == {"x", "y"}


@settings(max_examples=tries(300), deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_infer_calls(body: bytes) -> None:
    for limits in (Limits(), Limits(max_values=1)):
        with suppress(BadBody, TooLarge):
            infer_message(body, limits)
