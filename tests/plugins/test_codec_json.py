from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from tfaas_plugins.codec_json import JsonCodec, tfaas_register_codecs

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit, TfaasError
from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version


def taking(
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 2),
    batch: BatchAxis = BatchAxis.FREE,
    **params: Any,
) -> ModelVersion:
    size = None if shape is None else tuple(shape)
    return model_version([TensorSpec("x", dtype, size)], batch=batch, params=params)


def giving(*outputs: TensorSpec, batch: BatchAxis = BatchAxis.FREE) -> ModelVersion:
    return model_version(outputs=outputs, batch=batch)


VK = taking()
VK_3 = taking(features=["a", "b", "c"], shape=(None, 3))
TWO_INPUTS = model_version(
    [TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "float32", (None, 1))]
)


def bind(body: bytes | dict[str, Any], version: ModelVersion = VK) -> Bound:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    codec = JsonCodec()
    bound = codec.bind(codec.parse(body, "application/json"), version)
    conform(version.signature, bound)
    return bound


def array(body: bytes | dict[str, Any], version: ModelVersion = VK) -> Array:
    (only,) = bind(body, version).arrays.values()
    return only


def refusal(body: bytes | dict[str, Any], version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(body, version)
    assert caught.value.status == 422
    json.dumps(caught.value.document())
    return caught.value


def answer(version: ModelVersion, single: bool, *outputs: Array) -> bytes:
    codec = JsonCodec()
    bound = Bound({}, 1 if single else 2, single)
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    encoded = codec.encode(named, bound, codec.parse(b'{"values": []}', ""), version)
    assert encoded.media_type == "application/json"
    return encoded.body


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


SEND = "send the number of a version: an integer from 1 to 2147483647"


class TestContract(CodecContract):
    make_codec = JsonCodec
    samples: ClassVar[list[Sample]] = [
        Sample(
            b'{"keys": ["attr1", "attr2"], "values": [1.0, -2.0], "model": "vk"}',
            VK,
            Bound({"x": f32([[1, -2]])}, 1, True),
            {"y": f32([[0.7310586]])},
            b"[0.7310586]",
        ),
        Sample(
            b'{"values": [[1, 2], [3, 4], [5, 6]]}',
            VK,
            Bound({"x": f32([[1, 2], [3, 4], [5, 6]])}, 3, False),
            {"y": f32([[0.1], [np.nan], [-np.inf]])},
            b"[[0.1],[null],[null]]",
            content_type="application/json; charset=utf-8",
        ),
        Sample(
            b'{"keys": ["c", "a", "b"], "values": [3, 1, 2]}',
            VK_3,
            Bound({"x": f32([[1, 2, 3]])}, 1, True),
            {"y": f32([[1]])},
            b"[1.0]",
        ),
        Sample(
            b'{"inputs": {"y": [[5], [6]], "x:0": [[1, 2], [3, 4]]}}',
            TWO_INPUTS,
            Bound({"x": f32([[1, 2], [3, 4]]), "y": f32([[5], [6]])}, 2, False),
            {"y": f32([[1], [2]])},
            b"[[1.0],[2.0]]",
        ),
        Sample(
            b'{"values": [true, false]}',
            taking("bool"),
            Bound({"x": np.array([[True, False]])}, 1, True),
            {"y": f32([[1]])},
            b"[1.0]",
        ),
        Sample(
            b'{"values": ["caf\\u00e9", {"b64": "/w=="}]}',
            taking("string", (None,), BatchAxis.NONE),
            Bound({"x": np.array(["café".encode(), b"\xff"], object)}, 1, True),
            {"y": f32([[1]])},
            b"[[1.0]]",
        ),
    ]


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "json"
    assert codec.media_types == ("application/json",)


class TestParse:
    @pytest.mark.parametrize(
        ("body", "model"),
        [
            (b'{"model": "vk"}', "vk"),
            (b'{"name": "vk"}', "vk"),
            (b'{"model": "vk", "name": "other"}', "vk"),
            (b'{"model": null, "name": "vk"}', "vk"),
            (b'{"model": "", "name": "vk"}', "vk"),
            (b'{"model": ""}', None),
            (b'{"model": null}', None),
            (b"{}", None),
            (b' \r\n\t{"model": "\\u0076k", "more": [{}]} ', "vk"),
            (b'\xef\xbb\xbf{"model": "vk"}', "vk"),
        ],
    )
    def test_the_model_is_read_from_model_or_else_name(
        self, body: bytes, model: str | None
    ) -> None:
        assert JsonCodec().parse(body, "").model == model

    @pytest.mark.parametrize(
        ("body", "version", "label"),
        [
            (b"{}", None, None),
            (b'{"version": 3}', 3, None),
            (b'{"version": null, "label": null}', None, None),
            (b'{"label": "canary"}', None, "canary"),
            (b'{"label": "", "version": 2147483647}', 2147483647, None),
            (b'{"label": "fu", "values": [1, true]}', None, "fu"),
            (b'{"versions": 3, "Version": 4, "labels": [], "tag": "x"}', None, None),
        ],
    )
    def test_the_version_is_read_as_a_number_or_a_label(
        self, body: bytes, version: int | None, label: str | None
    ) -> None:
        document = JsonCodec().parse(body, "")
        assert (document.version, document.label) == (version, label)

    @pytest.mark.parametrize("label", ["fu", "tfaas", "unused", "\\u0075"])
    def test_a_label_hides_no_boolean_among_the_values(self, label: str) -> None:
        for token in ("true", "false"):
            error = refusal(f'{{"label": "{label}", "values": [1, {token}]}}'.encode())
            assert token in error.message

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" \n",
            b"{",
            b'{"values": [1, 2]',
            b'{"values": [1,]}',
            b'{"values": [01]}',
            b'{"values": [.5]}',
            b'{"values": [+1]}',
            b'{"values": [nan]}',
            b'{"values": [1, 2]} x',
            b"{'values': [1]}",
            b'{"x": "\xff"}',
            b'{"\xff": 1}',
            b'{"x": "\\ud800"}',
            b'{"x": "\x01"}',
            b'{"values": [1e999}',
            b'{"values": [1E309.0]}',
            b'{"values": [1e999' + b"," + b"[" * 100_000,
            b"\x00",
            b"values=1,2",
            '{"values": [1]}'.encode("utf-16"),
            b"[" * 100_000,
            b'{"values": ' + b"[" * 100_000,
            b'{"values": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"a":' * 100_000,
        ],
    )
    def test_what_is_not_json_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody, match=r"^the body is (not JSON: .+|empty, .+)$"):
            JsonCodec().parse(body, "")

    @pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "-NaN"])
    def test_bare_nan_and_infinity_are_a_bad_body(self, token: str) -> None:
        body = f'{{"né": "é",\n"values": [1, {token}]}}'.encode()
        with pytest.raises(BadBody, match=r"NaN or Infinity at line 2, column 1[56], "):
            JsonCodec().parse(body, "")

    def test_bad_json_is_located(self) -> None:
        with pytest.raises(BadBody, match="line 2, column 3"):
            JsonCodec().parse(b"{\n  x: 1}", "")
        with pytest.raises(BadBody, match="byte 7 is not UTF-8"):
            JsonCodec().parse(b'{"x": "\xff"}', "")

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"[1, 2]", "the body is a list, send a JSON object"),
            (b"3", "the body is 3, send a JSON object"),
            (b'"x"', "the body is a string, send a JSON object"),
            (b"null", "the body is null, send a JSON object"),
            (b'{"model": 3}', "model is 3, send a model's name as a string"),
            (b'{"model": 0}', "model is 0, send a model's name as a string"),
            (b'{"model": false}', "model is false, send a model's name as a string"),
            (b'{"name": ["vk"]}', "name is a list, send a model's name as a string"),
            (b'{"label": 3}', "label is 3, send a label of the model as a string"),
            (b'{"label": false}', "label is false, send a label of the model as a string"),
            (b'{"version": "3"}', f"version is '3', {SEND}"),
            (b'{"version": ""}', f"version is '', {SEND}"),
            (b'{"version": 0}', f"version is 0, {SEND}"),
            (b'{"version": 3.0}', f"version is 3.0, {SEND}"),
            (b'{"version": true}', f"version is true, {SEND}"),
            (b'{"version": 2147483648}', f"version is 2147483648, {SEND}"),
            (b'{"version": 99999999999999999999}', f"version is 1e+20, {SEND}"),
            (b'{"version": [3]}', f"version is no number, {SEND}"),
            (b'{"keys": 3}', "keys is 3, send a list of strings"),
            (b'{"key": {"a": 1}}', "keys is an object, send a list of strings"),
            (b'{"keys": "ab"}', "keys is a string, send a list of strings"),
            (b'{"keys": ["a", 1]}', "keys[1] is 1, send a string"),
            (b'{"keys": ["a", "b", null]}', "keys[2] is null, send a string"),
            (b'{"inputs": [1]}', "inputs is a list, send an object with a value for each input"),
            (b'{"inputs": 0}', "inputs is 0, send an object with a value for each input"),
            (
                b'{"values": [1], "inputs": {"x": [1]}}',
                "both values and inputs are sent, send one of them",
            ),
            (
                b'{"value": [1], "inputs": {}}',
                "both values and inputs are sent, send one of them",
            ),
        ],
    )
    def test_fields_of_a_wrong_type_do_not_fit(self, body: bytes, message: str) -> None:
        assert refusal(body).message == message

    @pytest.mark.parametrize("number", ["1e999", "-1e400", "9" * 400, "-" + "9" * 5000])
    def test_numbers_beyond_every_float_do_not_fit(self, number: str) -> None:
        error = refusal(f'{{"values": [1, {number}]}}'.encode())
        assert error.message == "the number at line 1, column 16 is too large for any model"


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

    @pytest.mark.parametrize("body", [b"{}", b'{"values": null}', b'{"Values": [1, 2]}'])
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
        document = codec.parse(b'{"values": [1, 2]}', "")
        for count in range(600):
            dtype = ("float32", "int64")[count % 2]
            version = taking(dtype)
            assert codec.bind(document, version).arrays["x"].dtype == dtype

    def test_versions_long_gone_are_forgotten(self) -> None:
        class Kept(dict[str, Any]):
            """A dict that can be watched."""

        codec = JsonCodec()
        document = codec.parse(b'{"values": [1, 2]}', "")
        watched = []
        for _ in range(1000):
            params = Kept()
            params["op"] = "so that it is not empty"
            watched.append(weakref.ref(params))
            codec.bind(document, model_version(params=params))
        gc.collect()
        assert sum(kept() is not None for kept in watched) < 500


