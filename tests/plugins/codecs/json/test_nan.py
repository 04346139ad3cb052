"""JSON: NaN as a missing value, for models that accept it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.json.requests import array, bind, refusal
from tests.plugins.codecs.versions import VK, signed, taking
from tfaas_core.errors import BadBody, TfaasError
from tfaas_core.route import Head
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.values.numbers import NAN_HINT

ACCEPTING = taking(nan="accept")
SPELLINGS = ["null", "NaN", '"NaN"', "-NaN"]


def same(got: Array, expected: Any) -> None:
    np.testing.assert_array_equal(got, np.array(expected, got.dtype), strict=True)


@pytest.mark.parametrize("spelt", SPELLINGS)
class TestAccepted:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_in_a_row_or_in_a_batch(self, spelt: str, dtype: str) -> None:
        version = taking(dtype, nan="accept")
        same(array(f'{{"values": [1.5, {spelt}]}}'.encode(), version), [[1.5, np.nan]])
        batch = f'{{"values": [[{spelt}, 1], [2, {spelt}], [3, 4]]}}'.encode()
        same(array(batch, version), [[np.nan, 1], [2, np.nan], [3, 4]])

    def test_in_a_row_of_any_shape(self, spelt: str) -> None:
        deep = taking(shape=(None, None, 1), nan="accept")
        same(array(f'{{"values": [[{spelt}], [1]]}}'.encode(), deep), [[[np.nan], [1]]])
        whole = taking(shape=(None,), batch=BatchAxis.NONE, nan="accept")
        same(array(f'{{"values": [{spelt}, 1]}}'.encode(), whole), [np.nan, 1])
        one = taking(shape=(None,), nan="accept")
        same(array(f'{{"values": [{spelt}, 1]}}'.encode(), one), [np.nan, 1])

    def test_in_long_rows_and_large_batches(self, spelt: str) -> None:
        version = taking(shape=(None, 50), nan="accept")
        rows: list[list[float]] = [[float(i)] * 50 for i in range(200)]
        rows[150][49] = float("nan")
        body = json.dumps({"values": rows}).replace("NaN", spelt).encode()
        same(array(body, version), rows)

    def test_in_either_part_of_a_complex_number(self, spelt: str) -> None:
        got = array(f'{{"values": [[1, {spelt}], [{spelt}, 2]]}}'.encode(), COMPLEX)
        same(got.view(np.float32), [[1, np.nan, np.nan, 2]])

    def test_in_one_of_several_inputs(self, spelt: str) -> None:
        specs = [TensorSpec("x", "float32", (None, 1)), TensorSpec("y", "float32", (None,))]
        version = model_version(specs, params={"nan": "accept"})
        bound = bind(f'{{"inputs": {{"x": [{spelt}], "y": {spelt}}}}}'.encode(), version)
        assert np.isnan(bound.arrays["x"]).all()
        assert np.isnan(bound.arrays["y"]).all()

    def test_but_not_for_integers_booleans_or_strings(self, spelt: str) -> None:
        for dtype in ("int32", "uint8", "bool", "string"):
            if dtype == "string" and spelt == '"NaN"':
                continue
            error = refusal(f'{{"values": [1, {spelt}]}}'.encode(), taking(dtype, nan="accept"))
            assert error.details["field"].startswith("values[")

    def test_but_not_for_a_row(self, spelt: str) -> None:
        error = refusal(f'{{"values": [[1, 2], {spelt}]}}'.encode(), ACCEPTING)
        assert error.details["field"] == "values[1]"

    def test_but_not_by_a_model_that_does_not_say_so(self, spelt: str) -> None:
        for version in (VK, taking(nan="refuse")):
            with pytest.raises(TfaasError) as caught:
                bind(f'{{"values": [1, {spelt}]}}'.encode(), version)
            assert caught.value.status == (400 if spelt in ("NaN", "-NaN") else 422)
            assert caught.value.message.endswith(NAN_HINT) or spelt == '"NaN"'


COMPLEX = taking("complex64", nan="accept")


class TestRefused:
    @pytest.mark.parametrize(
        "token", ["Infinity", "-Infinity", "nan", "NAN", "nul", "NaNs", "1NaN"]
    )
    def test_other_words_are_not_json(self, token: str) -> None:
        for body in (f'{{"values": [1, {token}]}}', f'{{"values": [NaN, {token}]}}'):
            with pytest.raises(BadBody, match="the body is not JSON: "):
                bind(body.encode(), ACCEPTING)

    @pytest.mark.parametrize("value", ["nan", "Infinity", "", True, [1], {}, 1e39])
    def test_other_values_are_named(self, value: Any) -> None:
        for missing in (0.5, None):
            error = refusal({"values": [missing, value]}, ACCEPTING)
            assert error.details["field"] == "values[1]"
            assert error.message.endswith(", or null for NaN")

    def test_what_else_is_wrong_is_told_at_its_place(self) -> None:
        for body, place in ((b'{"values": [NaN, 1}', 19), (b'{"values": [NaN, NaN, NaN, x]}', 28)):
            with pytest.raises(BadBody, match=f"line 1, column {place}$"):
                bind(body, ACCEPTING)
        with pytest.raises(TfaasError, match="line 1, column 18 is too large"):
            bind(b'{"values": [NaN, 1e999]}', ACCEPTING)

    def test_a_text_that_says_nan_is_a_text(self) -> None:
        texts = b'{"values": ["NaN", "a\\"NaN,"], "note": "NaN \\\\"}'
        assert array(texts, taking("string")).tolist() == [[b"NaN", b'a"NaN,']]
        body = b'{"note": ", NaN, \\" NaN", "values": [NaN, 1], "model": "NaN"}'
        same(array(body, ACCEPTING), [[np.nan, 1]])
        assert JsonCodec().parse(body, Head()).model == "NaN"

    def test_strings_without_an_end_are_read_in_time(self) -> None:
        with pytest.raises(BadBody):
            bind(b'{"values": [NaN, "' + b'\\"' * 1_000_000, ACCEPTING)

    def test_another_mistake_is_told_where_nan_is_accepted(self) -> None:
        body = b'{"values": [NaN, 1], "signature_name": "other"}'
        assert "signature" in refusal(body, signed(ACCEPTING, "mine")).message


def test_nan_is_answered_as_null() -> None:
    codec = JsonCodec()
    document = codec.parse(b'{"values": [NaN, 1]}', Head())
    bound = codec.bind(document, ACCEPTING)
    output = np.array([[np.nan]], np.float32)
    assert codec.encode({"y": output}, bound, document, ACCEPTING).body == b"[null]"
