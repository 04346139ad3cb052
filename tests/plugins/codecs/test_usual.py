"""Usual bodies: they are read and answered as all others are, or not at all."""

from __future__ import annotations

import json
import math
from typing import Any
from weakref import ref

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.large_answers import MOST_BRIEF_BYTES
from tfaas_core.predict.target import target_with
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, BatchAxis, TensorSpec, by_name
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

CODECS: list[Any] = [JsonCodec(), MsgpackCodec()]
JSON = CODECS[0]
WRITERS: list[Any] = [orjson.dumps, msgspec.msgpack.encode]
ROW = [TensorSpec("x", "float32", (None, 3))]
VERSIONS = {
    "float32": model_version(ROW),
    "float64": model_version([TensorSpec("x", "float64", (None, 3))]),
    "one at a time": model_version(ROW, batch=BatchAxis.ONE),
    "NaN": model_version(ROW, params={"nan": "accept"}),
    "a number": model_version(ROW, [TensorSpec("y", "float32", (None,))]),
    "integers": model_version(ROW, [TensorSpec("y", "int64", (None, 2))]),
    "halves": model_version(ROW, [TensorSpec("y", "float16", (None, 2))]),
    "complex": model_version(ROW, [TensorSpec("y", "complex64", (None, 2))]),
    "two outputs": model_version(
        ROW, [TensorSpec("y", "float32", (None, 2)), TensorSpec("z", "int8", (None, 2, 2))]
    ),
}
NOT_USUAL = {
    "integers": model_version([TensorSpec("x", "int32", (None, 3))]),
    "any length": model_version([TensorSpec("x", "float32", (None, None))]),
    "whole tensors": model_version(ROW, batch=BatchAxis.NONE),
    "two inputs": model_version([*ROW, TensorSpec("y", "float32", (None, 3))]),
    "bfloat16": model_version([TensorSpec("x", "float32", (None, 3), carried="bfloat16")]),
    "answers of any size": model_version(ROW, [TensorSpec("y", "float32", (None, None))]),
    "large answers": model_version(ROW, [TensorSpec("y", "float32", (None, 10_000))]),
    "texts": model_version(ROW, [TensorSpec("y", "string", (None, 1))]),
    "constants": model_version(ROW, [TensorSpec("y", "float32", (2,), constant=True)]),
}

numbers: st.SearchStrategy[Any] = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0, -0.0, 5e-324, 3.4028235677973366e38, 1e39, 2**53 + 1, 16777217, 0.1])
)
leaves: st.SearchStrategy[Any] = numbers | st.booleans() | st.none() | st.just("NaN")
row: st.SearchStrategy[Any] = st.lists(numbers, min_size=3, max_size=3)
values = row | st.lists(row, max_size=3) | st.lists(st.lists(leaves, max_size=4) | leaves)
documents = st.fixed_dictionaries(
    {"values": values},
    optional={"model": st.sampled_from(["vk", "", None, 1]), "label": st.just("a")},
)


def outcome(codec: Any, body: bytes, version: ModelVersion) -> tuple[Any, bytes] | None:
    """The model that is asked for, and the bytes that it gets; None: the body is refused."""
    try:
        document = codec.parse(body, Head())
        asked = target_with(document, None).model
        (array,) = codec.bind(document, version).arrays.values()
    except TfaasError:
        return None
    return asked, array.tobytes()


def outputs_for(version: ModelVersion, rows: int) -> list[Array]:
    outputs = []
    for spec in version.signature.outputs:
        sizes = [rows, *(size or 0 for size in (spec.shape or ())[1:])]
        count = int(np.prod(sizes))
        outputs.append((np.arange(count) * 0.3).astype(spec.numpy_dtype).reshape(sizes))
    return outputs


