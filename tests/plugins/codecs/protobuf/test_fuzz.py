from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Predictions, Row

from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

settings.register_profile("codec", max_examples=tries(100))
fuzz = settings.get_profile("codec")

FRAME = "application/x-protobuf; messageType=tfaaspb.DataFrame"
VERSIONS = [
    *(model_version([TensorSpec("x", dtype, (None, 3))]) for dtype in NUMPY_DTYPES),
    model_version([TensorSpec("x", "float32", (None, 3))], params={"features": ["a", "b", "c"]}),
    model_version([TensorSpec("x", "float32", (None,))]),
    model_version([TensorSpec("x", "float32", (None, None))]),
    model_version([TensorSpec("x", "int16", (None, 3, 1))]),
    model_version([TensorSpec("x", "float32", (None, None, 2))]),
    model_version([TensorSpec("x", "float32", None)]),
    model_version([TensorSpec("x", "int8", (3,))], batch=BatchAxis.NONE),
    model_version([TensorSpec("x", "int8", (1, 3))], batch=BatchAxis.ONE),
    model_version([TensorSpec("x", "float32", (None, 3)), TensorSpec("y", "float32", (None,))]),
]

content_types = st.sampled_from(["application/x-protobuf", FRAME])
numbers = st.integers(-300, 300) | st.floats(width=32)
rows = st.builds(
    Row,
    key=st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4) | st.permutations("abc"),
    value=st.lists(numbers, min_size=3, max_size=3) | st.lists(numbers, max_size=4),
    model=st.sampled_from(["", "", "vk", "\n"]),
)
frames = st.builds(DataFrame, row=st.lists(rows, max_size=4))


def outcome(body: bytes, content_type: str, version: ModelVersion) -> Bound | TfaasError:
    """What becomes of a request: arrays that fit, or an error that can be answered."""
    return outcome_of(ProtobufCodec(), body, Head.of_type(content_type), version)


@fuzz
@given(st.binary(max_size=200), content_types, st.sampled_from(VERSIONS))
def test_any_bytes_are_the_clients_error_or_fit(
    body: bytes, content_type: str, version: ModelVersion
) -> None:
    outcome(body, content_type, version)


@fuzz
@given(rows | frames, content_types, st.sampled_from(VERSIONS), st.data())
def test_any_message_whole_or_broken_is_the_clients_error_or_fits(
    message: Row | DataFrame, content_type: str, version: ModelVersion, data: st.DataObject
) -> None:
    body = message.SerializeToString()
    outcome(body, content_type, version)
    at = data.draw(st.integers(0, len(body)))
    until = at + data.draw(st.integers(0, 2))
    outcome(body[:at] + data.draw(st.binary(max_size=3)) + body[until:], content_type, version)


@fuzz
@given(
    st.lists(st.lists(numbers, min_size=3, max_size=3) | st.lists(numbers, max_size=4), max_size=3),
    st.sampled_from([name for name in NUMPY_DTYPES if np.dtype(NUMPY_DTYPES[name]).kind in "fiu"]),
)
def test_exactly_rows_of_the_models_numbers_are_taken(batch: list[list[float]], dtype: str) -> None:
    version = model_version([TensorSpec("x", dtype, (None, 3))])
    body = DataFrame(row=[Row(value=row) for row in batch]).SerializeToString()
    got = outcome(body, FRAME, version)
    fits = all(len(row) == 3 and _fit(row, dtype) for row in batch)
    assert isinstance(got, Bound) == fits
    if isinstance(got, Bound):
        expected = np.array(batch, np.float32).reshape(-1, 3).astype(dtype)
        np.testing.assert_array_equal(got.arrays["x"], expected, strict=True)


def _fit(row: list[float], dtype: str) -> bool:
    sent = np.array(row, np.float32)
    if not np.isfinite(sent).all():
        return False
    if NUMPY_DTYPES[dtype].kind == "f":
        with np.errstate(over="ignore"):
            return bool(np.isfinite(sent.astype(dtype)).all())
    limits = np.iinfo(dtype)
    return all(float(n).is_integer() and limits.min <= int(n) <= limits.max for n in sent)


@fuzz
@given(st.permutations("abcd"), st.integers(1, 3))
def test_any_order_of_keys_gives_the_models_order(sent: list[str], count: int) -> None:
    features = ["a", "b", "c", "d"]
    version = model_version([TensorSpec("x", "float32", (None, 4))], params={"features": features})
    row = Row(key=sent, value=[ord(key) for key in sent])
    got = outcome(DataFrame(row=[row] * count).SerializeToString(), FRAME, version)
    assert isinstance(got, Bound)
    assert got.arrays["x"].tolist() == [[ord(key) for key in features]] * count


@fuzz
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5)),
    st.lists(st.text(max_size=200), max_size=6),
)
def test_predictions_are_the_outputs_in_order_with_labels(output: Array, labels: list[str]) -> None:
    version = model_version(
        outputs=[TensorSpec("y", "float32", (None,) * output.ndim)], labels=labels
    )
    codec = ProtobufCodec()
    document = codec.parse(b"", Head())
    bound = Bound({}, len(output), False)
    body = codec.encode({"y": output}, bound, document, version).body
    classes = Predictions.FromString(body).prediction
    numbers = np.array([each.probability for each in classes], np.float32)
    np.testing.assert_array_equal(numbers, output.ravel())
    count = output[0].size
    shown = [*labels, *[""] * count][:count]
    assert [each.label for each in classes] == shown * len(output)
