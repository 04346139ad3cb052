"""What fuzzing holds a codec to: what is right passes, whatever comes; what is wrong does not."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.testing.rows_codec import RowsCodec, RowsContract, RowsDocument
from tfaas_core.codec import Encoded
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.testing.fuzzing import MOST_GROWN_BYTES, CodecFuzz, bounded

SAMPLES = RowsContract.samples


class Fails(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        return RowsDocument([body.decode().split(",")])


class Blames(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        raise TfaasError("it is the server's fault")


class AnswersAnything(RowsCodec):
    media_types: ClassVar[tuple[str, ...]] = ("text/rows",)

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        return Encoded(b"", "text/lines")


@given(st.binary(max_size=30))
def test_a_right_codec_passes(data: bytes) -> None:
    bounded(CodecFuzz(RowsCodec, SAMPLES))(data)


def test_the_seeds_are_the_samples() -> None:
    fuzz = CodecFuzz(RowsCodec, SAMPLES)
    for sample, seed in zip(SAMPLES, fuzz.seeds(), strict=True):
        assert fuzz.sample(seed) is sample
        bound = fuzz.bound(seed)
        assert bound is not None
        assert bound.rows == sample.bound.rows
    assert fuzz.bound(b"\0rubbish") is None


@pytest.mark.parametrize(
    ("codec", "body", "error"),
    [
        (Fails, b"\xff", UnicodeDecodeError),
        (Blames, b"1,2", AssertionError),
        (AnswersAnything, b"1,2", AssertionError),
    ],
)
def test_a_wrong_one_does_not(codec: type[RowsCodec], body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        CodecFuzz(codec, SAMPLES)(b"\0" + body)


def test_an_input_may_not_take_long() -> None:
    def count(data: bytes) -> None:
        for _ in range(int(data)):
            pass

    bounded(count)(b"1")
    with pytest.raises(AssertionError, match=r"7 bytes took \d\.\d+ s of the processor"):
        bounded(count, 0.001)(b"1000000")


def test_an_input_may_not_take_much_memory() -> None:
    """In a process of its own: how large this one has become already, nobody knows."""
    program = """
import sys
from tfaas_core.testing.fuzzing import bounded
bounded(lambda data: b"x" * int(data), 10)(sys.argv[1].encode())
"""
    for size, fails in ((MOST_GROWN_BYTES // 4, False), (MOST_GROWN_BYTES * 5 // 4, True)):
        command = [sys.executable, "-c", program, str(size)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert ("bytes made the process grow by" in done.stderr) == fails, done.stderr
        assert bool(done.returncode) == fails