ROW_OF_2 = "a list of 2 numbers, or a list of such lists for a batch"
ROW_2_BY_1 = "numbers in nested lists of shape [2, 1], or a list of those for a batch"


class TestShapesThatDoNotFit:
    def test_a_wrong_length_tells_both(self) -> None:
        error = refusal({"values": [0.5] * 41}, taking(shape=(None, 42)))
        assert error.message == "values has 41 numbers, model 'vk' takes 42"
        assert error.details == {"field": "values", "expected": 42, "got": 41, "model": "vk"}

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([], "values has 0 numbers, model 'vk' takes 2"),
            ([1], "values has 1 number, model 'vk' takes 2"),
            ([[]], "values[0] has 0 numbers, model 'vk' takes 2"),
            ([[1, 2, 3]], "values[0] has 3 numbers, model 'vk' takes 2"),
            ([[1, 2], [3, 4], [5]], "values[2] has 1 number, model 'vk' takes 2"),
            ([[1, 2], 3], "values[1] is 3, model 'vk' takes a list here"),
            ([[1, 2], None], "values[1] is null, model 'vk' takes a list here"),
            ([[1, 2], "ab"], "values[1] is a string, model 'vk' takes a list here"),
            ([[1, 2], {"0": 1, "1": 2}], "values[1] is an object, model 'vk' takes a list here"),
            ([1, [2]], "values[1] is a list, model 'vk' takes numbers"),
            ([None, [1, 2], [3, 4]], "values[0] is null, model 'vk' takes numbers"),
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
            ([], f"values is empty, model 'vk' takes {ROW_2_BY_1}"),
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

    def test_a_batch_has_at_least_one_row(self) -> None:
        error = refusal({"values": []}, taking(shape=(None,)))
        assert error.message == (
            "values is empty, model 'vk' takes 1 number, or a list of numbers for a batch"
        )

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


INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


class TestDtypes:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_take_integers_too(self, dtype: str) -> None:
        got = array({"values": [3, -0.5]}, taking(dtype))
        np.testing.assert_array_equal(got, np.array([[3, -0.5]], dtype), strict=True)

    @pytest.mark.parametrize(
        ("dtype", "number"),
        [("float16", 65504), ("float32", 3.4028234663852886e38), ("float64", 1.7e308)],
    )
    def test_floats_take_their_largest_number(self, dtype: str, number: float) -> None:
        assert array({"values": [number, -number]}, taking(dtype)).tolist() == [[number, -number]]

    @pytest.mark.parametrize(
        ("dtype", "number", "shown"),
        [
            ("float16", "70000", "70000, model 'vk' takes numbers from -65504 to 65504"),
            ("float16", "65520.0", "65520.0, model 'vk' takes numbers from -65504 to 65504"),
            (
                "float32",
                "1e39",
                "1e+39, model 'vk' takes numbers from -3.4028235e+38 to 3.4028235e+38",
            ),
            (
                "float32",
                "-3.4028235677973366e38",
                "-3.4028235677973366e+38, model 'vk' takes numbers "
                "from -3.4028235e+38 to 3.4028235e+38",
            ),
        ],
    )
    def test_numbers_beyond_the_float_are_named(self, dtype: str, number: str, shown: str) -> None:
        body = f'{{"values": [[0, 0], [1, {number}]]}}'.encode()
        error = refusal(body, taking(dtype))
        assert error.message == f"values[1][1] is {shown}"
        assert error.details["field"] == "values[1][1]"

    def test_numbers_too_small_for_the_float_are_zero(self) -> None:
        assert array(b'{"values": [1e-60, -1e-999]}').tolist() == [[0, 0]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_all_their_range(self, dtype: str) -> None:
        least, most = INTEGERS[dtype]
        got = array({"values": [least, most]}, taking(dtype))
        assert got.dtype == dtype
        assert got.tolist() == [[least, most]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    @pytest.mark.parametrize("beyond", [-1, 1])
    def test_integers_refuse_what_is_beyond(self, dtype: str, beyond: int) -> None:
        least, most = INTEGERS[dtype]
        number = most + 1 if beyond > 0 else least - 1
        message = refusal({"values": [0, number]}, taking(dtype)).message
        shown = repr(number if -(2**63) <= number < 2**64 else float(number))
        assert message == (
            f"values[1] is {shown}, model 'vk' takes integers from {least} to {most}"
        )

    @pytest.mark.parametrize("number", ["1.0", "1.5", "1e2", "-0.0"])
    def test_integers_refuse_floats(self, number: str) -> None:
        body = f'{{"values": [1, {number}]}}'.encode()
        assert "values[1] is " in refusal(body, taking("int32")).message

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint64", "bool"])
    @pytest.mark.parametrize(
        ("value", "shown"), [(None, "null"), ("1", "a string"), ([1], "a list"), ({}, "an object")]
    )
    def test_what_is_no_number_is_named(self, dtype: str, value: Any, shown: str) -> None:
        good = dtype == "bool" or 1
        noun = {"b": "booleans", "f": "numbers"}.get(np.dtype(dtype).kind, "integers")
        error = refusal({"values": [[good, good], [good, value]]}, taking(dtype))
        assert error.message == f"values[1][1] is {shown}, model 'vk' takes {noun}"
        assert error.details == {
            "field": "values[1][1]",
            "expected": noun,
            "got": shown,
            "model": "vk",
        }

    @pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8"])
    @pytest.mark.parametrize("value", [True, False])
    @pytest.mark.parametrize("field", ["values", "value", "val\\u0075es"])
    def test_numbers_refuse_booleans(self, dtype: str, value: bool, field: str) -> None:
        body = f'{{"{field}": [0, {json.dumps(value)}]}}'.encode()
        assert refusal(body, taking(dtype)).message.startswith(
            f"values[1] is {json.dumps(value)}, model 'vk' takes "
        )
        body = f'{{"inputs": {{"x": [0, {json.dumps(value)}]}}}}'.encode()
        assert refusal(body, taking(dtype)).details["field"] == "inputs.x[1]"

    @pytest.mark.parametrize("value", ["true", "false"])
    @pytest.mark.parametrize(
        "rest",
        [
            '"keys": ["mu", "\\u0066\\u0075"]',
            '"keys": ["f", "u"], "keys": ["a", "b"]',
            '"model": "fu\\u0066\\u0075"',
            '"fu": "fufufu"',
            '"\\u0066\\u0075": 0',
            '"name": "fu", "model": "\\u0075\\u0066"',
        ],
    )
    def test_no_other_field_hides_a_boolean(self, value: str, rest: str) -> None:
        body = f'{{"values": [0, {value}], {rest}}}'.encode()
        assert refusal(body).details["field"] == "values[1]"

    def test_booleans_are_true_and_false_only(self) -> None:
        got = array({"values": [[True, False], [False, True]]}, taking("bool"))
        np.testing.assert_array_equal(got, [[True, False], [False, True]], strict=True)
        message = refusal({"values": [True, 1]}, taking("bool")).message
        assert message == "values[1] is 1, model 'vk' takes booleans"

    def test_strings_are_utf8_or_bytes_in_base64(self) -> None:
        got = array({"values": [["é\0", ""], [{"b64": "AP8="}, "x"]]}, taking("string"))
        assert got.dtype == object
        assert got.tolist() == [["é\0".encode(), b""], [b"\x00\xff", b"x"]]

    @pytest.mark.parametrize("value", ["abc", {"b64": "AP8="}])
    def test_one_string_a_row(self, value: Any) -> None:
        assert array({"values": value}, taking("string", (None,))).shape == (1,)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            1,
            True,
            {},
            {"b64": 1},
            {"b64": "a"},
            {"b64": "A*P8="},
            {"b64": "é"},
            {"b64": "", "x": 1},
        ],
    )
    def test_what_is_no_string_is_named(self, value: Any) -> None:
        message = refusal({"values": ["a", value]}, taking("string")).message
        assert message.startswith("values[1] is ")
        assert message.endswith('model \'vk\' takes strings, or bytes as {"b64": "..."} in base64')

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_complex_numbers_are_pairs(self, dtype: str) -> None:
        row = np.array([[1 + 2j, -3.5j]], dtype)
        np.testing.assert_array_equal(
            array({"values": [[1, 2], [0, -3.5]]}, taking(dtype)), row, strict=True
        )
        batch = bind({"values": [[[1, 2], [0, -3.5]]] * 3}, taking(dtype))
        assert (batch.rows, batch.single) == (3, False)
        whole = taking(dtype, None, BatchAxis.NONE)
        assert array({"values": [1, 2]}, whole) == np.array(1 + 2j, dtype)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                [1, 2],
                "values is nested 1 deep, model 'vk' takes a list of 2 [re, im] pairs, "
                "or a list of such lists for a batch",
            ),
            ([[1, 2]], "values has 1 [re, im] pair, model 'vk' takes 2"),
            ([[1, 2], [3]], "values[1] has 1 number, model 'vk' takes 2"),
            ([[1, 2], [3, None]], "values[1][1] is null, model 'vk' takes numbers"),
            ([[1, 2], 3], "values[1] is 3, model 'vk' takes a list here"),
        ],
    )
    def test_what_is_no_pair_is_named(self, values: Any, message: str) -> None:
        assert refusal({"values": values}, taking("complex64")).message == message

    def test_a_fault_late_in_a_large_batch_is_found(self) -> None:
        rows: list[list[Any]] = [[float(i), i] for i in range(20_000)]
        rows[17_777][1] = None
        assert refusal({"values": rows}).details["field"] == "values[17777][1]"


