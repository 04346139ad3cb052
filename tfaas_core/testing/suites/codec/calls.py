"""The part of Codec's contract about calls: threads, waiting, time, and what must stay as it is."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from tfaas_core.codec import Codec
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import BatchAxis
from tfaas_core.testing.interleaving import interleaved
from tfaas_core.testing.suites.codec.case import (
    CodecCase,
    Sample,
    answered_by,
    assert_same_bound,
)
from tfaas_core.testing.waits import waits_of

_TRIES = 5
_LIGHT_S = 0.01
_BODY_BYTES = (1 << 12, 1 << 14, 1 << 16, 1 << 18)
_ANSWER_ROWS = (1 << 8, 1 << 10, 1 << 12, 1 << 14)
_MOST_GROWTH = 9
"""Of the time, if there are four times as many bytes; with quadratic time it is 16."""
_WORTH_S = 0.05
_ENOUGH_S = 1.0
"""What takes so long is not measured again: no chance made it so slow."""
_FILLING = (b"\n", b",", b" ", b"0", b"[", b"{", b'"', b"\x00", b"\xff", b"a=1&", b"1,2\r\n")


class CallsContract(CodecCase):
    """How a codec behaves under the calls of a server."""

    def test_nothing_is_kept_between_calls(self, codec: Codec[Any]) -> None:
        documents = [codec.parse(sample.body, sample.head) for sample in self.samples]
        pairs = list(zip(self.samples, documents, strict=True))
        for _ in range(2):
            bounds = [codec.bind(document, sample.version) for sample, document in pairs[::-1]]
            for (sample, document), bound in zip(pairs, bounds[::-1], strict=True):
                assert_same_bound(bound, sample.bound)
                encoded = codec.encode(sample.outputs, bound, document, sample.version)
                assert encoded.whole() == sample.answer

    def test_threads_do_not_disturb_each_other(self) -> None:
        """While one request is read and answered, another one is, at each line of the codec."""
        samples = list(self.samples)
        for one, other in pairwise([*samples, samples[0]]):
            codec = type(self).make_codec()
            answer, others = interleaved(
                codec, partial(answered_by, codec, one), partial(answered_by, codec, other)
            )
            assert answer == one.answer
            assert set(others) <= {other.answer}

    def test_no_call_changes_what_it_is_given(self, codec: Codec[Any]) -> None:
        """A document may be bound again, to another version, and outputs may be read only."""
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            for other in self.samples:
                _tried(partial(codec.bind, document, other.version))
            bound = codec.bind(document, sample.version)
            outputs = {name: output.copy() for name, output in sample.outputs.items()}
            for _ in range(2):
                encoded = codec.encode(outputs, bound, document, sample.version)
                assert encoded.whole() == sample.answer
            assert_same_bound(bound, sample.bound)
            for name, output in sample.outputs.items():
                np.testing.assert_array_equal(outputs[name], output, strict=True)
                outputs[name].flags.writeable = False
            assert codec.encode(outputs, bound, document, sample.version).whole() == sample.answer
            assert_same_bound(codec.bind(document, sample.version), sample.bound)

    def test_what_two_requests_are_bound_to_is_apart(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            document, again = (codec.parse(sample.body, sample.head) for _ in range(2))
            for array in codec.bind(document, sample.version).arrays.values():
                if array.flags.writeable and array.dtype != object:
                    array.fill(0)
            assert_same_bound(codec.bind(again, sample.version), sample.bound)

    def test_what_is_not_heavy_is_bound_at_once(self, codec: Codec[Any]) -> None:
        """``is_heavy`` says so if ``bind`` may take milliseconds, which the event loop has not."""
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            is_heavy = codec.is_heavy(document, sample.version)
            assert type(is_heavy) is bool
            if not is_heavy:
                took_s = _least_s(partial(codec.bind, document, sample.version))
                assert took_s < _LIGHT_S, f"bind took {took_s:.3f} s, and is_heavy is False"

    def test_what_is_read_at_once_is_what_is_read(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            document = codec.parse_at_once(sample.body, sample.head)
            if document is not None:
                assert_same_bound(codec.bind(document, sample.version), sample.bound)

    def test_no_call_waits_for_anything(self, codec: Codec[Any]) -> None:
        """Neither for time to pass, nor for a lock, a disk or the network."""
        for sample in self.samples:
            for name, call in _calls(codec, sample):
                call()
                waits = min((waits_of(call) for _ in range(_TRIES)), key=len)
                assert waits == [], f"{name} waits: {waits}"

    def test_the_time_that_reading_takes_grows_with_the_length_of_the_body(
        self, codec: Codec[Any]
    ) -> None:
        """Rather than with its square: some clients send what takes longest."""
        for sample in self.samples:
            for piece in (sample.body, *_FILLING):
                if piece:
                    _assert_grows_evenly(_reading(codec, sample, piece), f"bytes of {piece[:20]!r}")

    def test_the_time_that_answers_take_grows_with_their_rows(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            if sample.bound.rows > 1 and sample.version.signature.batch is BatchAxis.FREE:
                _assert_grows_evenly(_answering(codec, sample), "rows")


def _calls(codec: Codec[Any], sample: Sample) -> Iterator[tuple[str, Callable[[], object]]]:
    document = codec.parse(sample.body, sample.head)
    bound, version = codec.bind(document, sample.version), sample.version
    yield "parse", lambda: codec.parse(sample.body, sample.head)
    yield "parse_at_once", lambda: codec.parse_at_once(sample.body, sample.head)
    yield "is_heavy", lambda: codec.is_heavy(document, version)
    yield "bind", lambda: codec.bind(document, version)
    yield "encode", lambda: codec.encode(sample.outputs, bound, document, version)
    if codec.answers_others:
        yield (
            "encode_other",
            partial(_tried, lambda: codec.encode_other(sample.outputs, bound, version)),
        )


def _tried(call: Callable[[], object]) -> None:
    with suppress(TfaasError):
        call()


def _least_s(call: Callable[[], object], tries: int = _TRIES) -> float:
    """The least time of this thread that the call took."""
    took = []
    collects = gc.isenabled()
    gc.disable()  # else it is charged for looking at all that the tests hold
    try:
        for _ in range(tries):
            begin_s = time.thread_time()
            call()
            took.append(time.thread_time() - begin_s)
            if took[-1] > _ENOUGH_S:
                break
    finally:
        if collects:
            gc.enable()
    return min(took)


class _Work(msgspec.Struct, frozen=True):
    """Calls of a codec, for each of several sizes, each four times the one before."""

    of: Callable[[int], Callable[[], object]]
    sizes: Sequence[int]


def _reading(codec: Codec[Any], sample: Sample, piece: bytes) -> _Work:
    def of(size: int) -> Callable[[], object]:
        body = piece * (size // len(piece))
        return lambda: codec.bind(codec.parse(body, sample.head), sample.version)

    return _Work(of, _BODY_BYTES)


def _answering(codec: Codec[Any], sample: Sample) -> _Work:
    document = codec.parse(sample.body, sample.head)

    def of(rows: int) -> Callable[[], object]:
        outputs = {name: np.resize(o, (rows, *o.shape[1:])) for name, o in sample.outputs.items()}
        return lambda: codec.encode(outputs, sample.bound, document, sample.version).whole()

    return _Work(of, _ANSWER_ROWS)


def _assert_grows_evenly(work: _Work, unit: str) -> None:
    def took(size: int, tries: int) -> float:
        return _least_s(partial(_tried, work.of(size)), tries)

    before_s = took(work.sizes[0], 1)
    for smaller, size in pairwise(work.sizes):
        took_s = took(size, 1)
        if _is_uneven(before_s, took_s):
            before_s, took_s = (took(each, _TRIES) for each in (smaller, size))
        assert not _is_uneven(before_s, took_s), (
            f"{size} {unit} take {took_s:.3f} s, {smaller} {unit} {before_s:.3f} s"
        )
        before_s = took_s


def _is_uneven(before_s: float, took_s: float) -> bool:
    return took_s > max(_WORTH_S, _MOST_GROWTH * before_s)
