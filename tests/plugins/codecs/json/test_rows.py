"""Values by JSON: rows, batches, and shapes that do not fit."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.json.requests import ROW_OF_2, array, bind, refusal
from tests.plugins.codecs.versions import f32, taking
from tfaas_core.errors import TfaasError
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis
from tfaas_core.testing.models import model_version
from tfaas_core.values.numbers import NAN_HINT


class TestRowsAndBatches:
    def test_one_row_gets_a_batch_axis(self) -> None:
        bound = bind({"values": [1, -2.5]})
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, -2.5]]), strict=True)

    def test_a_list_of_rows_is_a_batch(self) -> None:
        bound = bind({"values": [[1, 2], [3, 4], [5, 6]]})
        assert (bound.rows, bound.single) == (3, False)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, 2], [3, 4], [5, 6]]), strict=True)

    def test_a_list_of_one_row_is_a_batch_of_one(self) -> None:
        bound = bind({"values": [[1, 2]]})
        assert (bound.rows, bound.single) == (1, False)

    def test_a_batch_axis_of_one_takes_many_rows_all_the_same(self) -> None:
        version = taking(shape=(1, 2), batch=BatchAxis.ONE)
        assert bind({"values": [1, 2]}, version).single
        assert bind({"values": [[1, 2], [3, 4]]}, version).rows == 2

    @pytest.mark.parametrize("alias", ["values", "value"])
    def test_value_is_read_as_values(self, alias: str) -> None:
        assert array({alias: [1, 2]}).tolist() == [[1, 2]]

    def test_values_win_over_value(self) -> None:
        assert array({"value": [3, 4], "values": [1, 2]}).tolist() == [[1, 2]]
        assert array({"value": [3, 4], "values": None}).tolist() == [[3, 4]]

    @pytest.mark.parametrize("body", [b"{}", b'{"values": null}', b'{"valeus": [1, 2]}'])
    def test_missing_values_are_said_to_be_missing(self, body: bytes) -> None:
        error = refusal(body)
        assert error.message == "values is missing"
        assert error.details == {"field": "values", "model": "vk"}

    def test_fields_that_mean_nothing_here_are_ignored(self) -> None:
        assert array({"values": [1, 2], "labels": {"a": [True, None]}}).tolist() == [[1, 2]]

    def test_a_row_of_higher_rank_is_nested_as_its_shape(self) -> None:
        version = taking(shape=(None, 2, 3))
        row = [[1, 2, 3], [4, 5, 6]]
        assert bind({"values": row}, version).single
        assert array({"values": row}, version).tolist() == [row]
        assert not bind({"values": [row, row]}, version).single
        assert array({"values": [row, row]}, version).shape == (2, 2, 3)

    def test_a_row_that_is_one_number_needs_no_list(self) -> None:
        version = taking(shape=(None,))
        assert bind({"values": 3}, version).single
        assert array({"values": 3}, version).tolist() == [3]
        assert not bind({"values": [3]}, version).single
        assert array({"values": [3, 4]}, version).tolist() == [3, 4]

    def test_a_free_row_takes_any_length(self) -> None:
        version = taking(shape=(None, None))
        assert array({"values": []}, version).shape == (1, 0)
        assert array({"values": [1, 2, 3]}, version).shape == (1, 3)
        assert array({"values": [[1, 2, 3]] * 4}, version).shape == (4, 3)
        assert array({"values": [[], []]}, version).shape == (2, 0)

    @pytest.mark.parametrize(
        ("shape", "values"),
        [((), 3), ((2,), [1, 2]), ((None, 2), [[1, 2]]), ((2, 1, 1), [[[1]], [[2]]])],
    )
    def test_without_a_batch_axis_values_are_the_whole_tensor(
        self, shape: tuple[int | None, ...], values: Any
    ) -> None:
        version = taking(shape=shape, batch=BatchAxis.NONE)
        bound = bind({"values": values}, version)
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32(values), strict=True)

    @pytest.mark.parametrize("values", [3, [], [1, 2], [[1], [2]], [[[1, 2]]]])
    def test_without_a_batch_axis_an_unknown_rank_takes_any_regular_nesting(
        self, values: Any
    ) -> None:
        version = taking(shape=None, batch=BatchAxis.NONE)
        bound = bind({"values": values}, version)
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32(values), strict=True)

    @pytest.mark.parametrize(
        ("values", "shape", "single"),
        [
            (3, (1,), True),
            ([1, 2], (1, 2), True),
            ([[1, 2], [3, 4]], (2, 2), False),
            ([[[1]], [[2]], [[3]]], (3, 1, 1), False),
        ],
    )
    def test_with_a_batch_axis_an_unknown_rank_takes_lists_of_lists_as_a_batch(
        self, values: Any, shape: tuple[int, ...], single: bool
    ) -> None:
        bound = bind({"values": values}, taking(shape=None))
        assert bound.arrays["x"].shape == shape
        assert (bound.rows, bound.single) == (shape[0], single)

    def test_the_same_codec_serves_versions_that_differ(self) -> None:
        codec = JsonCodec()
        document = codec.parse(b'{"values": [1, 2]}', Head())
        for count in range(600):
            dtype = ("float32", "int64")[count % 2]
            version = taking(dtype)
            assert codec.bind(document, version).arrays["x"].dtype == dtype

    def test_versions_long_gone_are_forgotten(self) -> None:
        class Kept(dict[str, Any]):
            """A dict that can be watched."""

        codec = JsonCodec()
        document = codec.parse(b'{"values": [1, 2]}', Head())
        watched = []
        for _ in range(1000):
            params = Kept()
            params["op"] = "so that it is not empty"
            watched.append(weakref.ref(params))
            codec.bind(document, model_version(params=params))
        gc.collect()
        assert sum(kept() is not None for kept in watched) < 500


EIGHT = [1, 2.5, -3, 0, 5, 6, 7, 8]
ROW_2_BY_1 = "numbers in nested lists of shape [2, 1], or a list of those for a batch"


class TestShapesThatDoNotFit:
    def test_a_wrong_length_tells_both(self) -> None:
        error = refusal({"values": [0.5] * 41}, taking(shape=(None, 42)))
        assert error.message == "values has 41 numbers, model 'vk' takes 42"
        assert error.details == {"field": "values", "expected": 42, "got": 41, "model": "vk"}

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([1], "values has 1 number, model 'vk' takes 2"),
            ([[]], "values[0] has 0 numbers, model 'vk' takes 2"),
            ([[1, 2, 3]], "values[0] has 3 numbers, model 'vk' takes 2"),
            ([[1, 2], [3, 4], [5]], "values[2] has 1 number, model 'vk' takes 2"),
            ([[1, 2], 3], "values[1] is 3, model 'vk' takes a list here"),
            ([[1, 2], None], "values[1] is null, model 'vk' takes a list here"),
            ([[1, 2], "ab"], "values[1] is a string, model 'vk' takes a list here"),
            ([[1, 2], {"0": 1, "1": 2}], "values[1] is an object, model 'vk' takes a list here"),
            ([1, [2]], "values[1] is a list, model 'vk' takes numbers"),
            ([None, [1, 2], [3, 4]], f"values[0] is null, model 'vk' takes numbers{NAN_HINT}"),
            ([["a"]], "values[0][0] is a string, model 'vk' takes numbers"),
            ([[[1, 2]]], f"values is nested 3 deep, model 'vk' takes {ROW_OF_2}"),
            (3, f"values is 3, model 'vk' takes {ROW_OF_2}"),
            (False, f"values is false, model 'vk' takes {ROW_OF_2}"),
            ("1,2", f"values is a string, model 'vk' takes {ROW_OF_2}"),
            ({"a": 1, "b": 2}, f"values is an object, model 'vk' takes {ROW_OF_2}"),
        ],
    )
    def test_a_row_of_two(self, values: Any, message: str) -> None:
        assert refusal({"values": values}).message == message

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (EIGHT[1:], "values has 7 numbers, model 'vk' takes 8"),
            ([EIGHT, EIGHT[1:]], "values[1] has 7 numbers, model 'vk' takes 8"),
            ([[*EIGHT, 1], EIGHT[1:]], "values[0] has 9 numbers, model 'vk' takes 8"),
            ([EIGHT, 3], "values[1] is 3, model 'vk' takes a list here"),
            ([EIGHT, None], "values[1] is null, model 'vk' takes a list here"),
            ([EIGHT, True], "values[1] is true, model 'vk' takes a list here"),
            ([EIGHT, "12345678"], "values[1] is a string, model 'vk' takes a list here"),
            ([EIGHT, dict.fromkeys("12345678", 1)], "values[1] is an object, model 'vk' takes"),
            ([3, EIGHT], "values[1] is a list, model 'vk' takes numbers"),
            ([*EIGHT[1:], None], "values[7] is null, model 'vk' takes numbers"),
            ([*EIGHT[1:], True], "values[7] is true, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], "8"]], "values[1][7] is a string, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], False]], "values[1][7] is false, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], -1e39]], "values[1][7] is -1e+39, model 'vk' takes numbers"),
            ([[EIGHT]], "values is nested 3 deep, model 'vk' takes a list of 8 numbers"),
        ],
    )
    def test_a_row_of_eight(self, values: Any, message: str) -> None:
        error = refusal({"values": values}, taking(shape=(None, 8)))
        assert error.message.startswith(message)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([[]], "values has 1 list, model 'vk' takes 2"),
            ([1, 2], f"values is nested 1 deep, model 'vk' takes {ROW_2_BY_1}"),
            ([[1]], "values has 1 list, model 'vk' takes 2"),
            ([[1], [2], [3]], "values has 3 lists, model 'vk' takes 2"),
            ([[1], [2, 3]], "values[1] has 2 numbers, model 'vk' takes 1"),
            ([[[1], [2]], [[3]]], "values[1] has 1 list, model 'vk' takes 2"),
            ([[[1], [2]], [[3], []]], "values[1][1] has 0 numbers, model 'vk' takes 1"),
            ([[[1], [2]], [[3], [[4]]]], "values[1][1][0] is a list, model 'vk' takes numbers"),
        ],
    )
    def test_a_row_of_higher_rank(self, values: Any, message: str) -> None:
        assert refusal({"values": values}, taking(shape=(None, 2, 1))).message == message

    @pytest.mark.parametrize(
        ("shape", "values", "message"),
        [
            ((None, None), [[1, 2], [3]], "values[1] has 1 number, values[0] has 2"),
            ((None, None), [[1], [2, 3]], "values[1] has 2 numbers, values[0] has 1"),
            ((None, None, None), [[1, 2], [3]], "values[1] has 1 number, values[0] has 2"),
            (None, [[1, 2], [3]], "values[1] has 1 number, values[0] has 2"),
            (None, [[[1]], [[2], [3]]], "values[1] has 2 lists, values[0] has 1"),
            (None, [[1], 2], "values[1] is 2, model 'vk' takes a list here"),
        ],
    )
    def test_ragged_lists_tell_both_lengths(
        self, shape: tuple[int | None, ...] | None, values: Any, message: str
    ) -> None:
        assert refusal({"values": values}, taking(shape=shape)).message == message

    def test_a_model_without_a_batch_axis_takes_no_list_of_tensors(self) -> None:
        version = taking(shape=(2,), batch=BatchAxis.NONE)
        error = refusal({"values": [[1, 2]]}, version)
        assert error.message == "values is nested 2 deep, model 'vk' takes a list of 2 numbers"

    def test_nesting_to_the_parsers_limit_is_refused_in_words(self) -> None:
        for shape in ((None, 2), None):
            body = b'{"values": ' + b"[" * 1000 + b"]" * 1000 + b"}"
            with pytest.raises(TfaasError) as caught:
                bind(body, taking(shape=shape))
            assert caught.value.status == 422