def check(place: int, body: bytes, version: ModelVersion) -> bool:
    """Whether it was as usual; then all is the same as on the long way."""
    codec = CODECS[place]
    usual, plan = codec.usual(body, Head()), codec.usual_plan(version)
    inputs = None if usual is None or plan is None else plan.inputs(usual)
    if plan is None or usual is None or inputs is None:
        return False
    (array,) = inputs
    assert array.dtype == version.signature.inputs[0].numpy_dtype
    assert outcome(codec, body, version) == (usual.model or None, array.tobytes())
    outputs, document = outputs_for(version, len(array)), codec.parse(body, Head())
    named, bound = by_name(version.signature, outputs), codec.bind(document, version)
    assert (bound.rows, bound.whole) == (len(array), False)
    body = codec.encode(named, bound, document, version).body
    assert plan.answer(outputs, 0, len(array), usual) == body
    # Now others have shared the run.
    rows = outputs_for(version, 1)
    shared = [np.concatenate([one, all_]) for one, all_ in zip(rows, outputs, strict=True)]
    assert plan.answer(shared, 1, 1 + len(array), usual) == body
    return True


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@settings(max_examples=tries(20))
@given(document=documents)
def test_whatever_is_read_is_what_is_read_otherwise(
    place: int, version: ModelVersion, document: dict[str, Any]
) -> None:
    check(place, WRITERS[place](document), version)


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("sent", [[1, -2.5, 1e3], [[1, 2, 3]], [[1, 2, 3], [4.5, 5, 6]]])
def test_rows_are_as_usual(place: int, version: ModelVersion, sent: Any) -> None:
    assert check(place, WRITERS[place]({"values": sent}), version)
    assert check(place, WRITERS[place]({"model": "vk", "values": sent}), version)


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
@pytest.mark.parametrize("version", NOT_USUAL.values(), ids=NOT_USUAL)
def test_other_models_have_no_plan(place: int, version: ModelVersion) -> None:
    assert CODECS[place].usual_plan(version) is None


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"[]",
            b"{}",
            b'{"values": [1, 2, 3]',
            b'{"values": [1, 2, 3]} x',
            b"\xef\xbb\xbf{}",
        ),
        *(b'{"values": [1, 2, NaN]}', b'{"values": [1, 2, 1e400]}', b'{"values": [1, 2, 1e39]}'),
        *(b'{"values": [1, 2, true]}', b'{"values": [1, 2, "3"]}', b'{"values": [1, 2, null]}'),
        *(b'{"values": [1, 2]}', b'{"values": []}', b'{"values": [[1, 2, 3], [1, 2]]}'),
        *(b'{"values": [01, 2, 3]}', b'{"values": [1., 2, 3]}', b'{"values": [1, 2, 3,]}'),
        *(b'{"value": [1, 2, 3]}', b'{"VALUES": [1, 2, 3]}', b'{"values": [[[1, 2, 3]]]}'),
        *(b'{"values": [1, 2, 3], "keys": ["c", "b", "a"]}', b'{"values": [1, 2, 3], "n": 1}'),
        *(b'{"values": [1, 2, 3], "version": 1}', b'{"values": [1, 2, 3], "model": "\xff"}'),
        b'{"values": [1, 2, 3], "model": "\\ud800"}',
    ],
)
def test_what_has_a_closer_look_taken_at_it(body: bytes) -> None:
    assert not check(0, body, VERSIONS["float32"])


@pytest.mark.parametrize(
    "text",
    [
        *("[1.0000000596046448, 1.00000005960464478, 1.00000005960464477539062500000000001]",),
        *("[123456789012345678901234567890, 9007199254740993, 18446744073709551616]",),
        *("[1e-400, 4.9e-324, 2.2250738585072011e-308]", "[ 1 ,\t2\n,\r3E+2 ]", "[-0, -0.0, 0e9]"),
    ],
)
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_numbers_are_rounded_alike(text: str, name: str) -> None:
    assert check(0, b'{"values": %b}' % text.encode(), VERSIONS[name])


def test_of_a_field_that_is_sent_twice_the_last_one_counts() -> None:
    body = b'{"values": [1, 2, 3], "model": "a", "values": [4, 5, 6], "model": "b"}'
    assert check(0, body, VERSIONS["float32"])


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("nested", [False, True])
def test_what_messagepack_has_beside_numbers_has_a_closer_look_taken_at_it(
    version: ModelVersion, odd: float, nested: bool
) -> None:
    row = [1.0, odd, -odd]
    body = msgspec.msgpack.encode({"values": [[1.0, 2.0, 3.0], row] if nested else row})
    assert not check(1, body, version)


row3: st.SearchStrategy[Any] = st.lists(numbers, min_size=3, max_size=3)
ODD: list[Any] = [True, None, "1", [1.5], [], {}, 1e39, 2**64, 2**63, -(2**63) - 1, 2**70]


