"""Codecs that write answers wrongly, each with the test of the suite that must fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np

from tests.core.testing.outcomes import add_tests
from tests.core.testing.rows_codec import RowsCodec, RowsContract, RowsDocument
from tfaas_core.codec import Encoded
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound


class AnswersNoNan(RowsCodec):
    def line(self, row: Array, version: ModelVersion) -> str:
        if row.dtype.kind == "f" and not np.isfinite(row).all():
            raise DoesNotFit("the model answers NaN")
        return super().line(row, version)


class AnswersZeroForNan(RowsCodec):
    def line(self, row: Array, version: ModelVersion) -> str:
        return super().line(np.nan_to_num(row) if row.dtype.kind == "f" else row, version)


class AnswersNanAsJson(RowsCodec):
    media_types = ("application/json",)

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        text = super().encode(outputs, bound, document, version).body.decode()
        text = text.replace("nan", "NaN").replace("inf", "Infinity").strip()
        return Encoded(b"[" + text.replace("\n", ",").encode() + b"]", "application/json")


class AnswersAsManyRowsAsWereSent(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        outputs = {name: output[: bound.rows] for name, output in outputs.items()}
        return super().encode(outputs, bound, document, version)


class NeedsARow(RowsCodec):
    def lines(self, output: Array, version: ModelVersion) -> str:
        assert len(output[0])
        return super().lines(output, version)


class LeavesOutConstants(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        first = next(iter(outputs))
        return super().encode({first: outputs[first]}, bound, document, version)


class LabelsAreAscii(RowsCodec):
    def line(self, row: Array, version: ModelVersion) -> str:
        return super().line(row, version).encode("ascii").decode()


class NeedsALabelForEach(RowsCodec):
    def line(self, row: Array, version: ModelVersion) -> str:
        if version.labels:
            assert len(version.labels) == row.size
        return super().line(row, version)


class AnswersLabelsAlone(RowsCodec):
    def line(self, row: Array, version: ModelVersion) -> str:
        return ",".join(version.labels) or super().line(row, version)


class NeedsABatchAxis(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        if version.signature.batch is BatchAxis.NONE:
            signature = msgspec.structs.replace(version.signature, batch=BatchAxis.FREE)
            version = msgspec.structs.replace(version, signature=signature)
        return super().bind(document, version)

    def lines(self, output: Array, version: ModelVersion) -> str:
        return super().lines(output.reshape(output.shape[0], -1), version)


class AnswerTypeWithALineBreak(RowsCodec):
    answer_type: ClassVar[str] = "text/rows; charset=utf-8\r\nX-Injected: yes"
    headers: ClassVar[Mapping[str, str]] = {}

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        body = super().encode(outputs, bound, document, version).body
        return Encoded(body, self.answer_type, self.headers)


class AnswerTypeInUpperCase(AnswerTypeWithALineBreak):
    answer_type = "Text/Rows"


class HeaderWithALineBreak(AnswerTypeWithALineBreak):
    answer_type = "text/rows"
    headers: ClassVar[Mapping[str, str]] = {"X-Rows": "1\r\nX-Injected: yes"}


class HeaderThatIsNotAscii(HeaderWithALineBreak):
    headers: ClassVar[Mapping[str, str]] = {"X-Rows": "café"}


class HeaderOfTheServer(HeaderWithALineBreak):
    headers: ClassVar[Mapping[str, str]] = {"Content-Length": "3"}


class HeaderOfTheModel(HeaderWithALineBreak):
    headers: ClassVar[Mapping[str, str]] = {"tfaas-model": "vk/1"}


class AnswersABytearray(RowsCodec):
    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        body: Any = bytearray(super().encode(outputs, bound, document, version).body)
        return Encoded(body, "text/rows")


class AnswersOthersInAnotherType(RowsCodec):
    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        return Encoded(b"", "text/plain")


class AnswersOthersWithNothing(RowsCodec):
    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        return Encoded(b"", "text/rows")


class AnswersNoRowsOfOthersInAnotherType(RowsCodec):
    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        body = self.encode(outputs, bound, RowsDocument([]), version).body
        return Encoded(body, "text/rows" if bound.rows else "text/plain")


class TakesConstantsForRows(RowsCodec):
    """Where there are as many."""

    def encode(
        self, outputs: Arrays, bound: Bound, document: RowsDocument, version: ModelVersion
    ) -> Encoded:
        first, *others = outputs.values()
        texts = [self.lines(output, version).splitlines() for output in (first, *others)]
        columns = [lines for lines in texts if len(lines) == len(texts[0])]
        rest = [line for lines in texts if len(lines) != len(texts[0]) for line in lines]
        rows = [*map(";".join, zip(*columns, strict=True)), *rest]
        return Encoded("".join(f"{row}\n" for row in rows).encode(), "text/rows")


class AnswersTheFirstOfAWhole(NeedsABatchAxis):
    """Takes the first axis for that of the batch, which is one row."""

    def lines(self, output: Array, version: ModelVersion) -> str:
        if version.signature.batch is BatchAxis.NONE and output.ndim:
            output = output[:1]
        return RowsCodec.lines(self, output, version)


WRONG: dict[type, str] = {
    AnswersNoNan: "test_nan_and_infinity_are_answered_and_are_no_other_number",
    AnswersZeroForNan: "test_nan_and_infinity_are_answered_and_are_no_other_number",
    AnswersNanAsJson: "test_nan_and_infinity_are_answered_and_are_no_other_number",
    AnswersAsManyRowsAsWereSent: "test_all_rows_are_answered_however_many_they_are",
    NeedsARow: "test_all_rows_are_answered_however_many_they_are",
    LeavesOutConstants: "test_constant_outputs_are_answered_whatever_the_rows",
    LabelsAreAscii: "test_labels_are_any_text_and_any_number_of_them",
    NeedsALabelForEach: "test_labels_are_any_text_and_any_number_of_them",
    AnswersLabelsAlone: "test_other_outputs_have_another_answer",
    NeedsABatchAxis: "test_outputs_of_every_kind_are_answered_or_refused",
    AnswerTypeWithALineBreak: "test_answers_can_be_sent",
    AnswerTypeInUpperCase: "test_answers_can_be_sent",
    HeaderWithALineBreak: "test_answers_can_be_sent",
    HeaderThatIsNotAscii: "test_answers_can_be_sent",
    HeaderOfTheServer: "test_answers_can_be_sent",
    HeaderOfTheModel: "test_answers_can_be_sent",
    AnswersABytearray: "test_answers_can_be_sent",
    AnswersOthersInAnotherType: (
        "test_a_request_that_another_codec_read_is_answered_as_its_own_would_be"
    ),
    AnswersOthersWithNothing: (
        "test_a_request_that_another_codec_read_is_answered_as_its_own_would_be"
    ),
    AnswersNoRowsOfOthersInAnotherType: (
        "test_a_request_that_another_codec_read_is_answered_as_its_own_would_be"
    ),
    TakesConstantsForRows: "test_a_constant_output_is_not_taken_for_rows",
    AnswersTheFirstOfAWhole: "test_outputs_without_a_batch_axis_are_answered_whole",
}

add_tests(globals(), RowsContract, "make_codec", WRONG)
