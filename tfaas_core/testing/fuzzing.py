"""What fuzzing holds a codec to, and whatever else reads what strangers send.

It needs no fuzzer: a test may call it with the inputs that one found. ``fuzz`` finds more.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tfaas_core.codec import Codec
from tfaas_core.errors import TfaasError
from tfaas_core.predict.predictor import fitted
from tfaas_core.settings.tables import EngineTable
from tfaas_core.tensors import Bound
from tfaas_core.testing.suites.codec.case import (
    Sample,
    assert_can_be_sent,
    assert_clients_error,
    assert_names_a_model,
    assert_same_bound,
)

FuzzCheck: TypeAlias = Callable[[bytes], object]
"""Takes an input, and raises if what is fuzzed does not do with it what it should."""

MOST_HELD_S = 0.05
"""For so long may one input keep an event loop from all others."""

MOST_GROWN_BYTES = 256 << 20
"""By so much may one input make the process grow."""

_MOST_ROWS = EngineTable().max_queue_rows
_MOST_KB = re.compile(rb"VmHWM:\s+([0-9]+) kB")
_STATUS_BYTES = 4096
_TRIES = 3


class CodecFuzz:
    """A FuzzCheck of a codec: each input is bound to what a model takes, or is the client's error.

    The first byte of an input chooses one of the ``samples``, for its model and its content type;
    the rest is the body. What is bound is answered, too, with the sample's outputs.
    """

    def __init__(self, make_codec: Callable[[], Codec[Any]], samples: Sequence[Sample]) -> None:
        """``samples`` as of CodecContract; at most 256 count."""
        self._codec = make_codec()
        self._samples = samples[:256]

    def __call__(self, data: bytes) -> None:
        self.bound(data)

    def sample(self, data: bytes) -> Sample:
        """Which of the samples an input chooses."""
        return self._samples[data[0] % len(self._samples) if data else 0]

    def bound(self, data: bytes) -> Bound | None:
        """What an input is bound to; None: it is refused. Raises AssertionError."""
        codec, sample, body = self._codec, self.sample(data), data[1:]
        try:
            document = codec.parse(body, sample.head)
            assert_names_a_model(document)
            assert type(codec.is_heavy(document, sample.version)) is bool
            bound = codec.bind(document, sample.version)
            if (at_once := codec.parse_at_once(body, sample.head)) is not None:
                assert_same_bound(codec.bind(at_once, sample.version), bound)
            fitted(sample.version.signature, bound, _MOST_ROWS)
            answer = codec.encode(sample.outputs, bound, document, sample.version)
        except TfaasError as error:
            assert_clients_error(error, repr(body[:200]))
            return None
        assert_can_be_sent(codec, answer)
        return bound

    def seeds(self) -> list[bytes]:
        """The samples as inputs, for a fuzzer to begin with."""
        return [bytes([place]) + sample.body for place, sample in enumerate(self._samples)]


def bounded(check: FuzzCheck, most_held_s: float = MOST_HELD_S) -> FuzzCheck:
    """``check``, and that an input takes its thread no longer, and no more memory, than it may.

    What counts is the time of the processor; what took too long is tried again, as something else
    may have come between.
    """

    def checked(data: bytes) -> None:
        before = _most_bytes()
        took_s = _seconds_of(check, data)
        grown = _most_bytes() - before
        assert grown <= MOST_GROWN_BYTES, f"{len(data)} bytes made the process grow by {grown}"
        for _ in range(_TRIES):
            if took_s <= most_held_s:
                return
            took_s = min(took_s, _seconds_of(check, data))
        assert took_s <= most_held_s, f"{len(data)} bytes took {took_s:.3f} s of the processor"

    return checked


def _seconds_of(check: FuzzCheck, data: bytes) -> float:
    collects = gc.isenabled()
    gc.disable()  # else an input is charged for looking at all that there is
    try:
        since_s = time.thread_time()
        check(data)
        return time.thread_time() - since_s
    finally:
        if collects:
            gc.enable()


def _most_bytes() -> int:
    """The most that this process ever had in memory; ``getrusage`` would count what began it."""
    with open("/proc/self/status", "rb", 0) as file:
        found = _MOST_KB.search(file.read(_STATUS_BYTES))
    return int(found[1]) * 1024 if found else 0