class TestKeys:
    def test_without_features_the_order_sent_is_used(self) -> None:
        assert array({"keys": ["b", "a"], "values": [1, 2]}).tolist() == [[1, 2]]

    @pytest.mark.parametrize("alias", ["keys", "key"])
    def test_with_features_values_are_put_into_their_order(self, alias: str) -> None:
        row = {alias: ["c", "a", "b"], "values": [3, 1, 2]}
        assert array(row, VK_3).tolist() == [[1, 2, 3]]
        batch = {alias: ["b", "a", "c"], "values": [[2, 1, 3], [5, 4, 6]]}
        assert array(batch, VK_3).tolist() == [[1, 2, 3], [4, 5, 6]]

    def test_reordered_columns_are_contiguous(self) -> None:
        rows = {"keys": ["c", "a", "b"], "values": [[3, 1, 2]] * 5}
        assert array(rows, VK_3).flags.c_contiguous

    def test_keys_in_the_order_of_features_change_nothing(self) -> None:
        row = {"keys": ["a", "b", "c"], "values": [1, 2, 3]}
        assert array(row, VK_3).tolist() == [[1, 2, 3]]

    @pytest.mark.parametrize("keys", [None, "absent"])
    def test_with_features_but_no_keys_the_order_sent_is_used(self, keys: Any) -> None:
        body = {"values": [3, 1, 2]} | ({} if keys else {"keys": None})
        assert array(body, VK_3).tolist() == [[3, 1, 2]]

    def test_features_order_a_whole_tensor_of_one_axis_too(self) -> None:
        version = taking(shape=(2,), batch=BatchAxis.NONE, features=["a", "b"])
        assert array({"keys": ["b", "a"], "values": [2, 1]}, version).tolist() == [1, 2]

    def test_features_order_a_row_of_unknown_rank(self) -> None:
        version = taking(shape=None, features=["a", "b"])
        assert array({"keys": ["b", "a"], "values": [2, 1]}, version).tolist() == [[1, 2]]

    def test_keys_say_nothing_of_a_row_of_higher_rank(self) -> None:
        version = taking(shape=(None, 2, 1), features=["a", "b"])
        body = {"keys": ["q"], "values": [[1], [2]]}
        assert array(body, version).tolist() == [[[1], [2]]]

    @pytest.mark.parametrize(
        ("keys", "values", "fault"),
        [
            (["a", "b"], [1, 2], "key 'c' is missing"),
            (["a", "b", "d"], [1, 2, 3], "key 'c' is missing"),
            (["a", "b", "c", "d"], [1, 2, 3, 4], "key 'd' is unknown"),
            (["a", "b", "a"], [1, 2, 3], "key 'a' is sent twice"),
            (["a", "b", "c", "b"], [1, 2, 3, 4], "key 'b' is sent twice"),
            ([], [1, 2, 3], "key 'a' is missing"),
            (["A", "b", "c"], [1, 2, 3], "key 'a' is missing"),
        ],
    )
    def test_with_features_a_wrong_key_is_named(
        self, keys: list[str], values: list[int], fault: str
    ) -> None:
        error = refusal({"keys": keys, "values": values}, VK_3)
        assert error.message == f"{fault}, model 'vk' takes each of its features once"
        assert error.details["field"] == "keys"
        assert error.details["expected"] == ["a", "b", "c"]

    @pytest.mark.parametrize(("keys", "columns"), [(["a"], 2), (["a", "b", "c"], 2), ([], 2)])
    @pytest.mark.parametrize("batch", [False, True])
    def test_keys_are_as_many_as_columns(self, keys: list[str], columns: int, batch: bool) -> None:
        row = [0] * columns
        error = refusal({"keys": keys, "values": [row, row] if batch else row})
        assert error.message == f"keys names {len(keys)} columns, values has {columns}"
        assert (error.details["expected"], error.details["got"]) == (columns, len(keys))

    def test_features_that_are_not_the_models_columns_are_told(self) -> None:
        version = taking(features=["a", "b", "c"])
        error = refusal({"keys": ["c", "b", "a"], "values": [1, 2]}, version)
        assert error.message == "keys names 3 columns, values has 2"

    def test_a_wrong_length_is_told_before_the_number_of_keys(self) -> None:
        error = refusal({"keys": ["a"], "values": [1]})
        assert error.message == "values has 1 number, model 'vk' takes 2"


