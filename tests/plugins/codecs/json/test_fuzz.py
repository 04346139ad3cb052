from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import NUMPY_DTYPES, Array, Arrays, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

settings.register_profile("codec", max_examples=tries(100))
fuzz = settings.get_profile("codec")

FLOAT32_ROWS = model_version([TensorSpec("x", "float32", (None, 3))])
VERSIONS = [
    *(model_version([TensorSpec("x", dtype, (None, 3))]) for dtype in NUMPY_DTYPES),
    model_version([TensorSpec("x", "float32", (None, 3))], params={"features": ["a", "b", "c"]}),
    model_version([TensorSpec("x", "float32", (None,))]),
    model_version([TensorSpec("x", "float32", (None, None, 2))]),
    model_version([TensorSpec("x", "float32", None)]),
    model_version([TensorSpec("x", "string", None)], batch=BatchAxis.NONE),
    model_version([TensorSpec("x", "int8", (None, 3))], batch=BatchAxis.NONE),
    model_version([TensorSpec("x", "int8", (1, 3))], batch=BatchAxis.ONE),
    model_version([TensorSpec("x", "bool", (None, 3)), TensorSpec("y", "float32", (None,))]),
    model_version(
        [TensorSpec("x", "bool", (None, 3)), TensorSpec("y", "float32", (None,))],
        batch=BatchAxis.NONE,
    ),
    model_version(
        [TensorSpec("x", "float32", (None, 3)), TensorSpec("y", "int8", (None,), default=[3])]
    ),
    *(
        model_version([TensorSpec("x", dtype, (None, 3))], params={"nan": "accept"})
        for dtype in ("float32", "complex64", "int8")
    ),
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-300, 300)
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e39, 65520.0, -0.0, 3.4028235677973366e38])
    | st.text(max_size=4)
    | st.fixed_dictionaries({"b64": st.sampled_from(["", "AP8=", "a"])})
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "y", "x:0", "b64", "values"]), inner, max_size=3)
    ),
    max_leaves=12,
)
missing = st.sampled_from([None, "NaN", float("nan"), float("inf")])
numbers = st.integers(-9, 9) | st.floats(-9, 9, width=16)
rows = st.lists(numbers, min_size=3, max_size=3)
keys = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4) | anything


def outcome(body: bytes, version: ModelVersion) -> Bound | TfaasError:
    """What becomes of a request: arrays that fit, or an error that can be answered."""
    return outcome_of(JsonCodec(), body, Head(), version)


@fuzz
@given(st.binary(max_size=200), st.sampled_from(VERSIONS))
def test_any_bytes_are_the_clients_error_or_fit(body: bytes, version: ModelVersion) -> None:
    outcome(body, version)


@fuzz
@given(anything, st.data())
def test_exactly_what_is_not_json_is_a_bad_body(document: Any, data: st.DataObject) -> None:
    text = json.dumps({"values": document}, ensure_ascii=False)
    at = data.draw(st.integers(0, len(text)))
    until = at + data.draw(st.integers(0, 1))
    text = text[:at] + data.draw(st.text('{}[]",:-+.eE01 tNaIn\n', max_size=2)) + text[until:]
    got = outcome(text.encode(), FLOAT32_ROWS)
    assert (isinstance(got, TfaasError) and got.status == 400) == (not _is_json(text))


def _is_json(text: str) -> bool:
    def refuse(token: str) -> None:
        raise ValueError(token)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@fuzz
@given(anything, st.sampled_from(VERSIONS))
def test_any_json_is_the_clients_error_or_fits(document: Any, version: ModelVersion) -> None:
    outcome(json.dumps(document).encode(), version)


@fuzz
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.just("vk") | anything,
            "version": st.just(3) | anything,
            "label": st.just("canary") | anything,
            "signature_name": st.just("serving_default") | anything,
            "signature": st.just("serving_default") | anything,
            "keys": keys,
            "key": keys,
            "values": rows | st.lists(rows, max_size=3) | st.lists(numbers | missing) | anything,
            "value": rows | anything,
            "inputs": st.dictionaries(st.sampled_from(["x", "y", "x:0"]), rows | anything)
            | anything,
        },
    ),
    st.sampled_from(VERSIONS),
)
def test_any_document_is_the_clients_error_or_fits(
    document: dict[str, Any], version: ModelVersion
) -> None:
    outcome(json.dumps(document).encode(), version)


@fuzz
@given(st.lists(rows, min_size=1, max_size=4), st.data(), st.sampled_from(VERSIONS))
def test_a_batch_with_one_fault_is_the_clients_error_or_fits(
    batch: list[list[Any]], data: st.DataObject, version: ModelVersion
) -> None:
    row = data.draw(st.sampled_from(batch))
    at = data.draw(st.integers(0, 2))
    row[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(leaves | missing, max_size=2))
    outcome(json.dumps({"values": batch}).encode(), version)


@fuzz
@given(
    st.lists(st.lists(leaves | numbers, max_size=3) | leaves, max_size=3)
    | st.lists(leaves | numbers, max_size=3)
    | st.lists(rows, max_size=3)
    | anything,
    st.sampled_from([name for name in NUMPY_DTYPES if not name.startswith("complex")]),
)
def test_exactly_rows_and_batches_of_rows_are_taken(values: Any, dtype: str) -> None:
    version = model_version([TensorSpec("x", dtype, (None, 3))])
    is_row = _is_row(values, dtype)
    is_batch = isinstance(values, list) and all(_is_row(v, dtype) for v in values)
    got = outcome(json.dumps({"values": values}).encode(), version)
    if isinstance(got, TfaasError):
        assert not is_row
        assert not is_batch
    else:
        assert got.single == is_row
        assert got.single != is_batch


