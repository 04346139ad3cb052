"""Codecs that read requests wrongly, each with the test of the suite that must fail."""

from __future__ import annotations

import numpy as np

from tests.core.testing.outcomes import add_tests
from tests.core.testing.rows_codec import RowsCodec, RowsContract, RowsDocument
from tfaas_core.errors import BadBody, DoesNotFit, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound


class NamedInUpperCase(RowsCodec):
    name = "Rows"


class MediaTypeInUpperCase(RowsCodec):
    media_types = ("Text/Rows",)
    answer_types = ("text/rows",)


class MediaTypeWithALineBreak(RowsCodec):
    media_types = ("text/rows\n",)
    answer_types = ("text/rows",)


class AnswerTypeWithParameters(RowsCodec):
    answer_types = ("text/rows; charset=utf-8",)


class TakesAnyNan(RowsCodec):
    def numbers(self, rows: list[list[str]], version: ModelVersion) -> Array:
        return np.nan_to_num(_floats(rows), nan=np.nan, posinf=1e30, neginf=-1e30).astype("f4")


class TakesNoNan(RowsCodec):
    def numbers(self, rows: list[list[str]], version: ModelVersion) -> Array:
        array = super().numbers(rows, version)
        if np.isnan(array).any():
            raise DoesNotFit("a cell is NaN")
        return array


class RefusesNoRows(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        if not document.rows:
            raise DoesNotFit("there are no rows")
        return super().bind(document, version)


class HasNoRowsMerged(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        bound = super().bind(document, version)
        return Bound(bound.arrays, bound.rows, bound.single)


class CallsEachBatchARow(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        bound = super().bind(document, version)
        return Bound(bound.arrays, bound.rows, True, bound.whole)


class WrapsIntegersAround(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        (spec, *_), numbers = version.signature.inputs, _floats(document.rows)
        if spec.dtype != "uint8":
            return super().bind(document, version)
        return Bound({spec.name: numbers.astype(int).astype(np.uint8)}, len(numbers), False)


class KnowsTheColumnsOfAll(RowsCodec):
    def bind(self, document: RowsDocument, version: ModelVersion) -> Bound:
        _rows, _columns = version.signature.inputs[0].shape or ()
        return super().bind(document, version)


class BindsColumnByColumn(RowsCodec):
    def numbers(self, rows: list[list[str]], version: ModelVersion) -> Array:
        return np.asfortranarray(np.tile(super().numbers(rows, version), (2, 1)))[: len(rows)]


class RaisesWhatPythonRaises(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        body.decode()
        return super().parse(body, head)


class CallsItABug(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        if b"\x00" in body:
            raise TfaasError("the body has a zero byte")
        return super().parse(body, head)


class QuotesTheBody(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        if len(body.splitlines()) > 3:
            raise BadBody(f"too many lines: {body.decode(errors='replace')}")
        return super().parse(body, head)


class NamesNoModelByAnEmptyName(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        document = super().parse(body, head)
        document.model = document.model or ""
        return document


class NeedsAContentType(RowsCodec):
    def parse(self, body: bytes, head: Head) -> RowsDocument:
        if head.content_type:
            _, _ = head.content_type.split("/")
        return super().parse(body, head)


def _floats(rows: list[list[str]]) -> Array:
    try:
        return np.array(rows, np.float64)
    except ValueError:
        raise DoesNotFit("a cell is not a number") from None


WRONG: dict[type, str] = {
    NamedInUpperCase: "test_the_name_can_be_the_last_part_of_a_path",
    MediaTypeInUpperCase: "test_media_types_are_lower_case_and_without_parameters",
    MediaTypeWithALineBreak: "test_media_types_are_lower_case_and_without_parameters",
    AnswerTypeWithParameters: "test_the_types_of_answers_are_media_types",
    TakesAnyNan: "test_nan_is_taken_only_where_the_params_accept_it",
    TakesNoNan: "test_a_request_is_bound_to_the_arrays_that_it_spells",
    RefusesNoRows: "test_a_request_is_bound_to_the_arrays_that_it_spells",
    HasNoRowsMerged: "test_a_request_is_bound_to_the_arrays_that_it_spells",
    CallsEachBatchARow: "test_a_request_is_bound_to_the_arrays_that_it_spells",
    WrapsIntegersAround: "test_no_number_becomes_another_one",
    KnowsTheColumnsOfAll: "test_a_body_for_another_model_is_the_clients_error_or_fits",
    BindsColumnByColumn: "test_bound_arrays_conform_to_the_signature",
    RaisesWhatPythonRaises: "test_a_damaged_body_is_the_clients_error_or_fits",
    CallsItABug: "test_a_damaged_body_is_the_clients_error_or_fits",
    QuotesTheBody: "test_a_damaged_body_is_the_clients_error_or_fits",
    NamesNoModelByAnEmptyName: "test_what_a_request_names_is_of_its_type",
    NeedsAContentType: "test_an_odd_content_type_is_the_clients_error_or_ignored",
}


class TestRight(RowsContract):
    """The right one."""


add_tests(globals(), RowsContract, "make_codec", WRONG)
