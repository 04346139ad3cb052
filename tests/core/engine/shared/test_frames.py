from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfaas_core.engine.shared.frame_tensors import add_tensor
from tfaas_core.engine.shared.frames import (
    ANY_SHAPE,
    MAX_PARTS,
    FrameBuffer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_failure,
    encode_request,
    failure_of,
    id_of_answer,
    signature_of_request,
)
from tfaas_core.errors import (
    BadBody,
    CannotServe,
    DeadlinePassed,
    DoesNotFit,
    ModelLost,
    TfaasError,
)
from tfaas_core.levels import Levels
from tfaas_core.tensors import NUMPY_DTYPES, Array, TensorSpec
from tfaas_core.testing.tries import tries

SHAPES = [(), (0,), (1,), (3,), (0, 3), (3, 0), (2, 3), (2, 1, 4)]


def spec(dtype: str, shape: tuple[int | None, ...] | None = None) -> TensorSpec:
    return TensorSpec("x", dtype, shape)


def some(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """An array of values that use all bytes of the dtype."""
    random = np.random.default_rng([seed, *shape])
    count = int(np.prod(shape))
    if dtype == "string":
        strings = [random.bytes(int(random.integers(9))) for _ in range(count)]
        return np.array([*strings, None], object)[:-1].reshape(shape)
    if dtype == "bool":
        return random.integers(2, size=shape).astype(bool)
    size_bytes = NUMPY_DTYPES[dtype].itemsize
    return np.frombuffer(random.bytes(count * size_bytes), dtype).reshape(shape)


def are_same(one: Array, other: Array) -> bool:
    """Whether dtype, shape and all bytes are the same."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return one.tobytes() == other.tobytes()


def frames_of(*data: bytes) -> Iterator[bytes]:
    """The frames that a FrameBuffer cuts out of these pieces of a stream."""
    buffer = FrameBuffer()
    for piece in data:
        yield from buffer.feed(piece)


def through_request(specs: Sequence[TensorSpec], *parts: Sequence[Array]) -> list[Array]:
    """The inputs of a request that was encoded and decoded again."""
    rows = [len(part[0]) if part[0].ndim else 1 for part in parts]
    (frame,) = frames_of(encode_request(7, 1.5, rows, parts, specs))
    request = decode_request(frame, specs)
    assert (request.id, request.deadline_s, request.part_rows) == (7, 1.5, rows)
    assert request.rows == sum(rows)
    return request.inputs


def through_answer(specs: Sequence[TensorSpec], outputs: Sequence[Array]) -> list[Array]:
    """Outputs that were encoded and decoded again."""
    (frame,) = frames_of(encode_answer(8, 2, 3, outputs, specs))
    answer = decode_answer(frame, specs)
    assert (answer.id, answer.first_part, answer.parts) == (8, 2, 3)
    assert answer.failure is None
    return answer.outputs


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES))
class TestTensors:
    def test_requests_and_answers_hold_them(self, dtype: str) -> None:
        for shape in SHAPES:
            array = some(dtype, shape)
            for known in (shape, None):
                (read,) = through_request([spec(dtype, known)], [array])
                assert are_same(read, array), shape
                (read,) = through_answer([spec(dtype, known)], [array])
                assert are_same(read, array), shape

    def test_parts_are_concatenated(self, dtype: str) -> None:
        for shape in SHAPES:
            parts = [some(dtype, (rows, *shape), rows) for rows in (2, 0, 1, 5)]
            (read,) = through_request([spec(dtype)], *[[part] for part in parts])
            assert are_same(read, np.concatenate(parts)), shape

    def test_what_is_not_contiguous_is_sent_in_c_order(self, dtype: str) -> None:
        for shape in SHAPES:
            array = some(dtype, (4, *shape, 6))
            for view in (array[::2], array[..., ::-1], array.T, np.asfortranarray(array)):
                (read,) = through_request([spec(dtype)], [view])
                assert are_same(read, np.ascontiguousarray(view)), shape
                (read,) = through_answer([spec(dtype)], [view])
                assert are_same(read, np.ascontiguousarray(view)), shape


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_numbers_that_are_no_numbers_keep_their_bytes(dtype: str) -> None:
    array = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0], dtype)
    (read,) = through_answer([spec(dtype)], [array])
    assert are_same(read, array)


def test_strings_may_hold_any_bytes() -> None:
    array = np.array([b"", b"\0", b"\xff\xfe", b"a\0", "é".encode(), bytes(100_000), None], object)
    (read,) = through_request([spec("string", (None,))], [array[:-1]])
    assert are_same(read, array[:-1])


def test_inputs_keep_their_order_whatever_their_kinds() -> None:
    specs = [spec(dtype) for dtype in ("string", "bool", "float64", "string", "uint8")]
    parts = [[some(s.dtype, (rows, 3), rows) for s in specs] for rows in (1, 4)]
    columns = zip(*parts, strict=True)
    read = through_request(specs, *parts)
    assert all(map(are_same, read, map(np.concatenate, columns)))


def test_outputs_that_are_not_the_signatures_are_not_encoded() -> None:
    numbers = some("float64", (3,))
    with pytest.raises(TypeError, match="'x' is float64, not float32"):
        encode_answer(1, 0, 1, [numbers], [spec("float32")])
    with pytest.raises(TypeError, match="not string"):
        encode_answer(1, 0, 1, [numbers], [spec("string")])
    with pytest.raises(ValueError, match="argument"):
        encode_answer(1, 0, 1, [], [spec("float64")])


@pytest.mark.parametrize("dtype", ["float32", "string"])
def test_an_answer_has_no_levels(dtype: str) -> None:
    of_levels = Levels.of(np.zeros((1, 2), np.uint8), np.dtype(np.float32), 2.0, 1.0)
    request = encode_request(1, 0.5, [1], [[of_levels]], [spec("float32")])
    (request,) = frames_of(request)
    assert isinstance(decode_request(request, [spec("float32")]).inputs[0], Levels)
    at = request.index(struct.pack("<BQ", 2 + 128, 2))
    (answer,) = frames_of(encode_answer(1, 0, 1, [some(dtype, (1, 2))], [spec(dtype)]))
    head = answer[: len(answer) - len(tensor_of(dtype))]
    with pytest.raises(ValueError, match="may not be levels"):
        decode_answer(head + request[at:], [spec(dtype)])


def tensor_of(dtype: str) -> bytes:
    """As it stands behind the head of an answer."""
    pieces: list[Any] = []
    add_tensor(pieces, spec(dtype), [some(dtype, (1, 2))])
    return b"".join(map(bytes, pieces))


def test_a_model_may_have_no_outputs() -> None:
    assert through_answer([], []) == []


def test_a_frame_holds_as_many_parts_as_it_may() -> None:
    rows = np.arange(MAX_PARTS, dtype=np.float32).reshape(-1, 1, 1)
    (read,) = through_request([spec("float32")], *[[row] for row in rows])
    assert are_same(read, rows.reshape(-1, 1))


@pytest.mark.parametrize(
    "error_class", [TfaasError, BadBody, DoesNotFit, CannotServe, DeadlinePassed, ModelLost]
)
def test_a_failure_arrives_with_its_class_and_details(error_class: type[TfaasError]) -> None:
    error = error_class("it is wrong, ü", expected=[1, None], got={"a": 2.5})
    (frame,) = frames_of(encode_failure(9, 4, 65_535, error))
    answer = decode_answer(frame, [spec("float32")])
    assert (answer.id, answer.first_part, answer.parts) == (9, 4, 65_535)
    assert answer.outputs == []
    assert type(answer.failure) is error_class
    assert answer.failure.document() == error.document()


@given(
    st.lists(hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3)), max_size=6),
    st.data(),
)
def test_a_stream_is_cut_into_the_same_frames_however_it_arrives(
    arrays: list[Array], data: st.DataObject
) -> None:
    stream = b"".join(
        encode_answer(number, 0, 1, [array], [spec("float32")])
        for number, array in enumerate(arrays)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    answers = [decode_answer(frame, [spec("float32")]) for frame in frames_of(*pieces)]
    assert [answer.id for answer in answers] == list(range(len(arrays)))
    assert all(map(are_same, [answer.outputs[0] for answer in answers], arrays))


@settings(max_examples=tries(30))
@given(st.integers(1, 64))
def test_frames_of_all_kinds_mix_in_a_stream_that_arrives_in_small_pieces(size: int) -> None:
    array = some("float32", (2, 3))
    specs = [spec("float32")]
    frames = [
        encode_request(1, 0.5, [2], [[array]], specs),
        encode_failure(2, 0, 1, DoesNotFit("it does not fit")),
        encode_answer(3, 0, 1, [array[:0]], specs),
        encode_request(4, 0.5, [1, 1], [[array[:1]], [array[1:]]], specs),
    ]
    stream = b"".join(frames)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert list(frames_of(*pieces)) == [frame[8:] for frame in frames]


def test_what_was_read_stays_when_more_arrives() -> None:
    buffer = FrameBuffer()
    specs = [spec("float32")]
    first, second = some("float32", (500,), 1), some("float32", (500,), 2)
    (frame,) = buffer.feed(encode_answer(1, 0, 1, [first], specs))
    read: Any = decode_answer(frame, specs).outputs[0]
    list(buffer.feed(memoryview(encode_answer(2, 0, 1, [second], specs))))
    assert are_same(read, first)


@pytest.mark.parametrize("whole", [True, False])
def test_a_request_tells_whether_it_is_whole(whole: bool) -> None:
    specs = [spec("float32"), TensorSpec("y", "int64", None)]
    part = [some("float32", (1, 3)), some("int64", (5,))]
    (frame,) = frames_of(encode_request(7, 1.5, [5], [part], specs, whole))
    request = decode_request(frame, specs)
    assert request.whole is whole
    assert all(map(are_same, request.inputs, part))


def test_a_request_of_another_model_is_told_by_its_inputs_and_can_be_refused() -> None:
    (frame,) = frames_of(encode_request(7, 1.5, [1, 2], [[some("int8", (1,))]] * 2, [spec("int8")]))
    with pytest.raises(ValueError, match="1 inputs, and the model takes 2"):
        decode_request(frame, [spec("int8")] * 2)
    (refusal,) = frames_of(failure_of(frame, DoesNotFit("no")))
    answer = decode_answer(refusal, [])
    assert (answer.id, answer.first_part, answer.parts) == (7, 0, 2)
    assert type(answer.failure) is DoesNotFit


def test_a_frame_that_is_too_large_ends_the_stream_at_its_head() -> None:
    buffer = FrameBuffer(most_bytes=10)
    assert list(buffer.feed(struct.pack("<Q10s", 10, b"1234567890"))) == [b"1234567890"]
    with pytest.raises(ConnectionError, match="11 bytes"):
        list(buffer.feed(struct.pack("<Q", 11)))


def test_a_request_tells_its_signature_and_whether_its_shapes_matter() -> None:
    part = [some("int8", (1,))]
    for alone, how in ((False, (False, False)), (True, (True, False)), (ANY_SHAPE, (True, True))):
        (frame,) = frames_of(encode_request(7, 1.5, [1], [part], [spec("int8")], alone, 3))
        request = decode_request(frame, [spec("int8")])
        assert (request.whole, request.any_shape) == how
        assert request.signature == signature_of_request(frame) == 3


def test_an_answer_tells_which_request_it_is_of() -> None:
    (frame,) = frames_of(encode_answer(0xFFFF_FFFE, 0, 1, [some("int8", (1,))], [spec("int8")]))
    assert id_of_answer(frame) == 0xFFFF_FFFE