def _is_row(value: Any, dtype: str) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is(leaf, dtype) for leaf in value)


def _is(leaf: Any, dtype: str) -> bool:
    kind = NUMPY_DTYPES[dtype].kind
    if kind == "O":
        return isinstance(leaf, str) or leaf in ({"b64": ""}, {"b64": "AP8="})
    if kind == "b" or isinstance(leaf, bool):
        return kind == "b" and isinstance(leaf, bool)
    if kind == "f":
        with np.errstate(over="ignore"):
            return isinstance(leaf, int | float) and bool(
                np.isfinite(np.float64(leaf).astype(dtype))
            )
    limits = np.iinfo(dtype)
    return isinstance(leaf, int) and limits.min <= leaf <= limits.max


@fuzz
@given(st.lists(st.floats(-1e38, 1e38) | st.integers(-(2**63), 2**64 - 1), min_size=3, max_size=3))
def test_numbers_are_rounded_to_the_nearest_float32(row: list[float]) -> None:
    got = outcome(json.dumps({"values": row}).encode(), FLOAT32_ROWS)
    assert isinstance(got, Bound)
    np.testing.assert_array_equal(got.arrays["x"], np.array([row], np.float32), strict=True)


def answer(output: Array, dtype: str) -> str:
    version = model_version(outputs=[TensorSpec("y", dtype, (None, None))])
    codec = JsonCodec()
    bound = Bound({}, 1, True)
    return codec.encode({"y": output}, bound, codec.parse(b"{}", Head()), version).body.decode()


@fuzz
@given(hnp.arrays(np.uint32, (1, 20)))
def test_every_float32_reads_back_as_itself_and_with_the_fewest_digits(bits: Array) -> None:
    sent = bits.view(np.float32)
    texts = answer(sent, "float32")[1:-1].split(",")
    for number, text in zip(sent[0], texts, strict=True):
        if not np.isfinite(number):
            assert text == "null"
            continue
        back = np.float32(float(text))
        assert back.tobytes() == number.tobytes()
        assert _digits(text) == _digits(np.format_float_scientific(number, unique=True, trim="-"))


def _digits(text: str) -> str:
    return text.lower().partition("e")[0].replace(".", "").strip("-0")


@fuzz
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=5),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_an_answer_can_be_sent_as_a_request(batch: Array) -> None:
    spec = TensorSpec("x", "float32", (None, *batch.shape[1:]))
    version = model_version([spec], [spec])
    codec = JsonCodec()
    document = codec.parse(b"{}", Head())
    body = codec.encode({"x": batch}, Bound({}, len(batch), False), document, version).body
    bound = codec.bind(codec.parse(b'{"values": ' + body + b"}", Head()), version)
    assert (bound.rows, bound.single) == (len(batch), False)
    np.testing.assert_array_equal(bound.arrays["x"], batch, strict=True)


@fuzz
@given(st.permutations(["a", "b", "c", "d"]), st.integers(1, 3))
def test_any_order_of_keys_gives_the_models_order(sent: list[str], count: int) -> None:
    features = ["a", "b", "c", "d"]
    version = model_version([TensorSpec("x", "float32", (None, 4))], params={"features": features})
    row = [ord(key) for key in sent]
    body = json.dumps({"keys": sent, "values": [row] * count}).encode()
    got = outcome(body, version)
    assert isinstance(got, Bound)
    assert got.arrays["x"].tolist() == [[ord(key) for key in features]] * count


def lengthened(body: bytes) -> bytes:
    """The same object with a long field that nobody reads, which looks like many numbers."""
    assert body.endswith(b"}")
    return body[:-1] + b', "note": "' + 5000 * b"," + b'"}'


nested = st.recursive(numbers | leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
grids = st.integers(1, 4).flatmap(
    lambda size: st.lists(st.lists(numbers, min_size=size, max_size=size), min_size=1, max_size=4)
)
lists_among_numbers = st.lists(
    st.lists(numbers | st.lists(numbers, min_size=1, max_size=1), min_size=3, max_size=3),
    min_size=1,
    max_size=3,
)
objects = st.fixed_dictionaries(
    {"values": rows | grids | lists_among_numbers | nested},
    optional={"keys": keys, "model": st.sampled_from(["vk", "[", "u", "f"]), "other": anything},
) | st.fixed_dictionaries(
    {"inputs": st.dictionaries(st.sampled_from(["x", "y"]), grids | rows | nested)},
    optional={"value": grids, "label": st.sampled_from(["a", "é", "[["])},
)


@fuzz
@given(objects, st.sampled_from(VERSIONS), st.booleans())
def test_a_long_body_is_read_as_a_short_one(
    fields: dict[str, Any], version: ModelVersion, ascii_only: bool
) -> None:
    body = json.dumps(fields, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    short, long = outcome(body, version), outcome(lengthened(body), version)
    assert type(long) is type(short)
    if isinstance(short, Bound) and isinstance(long, Bound):
        assert (long.rows, long.single) == (short.rows, short.single)
        assert _bits(long.arrays) == _bits(short.arrays)
    elif isinstance(short, TfaasError) and isinstance(long, TfaasError):
        assert long.document() == short.document()


def _bits(arrays: Arrays) -> list[Any]:
    return [
        (name, a.dtype, a.shape, a.tolist() if a.dtype == object else a.tobytes())
        for name, a in sorted(arrays.items())
    ]