class TestInputs:
    @pytest.mark.parametrize("suffix", ["", ":0"])
    @pytest.mark.parametrize("stored", ["", ":0"])
    def test_each_input_is_found_with_and_without_its_port(self, suffix: str, stored: str) -> None:
        version = model_version([TensorSpec(f"x{stored}", "int32", (None, 1))])
        bound = bind({"inputs": {f"x{suffix}": [1]}}, version)
        assert bound.arrays.keys() == {f"x{stored}"}
        assert bound.single

    def test_inputs_are_rows_together(self) -> None:
        bound = bind({"inputs": {"x": [1, 2], "y": [3]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["x"].tolist() == [[1, 2]]
        assert bound.arrays["y"].tolist() == [[3]]

    def test_inputs_are_batches_together(self) -> None:
        bound = bind({"inputs": {"y": [[3], [4]], "x": [[1, 2], [5, 6]]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (2, False)

    def test_without_a_batch_axis_inputs_have_sizes_of_their_own(self) -> None:
        specs = [TensorSpec("x", "float32", (None,)), TensorSpec("on", "bool", ())]
        version = model_version(specs, batch=BatchAxis.NONE)
        bound = bind({"inputs": {"x": [1, 2, 3], "on": False}}, version)
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["on"].shape == ()

    def test_keys_are_no_matter_for_inputs(self) -> None:
        assert array({"inputs": {"x": [1, 2, 3]}, "keys": ["z"]}, VK_3).tolist() == [[1, 2, 3]]

    def test_null_inputs_are_as_none(self) -> None:
        assert array({"inputs": None, "values": [1, 2]}).tolist() == [[1, 2]]

    @pytest.mark.parametrize("body", [{"values": [1, 2]}, {}])
    def test_a_model_of_several_inputs_asks_for_them(self, body: dict[str, Any]) -> None:
        error = refusal(body, TWO_INPUTS)
        assert error.message == (
            'model \'vk\' takes several inputs, send "inputs": {"x": ..., "y": ...}'
        )
        assert error.details == {"field": "inputs", "expected": ["x", "y"], "model": "vk"}

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({"x": [1, 2]}, "input 'y' is missing, model 'vk' takes 'x', 'y'"),
            ({}, "input 'x' is missing, model 'vk' takes 'x', 'y'"),
            (
                {"x": [1, 2], "y": [1], "z": [1]},
                "input 'z' is unknown, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "y:1": [1]},
                "input 'y:1' is unknown, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "x:0": [1, 2], "y": [1]},
                "input 'x:0' is sent twice, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "y": [[1]]},
                "inputs.x is one row, inputs.y is a batch of 1 row; every input takes as many rows",
            ),
            (
                {"x": [[1, 2]], "y": [[1], [2]]},
                "inputs.x is a batch of 1 row, inputs.y is a batch of 2 rows; "
                "every input takes as many rows",
            ),
            ({"x": [1, 2], "y": [None]}, "inputs.y[0] is null, model 'vk' takes numbers"),
            ({"x": [1, 2], "y": [1, 2]}, "inputs.y has 2 numbers, model 'vk' takes 1"),
            (
                {"x": None, "y": [1]},
                f"inputs.x is null, model 'vk' takes {ROW_OF_2}",
            ),
        ],
    )
    def test_inputs_that_do_not_fit_are_named(self, inputs: dict[str, Any], message: str) -> None:
        assert refusal({"inputs": inputs}, TWO_INPUTS).message == message


def spec(shape: tuple[int | None, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("y", dtype, shape)


class TestEncode:
    def test_the_documented_answer_to_the_byte(self) -> None:
        assert answer(giving(spec((None, 1))), True, f32([[0.7310586]])) == b"[0.7310586]"

    def test_a_batch_is_answered_by_a_list_of_lists(self) -> None:
        got = answer(giving(spec((None, 2))), False, f32([[1, 2], [0.1, -0.5]]))
        assert got == b"[[1.0,2.0],[0.1,-0.5]]"

    def test_a_batch_of_one_is_answered_as_a_batch(self) -> None:
        assert answer(giving(spec((None, 2))), False, f32([[1, 2]])) == b"[[1.0,2.0]]"

    def test_one_number_a_row_is_a_list_of_one(self) -> None:
        assert answer(giving(spec((None,))), True, f32([3])) == b"[3.0]"
        assert answer(giving(spec((None,))), False, f32([3, 4])) == b"[[3.0],[4.0]]"

    def test_outputs_of_higher_rank_stay_nested(self) -> None:
        row = [[1, 2], [3, 4]]
        version = giving(spec((None, 2, 2)))
        assert answer(version, True, f32([row])) == b"[[1.0,2.0],[3.0,4.0]]"
        assert json.loads(answer(version, False, f32([row, row]))) == [row, row]

    def test_several_outputs_are_answered_by_name_in_the_models_order(self) -> None:
        version = giving(TensorSpec("b", "float32", (None, 2)), TensorSpec("a", "int32", (None,)))
        numbers = np.array([7], np.int32)
        assert answer(version, True, f32([[1, 2]]), numbers) == b'{"b":[1.0,2.0],"a":[7]}'
        batch = answer(version, False, f32([[1, 2], [3, 4]]), np.array([7, 8], np.int32))
        assert batch == b'{"b":[[1.0,2.0],[3.0,4.0]],"a":[[7],[8]]}'

    def test_without_a_batch_axis_outputs_are_whole(self) -> None:
        version = giving(spec((None, 2)), batch=BatchAxis.NONE)
        assert answer(version, True, f32([[1, 2], [3, 4]])) == b"[[1.0,2.0],[3.0,4.0]]"
        version = giving(spec(None), TensorSpec("z", "int8", ()), batch=BatchAxis.NONE)
        got = answer(version, True, f32([1, 2]), np.array(3, np.int8))
        assert got == b'{"y":[1.0,2.0],"z":[3]}'

    def test_without_a_batch_axis_one_number_is_a_list_of_one(self) -> None:
        assert answer(giving(spec(()), batch=BatchAxis.NONE), True, f32(3)) == b"[3.0]"

    def test_an_output_of_no_elements_is_an_empty_list(self) -> None:
        assert answer(giving(spec((None, 0))), True, f32(np.zeros((1, 0)))) == b"[]"
        assert answer(giving(spec((None, 0))), False, f32(np.zeros((2, 0)))) == b"[[],[]]"

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
    def test_nan_and_infinities_are_null(self, dtype: str) -> None:
        got = answer(giving(spec((None, 3), dtype)), True, np.array([[np.nan, np.inf, 1]], dtype))
        pair = dtype == "complex64"
        assert got == (b"[[null,0.0],[null,0.0],[1.0,0.0]]" if pair else b"[null,null,1.0]")
        assert answer(giving(spec((None, 1))), True, f32([[-np.inf]])) == b"[null]"

    @pytest.mark.parametrize(
        ("dtype", "number", "digits"),
        [
            ("float32", 0.1, b"0.1"),
            ("float32", 1 / 3, b"0.33333334"),
            ("float32", 2.815438e-08, b"2.815438e-8"),
            ("float32", 16777216, b"16777216.0"),
            ("float64", 1 / 3, b"0.3333333333333333"),
            ("float64", 0.1, b"0.1"),
            ("float16", 0.731, b"0.731"),
            ("float16", 1 / 3, b"0.3333"),
            ("float16", 0.1, b"0.1"),
            ("float16", -2.5, b"-2.5"),
        ],
    )
    def test_numbers_have_the_fewest_digits(self, dtype: str, number: float, digits: bytes) -> None:
        got = answer(giving(spec((None, 1), dtype)), True, np.array([[number]], dtype))
        assert got == b"[" + digits + b"]"

    def test_every_float16_reads_back_as_itself(self) -> None:
        every = np.arange(2**16, dtype=np.uint16).view(np.float16)
        finite = every[np.isfinite(every)]
        text = answer(giving(spec((None, None), "float16")), True, finite[np.newaxis])
        back = np.array(json.loads(text)).astype(np.float16)
        np.testing.assert_array_equal(back.view(np.uint16), finite.view(np.uint16))
        digits = [
            len(number.partition("e")[0].strip("-0.").replace(".", ""))
            for number in text.decode()[1:-1].split(",")
        ]
        assert max(digits) <= 5

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_are_exact(self, dtype: str) -> None:
        limits = list(INTEGERS[dtype])
        got = answer(giving(spec((None, 2), dtype)), True, np.array([limits], dtype))
        assert json.loads(got) == limits
        assert b"." not in got

    def test_booleans_strings_and_complex_numbers(self) -> None:
        flags = np.array([[True, False]])
        assert answer(giving(spec((None, 2), "bool")), True, flags) == b"[true,false]"
        texts = np.array([["é".encode(), b"\xff"], [b"", b'"']], object)
        got = answer(giving(spec((None, 2), "string")), False, texts)
        assert got == '[["é",{"b64":"/w=="}],["","\\""]]'.encode()
        got = answer(giving(spec((None,), "complex128")), True, np.array([1 - 2.5j]))
        assert got == b"[[1.0,-2.5]]"

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex64", "bool"])
    def test_arrays_in_any_layout_are_written(self, dtype: str) -> None:
        version = giving(spec((None, 2), dtype))
        plain = np.array([[1, 0], [0, 1], [1, 1]], dtype)
        expected = answer(version, False, plain)
        assert answer(version, False, np.asfortranarray(plain)) == expected
        assert answer(version, False, plain.astype(plain.dtype.newbyteorder())) == expected
        assert answer(version, False, np.repeat(plain, 2, axis=1)[:, ::2]) == expected
        assert answer(version, True, plain[::-1][:1]) == answer(version, True, plain[2:])
