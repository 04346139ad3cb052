"""Codecs that do not come back, each with a test of the suite that must fail, rather than hang."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress

from tests.core.testing.outcomes import add_tests
from tests.core.testing.rows_codec import RowsCodec, RowsContract, RowsDocument
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Bound


class Impatient(RowsContract):
    limit_s = 1.0


class WaitsForGood(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        if body.startswith(b"\x00"):
            threading.Event().wait()
        return super().parse(body, head)


class WaitsInOtherThreads(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait()
        return super().parse(body, head)


class TriesAgainForGood(RowsCodec):
    """Whatever ends a try."""

    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        while len(document.rows) > 100:
            with suppress(Exception):
                time.sleep(3600)
        return super().bind(document, version)


class TakesExponentialTime(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        re.match(rb"(0+)+$", body + b"!")
        return super().parse(body, head)


WRONG: dict[type, str] = {
    WaitsForGood: "test_a_damaged_body_is_the_clients_error_or_fits",
    WaitsInOtherThreads: "test_threads_do_not_disturb_each_other",
    TriesAgainForGood: "test_the_time_that_reading_takes_grows_with_the_length_of_the_body",
    TakesExponentialTime: "test_the_time_that_reading_takes_grows_with_the_length_of_the_body",
}

add_tests(globals(), Impatient, "make_codec", WRONG)
