"""Codecs that are wrong under a server's calls, each with the test of the suite that must fail."""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.core.testing.outcomes import add_tests
from tests.core.testing.rows_codec import RowsCodec, RowsContract, RowsDocument
from tfaas_core.codec import Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Arrays, Bound


class KeepsTheLastDocument(RowsCodec):
    """``bind`` takes what ``parse`` read last, whatever it is given."""

    def parse(self, body: bytes, head: Head) -> RowsDocument:
        self._last = super().parse(body, head)
        return self._last

    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        return super().bind(self._last, version)


class ParsesIntoOneBuffer(RowsCodec):
    """Right, as long as no other thread is there."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def parse(self, body: bytes, head: Head) -> RowsDocument:
        self._rows.clear()
        document = super().parse(body, head)
        self._rows.extend(document.rows)
        document.rows = list(self._rows)
        return document


class EncodesIntoOneBuffer(RowsCodec):
    """Right, as long as no other thread is there."""

    def __init__(self) -> None:
        self._text = ""

    def lines(self, output: Array, version: ModelVersion) -> str:
        self._text = super().lines(output, version)
        length = len(self._text)
        return self._text[:length]


class IsHeavyRaises(RowsCodec):
    def is_heavy(self, document: RowsDocument, version: ModelVersion) -> bool:
        return max(map(len, document.rows)) > 1000


class IsHeavyCounts(RowsCodec):
    def is_heavy(self, document: RowsDocument, version: ModelVersion) -> Any:
        return len(document.rows)


class ReadsOtherRowsAtOnce(RowsCodec):
    def parse_at_once(self, body: bytes, head: Head) -> RowsDocument | None:
        document = super().parse(body, head)
        document.rows.reverse()
        return document


class BindsSlowly(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        end_s = time.thread_time() + 0.015
        while time.thread_time() < end_s:
            pass
        return super().bind(document, version)


class Sleeps(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        time.sleep(0)
        return super().parse(body, head)


class WaitsForAnEvent(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        threading.Event().wait(0.001)
        return super().bind(document, version)


class ReadsAFile(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        Path(__file__).read_bytes()
        return super().encode(outputs, bound, document, version)


class ParsesInQuadraticTime(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        rest = body
        while rest:
            rest = rest.partition(b"\n")[2]
        return super().parse(body, head)


class AnswersInQuadraticTime(RowsCodec):
    def lines(self, output: Array, version: ModelVersion) -> str:
        text = super().lines(output, version)
        for _ in range(len(output)):
            text.splitlines()
        return text


class BindTakesTheRowsAway(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        bound = super().bind(document, version)
        document.rows.clear()
        return bound


class BindKeepsTheFirstModel(RowsCodec):
    """What was bound once stays, though the model may have been switched meanwhile."""

    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        try:
            return super().bind(document, version)
        finally:
            document.rows[:] = [[cell.replace("nan", "0") for cell in r] for r in document.rows]


class EncodeRoundsInPlace(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        encoded = super().encode(outputs, bound, document, version)
        for output in outputs.values():
            if output.flags.writeable and output.dtype.kind == "f":
                np.round(output, 0, out=output)
        return encoded


class EncodeNeedsToWrite(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        for output in outputs.values():
            if output.dtype.kind == "f":
                output += 0
        return super().encode(outputs, bound, document, version)


class EncodeChangesTheInputs(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        for array in bound.arrays.values():
            array[...] = 0
        return super().encode(outputs, bound, document, version)


class EncodeChangesTheDocument(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        encoded = super().encode(outputs, bound, document, version)
        document.rows.append(["0", "0"])
        return encoded


class GivesCachedArrays(RowsCodec):
    def numbers(self, rows: list[list[str]], version: ModelVersion) -> Array:
        super().numbers(rows, version)
        return _cached(";".join(map(",".join, rows)))


@lru_cache
def _cached(text: str) -> Array:
    return np.array([line.split(",") for line in text.split(";")], np.float32)


WRONG: dict[type, str] = {
    KeepsTheLastDocument: "test_nothing_is_kept_between_calls",
    ParsesIntoOneBuffer: "test_threads_do_not_disturb_each_other",
    EncodesIntoOneBuffer: "test_threads_do_not_disturb_each_other",
    IsHeavyRaises: "test_what_is_not_heavy_is_bound_at_once",
    IsHeavyCounts: "test_what_is_not_heavy_is_bound_at_once",
    BindsSlowly: "test_what_is_not_heavy_is_bound_at_once",
    ReadsOtherRowsAtOnce: "test_what_is_read_at_once_is_what_is_read",
    Sleeps: "test_no_call_waits_for_anything",
    WaitsForAnEvent: "test_no_call_waits_for_anything",
    ReadsAFile: "test_no_call_waits_for_anything",
    ParsesInQuadraticTime: "test_the_time_that_reading_takes_grows_with_the_length_of_the_body",
    AnswersInQuadraticTime: "test_the_time_that_answers_take_grows_with_their_rows",
    BindTakesTheRowsAway: "test_nothing_is_kept_between_calls",
    BindKeepsTheFirstModel: "test_no_call_changes_what_it_is_given",
    EncodeRoundsInPlace: "test_no_call_changes_what_it_is_given",
    EncodeNeedsToWrite: "test_no_call_changes_what_it_is_given",
    EncodeChangesTheInputs: "test_no_call_changes_what_it_is_given",
    EncodeChangesTheDocument: "test_no_call_changes_what_it_is_given",
    GivesCachedArrays: "test_what_two_requests_are_bound_to_is_apart",
}

add_tests(globals(), RowsContract, "make_codec", WRONG)