@pytest.mark.parametrize("name", ["float32", "float64"])
@settings(max_examples=tries(30))
@given(sent=st.lists(row3, min_size=40, max_size=60), odd=st.sampled_from(ODD), data=st.data())
def test_many_numbers_are_read_as_they_are_otherwise(
    name: str, sent: list[list[Any]], odd: Any, data: st.DataObject
) -> None:
    version = VERSIONS[name]
    check(0, orjson.dumps({"values": sent, "model": "vk"}), version)
    place = data.draw(st.integers(0, len(sent) - 1))
    sent[place] = data.draw(st.sampled_from([[1, 2, odd], [odd] * 3, [1, 2], [1, 2, 3, 4], odd]))
    body = json.dumps({"values": sent}).encode()
    check(0, body + b" " * 1024, version)


LONG = [[1.5, 2, -3e5]] * 100


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_very_many_rows_are_as_usual(place: int, name: str) -> None:
    rows: Any = (np.arange(6000) / 7).reshape(2000, 3).tolist()
    document: dict[str, Any]
    for document in ({"values": rows}, {"model": "vk", "values": rows}):
        assert check(place, WRITERS[place](document), VERSIONS[name])
    for document in ({"values": rows, "n": 1}, {"model": 1, "values": rows}, {"values": [rows]}):
        assert not check(place, WRITERS[place](document), VERSIONS[name])
    rows[1999][2] = math.nan if place else None
    assert not check(place, WRITERS[place]({"values": rows}), VERSIONS[name])


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_many_rows_are_as_usual(name: str) -> None:
    for document in ({"values": LONG}, {"model": "vk", "values": LONG}, {"values": LONG[:1] * 60}):
        assert check(0, orjson.dumps(document), VERSIONS[name])
    many = orjson.dumps(LONG)
    for body in (
        *(b'{"values": %b, "values": %b}' % (many, many), b'{"values": %b, "n": 1}' % many),
        *(b'{"values": %b, "model": "\\u0061"}' % many, b'{"values": %b' % many, many),
        *(b'{"values": [%b]}' % many, b'{"values": %b, "model": 1}' % many),
    ):
        assert not check(0, body, VERSIONS[name])


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
def test_numbers_as_they_were_read_do_not_wait_for_the_answer(place: int) -> None:
    codec, write, version = CODECS[place], WRITERS[place], VERSIONS["float32"]
    usual = codec.usual(write({"values": [[1.5, 2.0, 3.0]] * 2000}), Head())
    read, plan = ref(usual.array), codec.usual_plan(version)
    (array,) = plan.inputs(usual)
    assert read() is None
    assert array.tolist() == [[1.5, 2.0, 3.0]] * 2000


def test_limits_hold() -> None:
    body = orjson.dumps({"values": [1.5] * 3})
    for limits in (Limits(max_values=2), Limits(max_json_bytes=20), Limits(max_lists=1)):
        assert JsonCodec(limits).usual(body, Head()) is None
    assert JSON.usual(orjson.dumps({"values": [[1.5] * 3] * 10_000}), Head()) is None
    many = orjson.dumps({"values": [[1.5] * 3] * 1000})
    for limits in (Limits(max_values=2999), Limits(max_lists=1000), Limits(max_json_bytes=9999)):
        assert JsonCodec(limits).usual(many, Head()) is None
    for rows, is_usual in ((2048, True), (2049, False)):
        body = orjson.dumps({"values": [[1.5] * 3] * rows})
        assert check(0, body, VERSIONS["float32"]) is is_usual


@pytest.mark.parametrize("place", [0, 1], ids=["json", "msgpack"])
def test_answers_that_may_be_compressed_are_not_as_usual(place: int) -> None:
    version = model_version(ROW, [TensorSpec("y", "float64", (None, 200))])
    for rows, is_usual in ((12, True), (13, False)):
        body = WRITERS[place]({"values": [[1.5] * 3] * rows})
        assert check(place, body, version) is is_usual
    most = np.full((12, 200), -1.7976931348623157e-308)
    usual = CODECS[place].usual(WRITERS[place]({"values": [[1.5] * 3] * 12}), Head())
    answer = CODECS[place].usual_plan(version).answer([most], 0, 12, usual)
    assert len(answer) <= MOST_BRIEF_BYTES


def test_nothing_of_a_run_is_kept_whose_last_row_is_anothers() -> None:
    for codec, write in zip(CODECS, WRITERS, strict=True):
        plan = codec.usual_plan(VERSIONS["float32"])
        usual = codec.usual(write({"values": [1.5, 2.0, 3.0]}), Head())
        run = [np.ones((2, 3), np.float32)]
        assert plan.answer(run, 0, 1, usual)
        output = ref(run[0])
        del run
        assert output() is None
