"""Whatever a client sends, a codec lets the event loop go on: no step of it takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.image.codec import ImageCodec
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec
from tfaas_plugins.codecs.msgpack.document import MsgpackDocument
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec

from tests.plugins.codecs.hostile_bodies import (
    full_msgpack_bodies,
    image_bodies,
    json_bodies,
    msgpack_bodies,
    protobuf_bodies,
    random_bodies,
)
from tests.plugins.held import is_quick, most_held_s
from tfaas_core.codec import Codec
from tfaas_core.errors import TfaasError
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.predictor import fitted
from tfaas_core.route import Head
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.testing.tries import tries

_ROWS = 8192
_LARGEST = Limits().max_json_bytes - 200
"""What is written around it is less."""

ROW = model_version([TensorSpec("x", "float32", (None, 3))])
FILE = model_version([TensorSpec("x", "string", (None,))])
PICTURE = model_version([TensorSpec("x", "float32", (None, 32, 32, 3))])

JSON, MSGPACK, PROTO = JsonCodec(), MsgpackCodec(), ProtobufCodec(_ROWS)
IMAGE = ImageCodec(max_pixels=50_000_000, max_images=_ROWS)

Case = tuple[Codec[Any], str, bytes, str]


def cases(size: int) -> Iterator[Case]:
    yield from ((JSON, name, body, "") for name, body in json_bodies(size))
    yield from ((MSGPACK, name, body, "") for name, body in msgpack_bodies(size))
    yield from ((PROTO, *case) for case in protobuf_bodies(size))
    yield from ((IMAGE, *case) for case in image_bodies(size))


def full_cases() -> Iterator[Case]:
    yield from ((MSGPACK, name, body, "") for name, body in full_msgpack_bodies())


def work(codec: Codec[Any], body: bytes, content_type: str) -> None:
    """All that a codec does with a request before it runs, for models of three kinds."""
    with suppress(TfaasError):
        document = codec.parse(body, Head(content_type=content_type))
        for version in (PICTURE,) if codec is IMAGE else (ROW, FILE):
            with suppress(TfaasError):
                fitted(version.signature, codec.bind(document, version), _ROWS)


@pytest.mark.parametrize("size", [1 << 20, _LARGEST])
def test_no_step_of_a_large_body_holds_up_other_requests(size: int) -> None:
    assert _slow(cases(size)) == []


def test_no_step_of_a_body_with_as_much_as_there_may_be_holds_up_other_requests() -> None:
    assert _slow(full_cases()) == []


def _slow(cases: Iterator[Case]) -> list[tuple[str, str]]:
    return [(case[0].name, case[1]) for case in cases if not _is_quick(case)]


def _is_quick(case: Case) -> bool:
    codec, _, body, content_type = case
    return is_quick(lambda: work(codec, body, content_type))


def test_a_small_body_is_done_at_once() -> None:
    """It is read in the event loop itself."""
    slow = []
    for codec, name, body, content_type in chain(cases(LARGE_BODY_BYTES - 100), full_cases()):
        for _ in range(6):
            start_s = time.thread_time()
            work(codec, body[:LARGE_BODY_BYTES], content_type)
            taken_s = time.thread_time() - start_s
            if taken_s < most_held_s():
                break
        else:
            slow.append((codec.name, name, taken_s))
    assert slow == []


def test_no_random_body_holds_up_other_requests() -> None:
    slow = []
    for seed in range(tries(5)):
        for _, body, content_type in random_bodies(2 << 20, seed):
            for codec in (JSON, MSGPACK, PROTO, IMAGE):
                if not _is_quick((codec, "", body, content_type)):
                    slow.append((codec.name, seed))
    assert slow == []


def answers() -> Iterator[tuple[str, Array]]:
    """Of tens of megabytes."""
    numbers = np.random.default_rng(1).random((2000, 2000)).astype(np.float32)
    yield "rows of numbers", numbers
    yield "numbers", numbers.reshape(-1)
    yield "one row of numbers", numbers.reshape(1, -1)
    yield "integers", (numbers * 1e6).astype(np.int64).reshape(-1)
    yield "halves", numbers[:50].astype(np.float16)
    odd = numbers.copy()
    odd[::7] = np.nan
    yield "NaN", odd
    yield "texts", np.full(1_000_000, b"abcdefgh", object)


@pytest.mark.parametrize("codec", [JSON, MSGPACK, PROTO], ids=lambda codec: codec.name)
def test_no_step_of_writing_a_large_answer_holds_up_other_requests(codec: Codec[Any]) -> None:
    slow = []
    for name, array in answers():
        dtype = "string" if array.dtype == object else array.dtype.name
        version = model_version(
            outputs=[TensorSpec("y", dtype, None), TensorSpec("z", dtype, None)]
        )
        bound = Bound({}, len(array), single=False)
        outputs = {"y": array, "z": array[:10]}
        if codec is PROTO and name in ("texts", "one row of numbers"):
            continue  # the former are refused, the latter takes a minute, though in short steps
        if not is_quick(partial(codec.encode_other, outputs, bound, version)):
            slow.append(name)
    assert slow == []


def test_no_step_of_writing_a_large_packed_answer_holds_up_other_requests() -> None:
    numbers = np.zeros((5000, 5000), np.float32)
    version = model_version(outputs=[TensorSpec("y", "float32", None)])
    document, bound = MsgpackDocument(packed=True), Bound({}, len(numbers), single=False)
    assert is_quick(partial(MSGPACK.encode, {"y": numbers}, bound, document, version))
