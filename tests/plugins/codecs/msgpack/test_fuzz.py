from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

settings.register_profile("codec", max_examples=tries(100))
fuzz = settings.get_profile("codec")

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode

FLOAT32_ROWS = model_version([TensorSpec("x", "float32", (None, 3))])
VERSIONS = [
    *(model_version([TensorSpec("x", dtype, (None, 3))]) for dtype in NUMPY_DTYPES),
    model_version([TensorSpec("x", "float32", (None, 3))], params={"features": ["a", "b", "c"]}),
    model_version([TensorSpec("x", "float32", (None,))]),
    model_version([TensorSpec("x", "float32", (None, None, 2))]),
    model_version([TensorSpec("x", "float32", None)]),
    model_version([TensorSpec("x", "float64", None)], batch=BatchAxis.NONE),
    model_version([TensorSpec("x", "int8", (1, 3))], batch=BatchAxis.ONE),
    model_version([TensorSpec("x", "bool", (None, 3)), TensorSpec("y", "float32", (None,))]),
    model_version(
        [TensorSpec("x", "bool", (None, 3)), TensorSpec("y", "float32", (None,))],
        batch=BatchAxis.NONE,
    ),
    *(
        model_version([TensorSpec("x", dtype, (None, 3))], params={"nan": "accept"})
        for dtype in ("float32", "complex64", "int8")
    ),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.datetimes(timezones=st.just(UTC))
)
leaves = scalars | st.builds(msgspec.msgpack.Ext, st.integers(0, 127), st.binary(max_size=4))
sizes = st.integers(-1, 4) | st.sampled_from([2**31, 2**63, 2**64 - 1])
dtypes = st.sampled_from(["<f4", ">f8", "<f2", "|b1", "|u1", "<i8", ">c8", "|O", "|V4", "f4"])
packed = st.fixed_dictionaries(
    {},
    optional={
        "dtype": dtypes | leaves,
        "shape": st.lists(sizes, max_size=3) | leaves,
        "data": st.integers(0, 24).map(bytes) | st.binary(max_size=24) | leaves,
        "more": leaves,
    },
)
anything = st.recursive(
    leaves | packed,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "y", "x:0", "values"]) | scalars, inner, max_size=3)
    ),
    max_leaves=12,
)
numbers = st.integers(-9, 9) | st.floats(-9, 9, width=16)
rows = st.lists(numbers, min_size=3, max_size=3)
keys = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4) | anything


def outcome(body: bytes, version: ModelVersion) -> Bound | TfaasError:
    """What becomes of a request: arrays that fit, or an error that can be answered."""
    return outcome_of(MsgpackCodec(), body, Head(), version)


def encoded(document: Any) -> bytes | None:
    try:
        return encode(document)
    except (TypeError, ValueError):  # msgspec can read keys that it cannot write
        return None


@fuzz
@given(st.binary(max_size=200), st.sampled_from(VERSIONS))
def test_any_bytes_are_the_clients_error_or_fit(body: bytes, version: ModelVersion) -> None:
    outcome(body, version)


@fuzz
@given(anything, st.sampled_from(VERSIONS))
def test_any_value_is_the_clients_error_or_fits(document: Any, version: ModelVersion) -> None:
    body = encoded(document)
    if body is not None:
        outcome(body, version)


@fuzz
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.just("vk") | anything,
            "version": st.just(3) | anything,
            "label": st.just("canary") | anything,
            "keys": keys,
            "values": rows | st.lists(rows, max_size=3) | packed | anything,
            "value": rows | packed,
            "inputs": st.dictionaries(st.sampled_from(["x", "y", "x:0"]), rows | packed) | anything,
        },
    ),
    st.sampled_from(VERSIONS),
    st.data(),
)
def test_any_document_is_the_clients_error_or_fits(
    document: dict[str, Any], version: ModelVersion, data: st.DataObject
) -> None:
    body = encoded(document)
    if body is not None:
        outcome(body, version)
        at = data.draw(st.integers(0, len(body)))
        until = at + data.draw(st.integers(0, 2))
        outcome(body[:at] + data.draw(st.binary(max_size=2)) + body[until:], version)


@fuzz
@given(packed, st.sampled_from(VERSIONS))
def test_any_packed_array_is_the_clients_error_or_fits(
    values: dict[str, Any], version: ModelVersion
) -> None:
    body = encoded({"values": values})
    if body is not None:
        outcome(body, version)


@fuzz
@given(
    hnp.arrays(
        hnp.floating_dtypes(endianness="?")
        | hnp.integer_dtypes(endianness="?")
        | hnp.boolean_dtypes(),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    st.sampled_from([version for version in VERSIONS if len(version.signature.inputs) == 1]),
)
def test_exactly_what_the_model_takes_is_taken(given_array: Array, version: ModelVersion) -> None:
    fields = {
        "dtype": given_array.dtype.str,
        "shape": given_array.shape,
        "data": given_array.tobytes(),
    }
    got = outcome(encode({"values": fields}), version)
    (spec,) = version.signature.inputs
    with np.errstate(all="ignore"):
        taken = given_array.astype(spec.numpy_dtype)
    if isinstance(got, Bound):
        whole = taken[np.newaxis] if got.single and version.signature.batch != "none" else taken
        np.testing.assert_array_equal(got.arrays["x"], whole, strict=True)
    else:
        right_shape = given_array.ndim == 1 and given_array.shape == (3,)
        right_dtype = given_array.dtype.newbyteorder("=") == spec.numpy_dtype
        finite = taken.dtype.kind == "O" or np.isfinite(taken).all()
        assert not (right_shape and right_dtype and finite and spec.shape == (None, 3))


@fuzz
@given(
    hnp.arrays(
        hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
        hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=20),
    )
)
def test_every_float_of_an_answer_reads_back_as_itself(output: Array) -> None:
    version = model_version(outputs=[TensorSpec("y", output.dtype.name, (None,) * output.ndim)])
    codec = MsgpackCodec()
    document = codec.parse(encode({}), Head())
    body = codec.encode({"y": output}, Bound({}, len(output), False), document, version).body
    shown = output.astype(object)
    shown[~np.isfinite(output)] = None
    assert decode(body) == shown.tolist()
    numbers = np.isfinite(output).sum() * max(output.itemsize, 4) + output.size
    lists = sum(int(np.prod(output.shape[:axis])) for axis in range(output.ndim))
    assert numbers + lists <= len(body) <= numbers + 3 * lists


@fuzz
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=5),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.booleans(),
)
def test_an_answer_can_be_sent_as_a_request(batch: Array, packed_too: bool) -> None:
    spec = TensorSpec("x", "float32", (None, *batch.shape[1:]))
    version = model_version([spec], [spec])
    codec = MsgpackCodec()
    document = codec.parse(b"\x80", Head())
    document.packed = packed_too
    body = codec.encode({"x": batch}, Bound({}, len(batch), False), document, version).body
    bound = codec.bind(codec.parse(b"\x81\xa6values" + body, Head()), version)
    assert (bound.rows, bound.single) == (len(batch), False)
    np.testing.assert_array_equal(bound.arrays["x"], batch, strict=True)
