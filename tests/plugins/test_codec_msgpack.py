from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codec_msgpack import MsgpackCodec, tfaas_register_codecs

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.model import ModelVersion
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode


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


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


def packed(values: Any, dtype: str = "<f4") -> dict[str, Any]:
    array = np.asarray(values).astype(dtype)
    return {"dtype": dtype, "shape": list(array.shape), "data": array.tobytes()}


def unpacked(fields: dict[str, Any]) -> Array:
    array: Array = np.frombuffer(fields["data"], fields["dtype"]).reshape(fields["shape"])
    return array


def bind(document: Any, version: ModelVersion = VK) -> Bound:
    codec = MsgpackCodec()
    body = document if isinstance(document, bytes) else encode(document)
    bound = codec.bind(codec.parse(body, "application/msgpack"), version)
    conform(version.signature, bound)
    return bound


def array(document: Any, version: ModelVersion = VK) -> Array:
    (only,) = bind(document, version).arrays.values()
    return only


def refusal(document: Any, version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(document, version)
    assert caught.value.status == 422
    assert caught.value.message.isprintable()
    msgspec.json.encode(caught.value.document())
    return caught.value


def answer(version: ModelVersion, single: bool, *outputs: Array, request: Any = None) -> bytes:
    codec = MsgpackCodec()
    bound = Bound({}, 1 if single else 2, single)
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    document = codec.parse(encode({"values": request}), "")
    encoded = codec.encode(named, bound, document, version)
    assert encoded.media_type == "application/msgpack"
    return encoded.body


class TestContract(CodecContract):
    make_codec = MsgpackCodec
    samples: ClassVar[list[Sample]] = [
        Sample(
            encode({"keys": ["attr1", "attr2"], "values": [1.0, -2.0], "model": "vk"}),
            VK,
            Bound({"x": f32([[1, -2]])}, 1, True),
            {"y": f32([[0.5]])},
            b"\x91\xca\x3f\x00\x00\x00",
        ),
        Sample(
            encode({"values": [[1, 2], [3, 4], [5, 6]]}),
            VK,
            Bound({"x": f32([[1, 2], [3, 4], [5, 6]])}, 3, False),
            {"y": f32([[0.5], [np.nan], [-np.inf]])},
            b"\x93\x91\xca\x3f\x00\x00\x00\x91\xc0\x91\xc0",
            content_type="application/x-msgpack",
        ),
        Sample(
            encode({"keys": ["c", "a", "b"], "values": packed([3, 1, 2])}),
            VK_3,
            Bound({"x": f32([[1, 2, 3]])}, 1, True),
            {"y": f32([[0.5]])},
            encode({"dtype": "<f4", "shape": [1], "data": b"\x00\x00\x00\x3f"}),
        ),
        Sample(
            encode({"values": packed([[1, 2], [3, 4]], ">f8")}),
            VK,
            Bound({"x": f32([[1, 2], [3, 4]])}, 2, False),
            {"y": f32([[0.5], [-np.inf]])},
            encode({"dtype": "<f4", "shape": [2, 1], "data": b"\0\0\0\x3f\0\0\x80\xff"}),
        ),
        Sample(
            encode({"inputs": {"y": [[5], [6]], "x:0": packed([[1, 2], [3, 4]])}}),
            TWO_INPUTS,
            Bound({"x": f32([[1, 2], [3, 4]]), "y": f32([[5], [6]])}, 2, False),
            {"y": f32([[1], [2]])},
            encode(packed([[1], [2]])),
        ),
        Sample(
            encode({"values": ["café", b"\xff"]}),
            taking("string", (None,), BatchAxis.NONE),
            Bound({"x": np.array(["café".encode(), b"\xff"], object)}, 1, True),
            {"y": f32([[1]])},
            b"\x91\x91\xca\x3f\x80\x00\x00",
        ),
    ]


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "msgpack"
    assert codec.media_types == (
        "application/msgpack",
        "application/x-msgpack",
        "application/vnd.msgpack",
    )


class TestParse:
    @pytest.mark.parametrize("alias", ["model", "name"])
    def test_the_model_is_read_from_model_or_else_name(self, alias: str) -> None:
        assert MsgpackCodec().parse(encode({alias: "vk"}), "").model == "vk"
        assert MsgpackCodec().parse(encode({alias: ""}), "").model is None

    def test_the_version_is_read_as_a_number_or_a_label(self) -> None:
        for fields, expected in (
            ({}, (None, None)),
            ({"version": 3}, (3, None)),
            ({"label": "canary"}, (None, "canary")),
            ({"version": None, "label": ""}, (None, None)),
        ):
            document = MsgpackCodec().parse(encode(fields), "")
            assert (document.version, document.label) == expected

    @pytest.mark.parametrize("field", ["version", "label"])
    @pytest.mark.parametrize(
        "value", [0, -1, True, 1.5, b"1", [1], {"a": 1}, 2**64 - 1, datetime.now(UTC)], ids=repr
    )
    def test_what_is_no_version_or_label_does_not_fit(self, field: str, value: Any) -> None:
        error = refusal({field: value, "values": [1, 2]})
        assert error.message.startswith(f"{field} is ")
        assert error.details["field"] == field

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xc1",
            encode({"values": [1, 2]})[:-1],
            encode({"values": [1, 2]}) + b"\xc0",
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff\xa1",
            b"\x81\xa6values\xdd\xff\xff\xff\xff\x01",
            b"\x81\xa6values\xc6\xff\xff\xff\xff\x01",
            b"\x81\xa6values\xdb\xff\xff\xff\xff\x01",
            b"\x81\xa6values\xc9\xff\xff\xff\xff\x01",
            b"\x91" * 100_000,
            b"\x81\xa0" * 100_000,
            b"\x81" * 100_000,
            b"\x81\xa6values\xa1\xff",
            b"\x81\xa1\xff\x01",
            b"\x81\x80\x01",
            b"\x81\xa6values\xc7\x05\xff12345",
            b'{"values": [1, 2]}',
        ],
    )
    def test_what_is_not_one_value_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody, match=r"^the body is (not MessagePack: .+|empty, .+)$"):
            MsgpackCodec().parse(body, "")

    def test_many_lists_that_claim_to_be_long_take_no_memory(self) -> None:
        body = b"\x81\xa6values" + b"\xdd\x00\x0f\x00\x00" * 900 + b"\x00" * 1_000_000
        with pytest.raises(BadBody):
            MsgpackCodec().parse(body, "")

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ([1, 2], "the body is a list, send a map"),
            (3, "the body is 3, send a map"),
            (encode(b"x"), "the body is bytes, send a map"),
            ({3: 4}, "a key of the body is 3, keys are strings"),
            ({None: 4}, "a key of the body is null, keys are strings"),
            ({b"values": [1, 2]}, "a key of the body is bytes, keys are strings"),
            ({(1, 2): 4}, "a key of the body is a list, keys are strings"),
            ({"inputs": {"x": [1, 2], 1.5: 0}}, "a key of inputs is 1.5, keys are strings"),
            ({"model": 3}, "model is 3, send a model's name as a string"),
            ({"model": b"vk"}, "model is bytes, send a model's name as a string"),
            ({"keys": ["a", b"b"]}, "keys[1] is bytes, send a string"),
            ({"inputs": [1]}, "inputs is a list, send an object with a value for each input"),
            (
                {"values": [1], "inputs": {"x": [1]}},
                "both values and inputs are sent, send one of them",
            ),
        ],
    )
    def test_fields_of_a_wrong_type_do_not_fit(self, document: Any, message: str) -> None:
        assert refusal(document).message == message

    def test_fields_that_mean_nothing_here_are_ignored(self) -> None:
        document = {"values": [1, 2], "time": datetime.now(UTC), "more": [{}, {1: b""}]}
        assert array(document).tolist() == [[1, 2]]


class TestLists:
    def test_rows_and_batches_are_told_by_their_nesting(self) -> None:
        assert bind({"values": [1, 2]}).single
        batch = bind({"value": [[1, 2], [3, 4]]})
        assert (batch.rows, batch.single) == (2, False)
        np.testing.assert_array_equal(batch.arrays["x"], f32([[1, 2], [3, 4]]), strict=True)

    def test_floats_of_both_sizes_and_integers_are_numbers(self) -> None:
        body = b"\x81\xa6values\x92" + b"\xca" + struct.pack(">f", 0.1) + b"\xd0\xfe"
        np.testing.assert_array_equal(array(body), f32([[0.1, -2]]), strict=True)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize(
        ("number", "shown"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
    )
    def test_nan_and_infinities_are_refused(self, dtype: str, number: float, shown: str) -> None:
        largest = f"{float(np.finfo(dtype).max):.8g}"
        error = refusal({"values": [[1, 2], [3, number]]}, taking(dtype))
        assert error.message == (
            f"values[1][1] is {shown}, model 'vk' takes numbers from -{largest} to {largest}"
        )
        assert error.details["field"] == "values[1][1]"

    def test_nan_in_a_complex_number_is_refused(self) -> None:
        error = refusal({"values": [[1, 2], [3, np.nan]]}, taking("complex64"))
        assert error.details["field"] == "values[1][1]"
        assert array({"values": [[1, 2], [3, 4]]}, taking("complex64")).tolist() == [
            [1 + 2j, 3 + 4j]
        ]

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "null"),
            (True, "true"),
            ("1", "a string"),
            (b"1", "bytes"),
            ([1], "a list"),
            ({}, "an object"),
            (datetime.now(UTC), "a timestamp"),
            (msgspec.msgpack.Ext(5, b"1"), "an extension"),
        ],
    )
    def test_what_is_no_number_is_named(self, value: Any, shown: str) -> None:
        error = refusal({"values": [[1, 2], [3, value]]})
        assert error.message == f"values[1][1] is {shown}, model 'vk' takes numbers"

    @pytest.mark.parametrize("value", [1.0, np.nan])
    def test_integers_refuse_floats(self, value: float) -> None:
        assert "values[1] is " in refusal({"values": [1, value]}, taking("int64")).message

    def test_integers_take_all_64_bits(self) -> None:
        row = [2**64 - 1, 0]
        assert array({"values": row}, taking("uint64")).tolist() == [row]

    def test_strings_are_str_or_bin(self) -> None:
        version = taking("string")
        got = array({"values": [["é", b"\xff"], ["", {"b64": "AP8="}]]}, version)
        assert got.tolist() == [["é".encode(), b"\xff"], [b"", b"\x00\xff"]]
        message = refusal({"values": ["a", 1]}, version).message
        assert message == "values[1] is 1, model 'vk' takes strings or bin"

    def test_keys_put_values_into_the_order_of_features(self) -> None:
        document = {"keys": ["b", "a", "c"], "values": [[2, 1, 3], [5, 4, 6]]}
        assert array(document, VK_3).tolist() == [[1, 2, 3], [4, 5, 6]]
        error = refusal({"keys": ["a", "b"], "values": [1, 2]}, VK_3)
        assert error.message == "key 'c' is missing, model 'vk' takes each of its features once"


class TestPackedArrays:
    def test_one_row_gets_a_batch_axis(self) -> None:
        bound = bind({"values": packed([1, -2.5])})
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, -2.5]]), strict=True)

    def test_one_axis_more_is_a_batch(self) -> None:
        bound = bind({"values": packed([[1, 2], [3, 4], [5, 6]])})
        assert (bound.rows, bound.single) == (3, False)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, 2], [3, 4], [5, 6]]), strict=True)

    def test_rows_of_the_models_dtype_are_not_copied(self) -> None:
        codec = MsgpackCodec()
        document = codec.parse(encode({"values": packed(np.zeros((3, 2)))}), "")
        rows = codec.bind(document, VK).arrays["x"]
        assert np.shares_memory(rows, np.frombuffer(document.values["data"], np.uint8))
        assert rows.flags.aligned

    @pytest.mark.parametrize(
        ("shape", "values", "rows", "single"),
        [
            ((None,), 3, 1, True),
            ((None,), [3, 4], 2, False),
            ((None, None), [1, 2, 3], 1, True),
            ((None, 2, 1), [[1], [2]], 1, True),
            ((None, 2, 1), [[[1], [2]]], 1, False),
            ((None, None, 8), np.zeros((0, 8)), 1, True),
            (None, 3, 1, True),
            (None, [1, 2], 1, True),
            (None, [[1, 2], [3, 4]], 2, False),
            (None, np.zeros((3, 0)), 3, False),
        ],
    )
    def test_the_number_of_axes_tells_rows_from_batches(
        self, shape: tuple[int | None, ...] | None, values: Any, rows: int, single: bool
    ) -> None:
        bound = bind({"values": packed(values)}, taking(shape=shape))
        assert (bound.rows, bound.single) == (rows, single)
        whole = f32([values] if single else values)
        np.testing.assert_array_equal(bound.arrays["x"], whole, strict=True)

    @pytest.mark.parametrize("shape", [(2, 2), (None, None), None])
    def test_without_a_batch_axis_they_are_the_whole_tensor(
        self, shape: tuple[int | None, ...] | None
    ) -> None:
        bound = bind(
            {"values": packed([[1, 2], [3, 4]])}, taking(shape=shape, batch=BatchAxis.NONE)
        )
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["x"].tolist() == [[1, 2], [3, 4]]

    @pytest.mark.parametrize(
        ("values", "version", "message"),
        [
            ([1, 2, 3], VK, "[3], model 'vk' takes [2], or [?, 2] for a batch"),
            ([[1], [2]], VK, "[2, 1], model 'vk' takes [2], or [?, 2] for a batch"),
            ([[[1, 2]]], VK, "[1, 1, 2], model 'vk' takes [2], or [?, 2] for a batch"),
            (3, VK, "[], model 'vk' takes [2], or [?, 2] for a batch"),
            (np.zeros((0, 2)), VK, "[0, 2], model 'vk' takes at least one row"),
            (np.zeros((0, 2)), taking(shape=None), "[0, 2], model 'vk' takes at least one row"),
            ([[1, 2]], taking(shape=(2,), batch=BatchAxis.NONE), "[1, 2], model 'vk' takes [2]"),
        ],
    )
    def test_a_wrong_shape_tells_both(
        self, values: Any, version: ModelVersion, message: str
    ) -> None:
        error = refusal({"values": packed(values)}, version)
        assert error.message == f"values has shape {message}"
        assert error.details["field"] == "values"

    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("dtype", [name for name in NUMPY_DTYPES if name != "string"])
    def test_every_dtype_comes_in_both_byte_orders(self, dtype: str, order: str) -> None:
        name = order + np.dtype(dtype).str[1:]
        got = array({"values": packed([1, 0], name)}, taking(dtype))
        np.testing.assert_array_equal(got, np.array([[1, 0]], dtype), strict=True)

    @pytest.mark.parametrize(
        ("given", "taken"),
        [
            ("<f8", "float32"),
            ("<f8", "float16"),
            ("<f4", "float16"),
            ("<f2", "float32"),
            ("<i2", "float32"),
            ("|u1", "float16"),
            ("<i4", "float64"),
            ("|u1", "int16"),
            ("<u4", "int64"),
            ("<c16", "complex64"),
            ("<f4", "complex64"),
            ("<i1", "int8"),
        ],
    )
    def test_what_loses_nothing_but_digits_of_floats_is_converted(
        self, given: str, taken: str
    ) -> None:
        got = array({"values": packed([3, 64], given)}, taking(taken))
        np.testing.assert_array_equal(got, np.array([[3, 64]], taken), strict=True)

    @pytest.mark.parametrize(
        ("given", "taken", "shown"),
        [
            ("<i8", "float32", "'<f4'"),
            ("<f4", "int32", "'<i4'"),
            ("<i8", "int32", "'<i4'"),
            ("<i4", "uint32", "'<u4'"),
            ("|b1", "float32", "'<f4'"),
            ("|b1", "int8", "'|i1'"),
            ("|u1", "bool", "'|b1'"),
            ("<c8", "float32", "'<f4'"),
        ],
    )
    def test_other_dtypes_are_refused_and_both_are_named(
        self, given: str, taken: str, shown: str
    ) -> None:
        error = refusal({"values": packed([1, 0], given)}, taking(taken))
        sent = np.dtype(given).name
        assert error.message == (
            f"values is packed as {sent}, model 'vk' takes {taken}; "
            f"pack it as {shown} or send lists"
        )
        assert (error.details["expected"], error.details["got"]) == (taken, sent)

    def test_strings_cannot_be_packed(self) -> None:
        message = refusal({"values": packed([1, 2], "|u1")}, taking("string")).message
        assert message == "values is packed as uint8, model 'vk' takes string; send lists"

    @pytest.mark.parametrize(
        ("values", "dtype", "taken", "message"),
        [
            ([[1, 2], [3, np.nan]], "<f4", "float32", "values[1][1] is NaN, model 'vk' takes num"),
            ([-np.inf, 1], ">f4", "float32", "values[0] is infinite, model 'vk' takes numbers f"),
            ([1, 1e39], "<f8", "float32", "values[1] is 1e+39, model 'vk' takes numbers from -3."),
            ([1, 7e4], "<f4", "float16", "values[1] is 70000.0, model 'vk' takes numbers from -6"),
            ([1, complex(0, np.inf)], "<c8", "complex64", "values[1] is infj, model 'vk' takes n"),
        ],
    )
    def test_numbers_that_are_not_finite_are_named(
        self, values: Any, dtype: str, taken: str, message: str
    ) -> None:
        assert refusal({"values": packed(values, dtype)}, taking(taken)).message.startswith(message)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"dtype": None}, "dtype is null, send one like '<f4': byte order"),
            ({"dtype": 3}, "dtype is 3, send one like"),
            ({"dtype": "f4"}, "dtype is 'f4', send one like"),
            ({"dtype": "float32"}, "dtype is 'float32', send one like"),
            ({"dtype": "<f16"}, "dtype is '<f16', send one like"),
            ({"dtype": "|O"}, "dtype is '|O', send one like"),
            ({"dtype": "|V8"}, "dtype is '|V8', send one like"),
            ({"dtype": "|S8"}, "dtype is '|S8', send one like"),
            ({"dtype": "<M8[s]"}, "dtype is '<M8[s]', send one like"),
            ({"dtype": "2f4"}, "dtype is '2f4', send one like"),
            ({"dtype": "<f4,<f4"}, "dtype is '<f4,<f4', send one like"),
            ({"dtype": "\n" * 100}, "dtype is '" + "\\n" * 40 + "', send one like"),
            ({"shape": 2}, "shape is 2, send a list of sizes"),
            ({"shape": None}, "shape is null, send a list of sizes"),
            ({"shape": [-2]}, "shape[0] is -2, a size is an integer from 0 on"),
            ({"shape": [2.0]}, "shape[0] is 2.0, a size is"),
            ({"shape": [1, True]}, "shape[1] is true, a size is"),
            ({"shape": [1] * 31}, "shape is a list of 31 sizes, send 30 at most"),
            ({"shape": [3]}, "data is 8 bytes long, [3] of <f4 takes 12"),
            ({"shape": []}, "data is 8 bytes long, [] of <f4 takes 4"),
            ({"shape": [2**63, 2**63]}, "data is 8 bytes long, [9223372036854775808, "),
            ({"shape": [2**64 - 1]}, "data is 8 bytes long, [18446744073709551615] of"),
            ({"shape": [0, 2**63]}, "shape is [0, 9223372036854775808], that is too large beside"),
            ({"shape": [2**31, 0, 2]}, "shape is [2147483648, 0, 2], that is too large beside"),
            ({"shape": [0]}, "data is 8 bytes long, [0] of <f4 takes 0"),
            ({"data": "12345678"}, "data is a string, send bin"),
            ({"data": [1, 2]}, "data is a list, send bin"),
            ({"data": b"1234567"}, "data is 7 bytes long, [2] of <f4 takes 8"),
            ({"dtype": "|b1", "data": b"\x01\x02"}, "data is not all 0 and 1, send a byte of"),
        ],
    )
    def test_what_is_no_array_is_told(self, change: dict[str, Any], message: str) -> None:
        broken = packed([1, 2]) | change
        assert refusal({"values": broken}).message.startswith(f"values.{message}")
        inputs = {"x": broken, "y": [1]}
        assert refusal({"inputs": inputs}, TWO_INPUTS).message.startswith(f"inputs.x.{message}")

    @pytest.mark.parametrize("field", ["dtype", "shape", "data"])
    def test_a_missing_field_is_named(self, field: str) -> None:
        broken = packed([1, 2])
        del broken[field]
        message = refusal({"values": broken}).message
        assert message == f"values.{field} is missing, send dtype, shape and data"

    def test_a_packed_row_among_others_is_no_number(self) -> None:
        error = refusal({"values": [packed([1, 2]), packed([3, 4])]})
        assert error.message == "values[0] is an object, model 'vk' takes numbers"

    def test_keys_put_columns_into_the_order_of_features(self) -> None:
        document = {"keys": ["c", "a", "b"], "values": packed([[3, 1, 2], [6, 4, 5]])}
        got = array(document, VK_3)
        assert got.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert got.flags.c_contiguous
        message = refusal({"keys": ["a"], "values": packed([1, 2])}).message
        assert message == "keys names 1 columns, values has 2"

    def test_packed_and_listed_inputs_have_as_many_rows(self) -> None:
        bound = bind({"inputs": {"x": packed([[1, 2]] * 2), "y": [[1], [2]]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (2, False)
        message = refusal({"inputs": {"x": packed([1, 2]), "y": [[1]]}}, TWO_INPUTS).message
        assert message.startswith("inputs.x is one row, inputs.y is a batch of 1 row")


def spec(shape: tuple[int | None, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("y", dtype, shape)


PACKED = packed([1, 2])


class TestListsInAnswers:
    def test_float32_is_written_as_float32(self) -> None:
        got = answer(giving(spec((None, 2))), True, f32([[0.1, -0.0]]))
        assert got == b"\x92\xca" + struct.pack(">f", 0.1) + b"\xca\x80\x00\x00\x00"

    def test_float64_is_written_as_float64(self) -> None:
        got = answer(giving(spec((None, 1), "float64")), True, np.array([[0.1]]))
        assert got == b"\x91\xcb" + struct.pack(">d", 0.1)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("size", [1, 15, 16, 70, 65_535, 65_536])
    def test_floats_are_exact_in_lists_of_any_length(self, dtype: str, size: int) -> None:
        values = np.linspace(-1, 1, size).astype(dtype)
        assert decode(answer(giving(spec((None, size), dtype)), True, values[np.newaxis])) == (
            values.tolist()
        )

    @pytest.mark.parametrize("dtype", ["float32", "complex64", "int16", "string"])
    @pytest.mark.parametrize(
        "shape", [(2, 3), (2, 17), (20, 3, 4), (2, 0), (2, 0, 3), (2, 1, 70, 2)]
    )
    def test_outputs_of_any_shape_stay_nested(self, dtype: str, shape: tuple[int, ...]) -> None:
        values = np.arange(np.prod(shape)).reshape(shape)
        if dtype == "string":
            given: Array = values.astype(str).astype(object)
            shown = given.tolist()
            given = np.array([v.encode() for v in given.flat] + [None], object)[:-1].reshape(shape)
        else:
            given = values.astype(dtype)
            pairs = np.stack([values, np.zeros(shape)], -1)
            shown = pairs.tolist() if dtype == "complex64" else values.tolist()
        version = giving(spec((None, *shape[1:]), dtype))
        assert decode(answer(version, False, given)) == shown
        assert decode(answer(version, True, given)) == shown[0]

    def test_one_number_a_row_is_a_list_of_one(self) -> None:
        assert decode(answer(giving(spec((None,))), True, f32([3]))) == [3.0]
        assert decode(answer(giving(spec((None,))), False, f32([3, 4]))) == [[3.0], [4.0]]
        assert decode(answer(giving(spec(()), batch=BatchAxis.NONE), True, f32(3))) == [3.0]

    def test_several_outputs_are_answered_by_name_in_the_models_order(self) -> None:
        version = giving(TensorSpec("b", "float32", (None, 1)), TensorSpec("a", "int32", (None,)))
        got = answer(version, True, f32([[0.5]]), np.array([7], np.int32))
        assert got == b"\x82\xa1b\x91\xca\x3f\x00\x00\x00\xa1a\x91\x07"

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
    def test_nan_and_infinities_are_nil(self, dtype: str) -> None:
        values = np.array([[np.nan, 1, np.inf], [2, -np.inf, 3]], dtype)
        got = decode(answer(giving(spec((None, 3), dtype)), False, values))
        if dtype == "complex64":
            got = [[real for real, _ in row] for row in got]
        assert got == [[None, 1, None], [2, None, 3]]

    def test_booleans_integers_and_strings(self) -> None:
        flags = np.array([[True, False]])
        assert answer(giving(spec((None, 2), "bool")), True, flags) == b"\x92\xc3\xc2"
        numbers = np.array([[2**64 - 1, 0]], np.uint64)
        assert decode(answer(giving(spec((None, 2), "uint64")), True, numbers)) == [2**64 - 1, 0]
        texts = np.array([["é".encode(), b"\xff"]], object)
        assert decode(answer(giving(spec((None, 2), "string")), True, texts)) == ["é", b"\xff"]

    @pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex64", "bool"])
    @pytest.mark.parametrize("request_", [None, PACKED])
    def test_arrays_in_any_layout_are_written(self, dtype: str, request_: Any) -> None:
        version = giving(spec((None, 2), dtype))
        plain = np.array([[1, 0], [0, 1], [1, 1]], dtype)
        expected = answer(version, False, plain, request=request_)
        swapped = plain.astype(plain.dtype.newbyteorder())
        for other in (np.asfortranarray(plain), swapped, np.repeat(plain, 2, axis=1)[:, ::2]):
            assert answer(version, False, other, request=request_) == expected


class TestPackedAnswers:
    def test_a_packed_request_is_answered_packed(self) -> None:
        got = decode(answer(giving(spec((None, 3))), True, f32([[1, 2, 3]]), request=PACKED))
        assert got == packed([1, 2, 3])
        assert list(got) == ["dtype", "shape", "data"]

    def test_a_batch_keeps_its_axis(self) -> None:
        values = f32([[1, 2, 3], [4, np.nan, -np.inf]])
        got = decode(answer(giving(spec((None, 3))), False, values, request=PACKED))
        np.testing.assert_array_equal(unpacked(got), values, strict=True)
        got = decode(answer(giving(spec((None,))), False, f32([3, 4]), request=PACKED))
        assert got["shape"] == [2, 1]

    def test_several_outputs_are_packed_by_name_and_strings_are_lists(self) -> None:
        version = giving(TensorSpec("b", "float64", (None, 1)), TensorSpec("a", "string", (None,)))
        texts = np.array([b"x"], object)
        got = decode(answer(version, True, np.array([[0.5]]), texts, request=PACKED))
        assert got == {"b": packed([0.5], "<f8"), "a": ["x"]}

    @pytest.mark.parametrize("dtype", [name for name in NUMPY_DTYPES if name != "string"])
    def test_every_dtype_is_packed_in_little_endian_order(self, dtype: str) -> None:
        values = np.array([[1, 0]], dtype)
        got = decode(answer(giving(spec((None, 2), dtype)), True, values, request=PACKED))
        assert got["dtype"] == np.dtype(dtype).newbyteorder("<").str
        np.testing.assert_array_equal(unpacked(got), values[0], strict=True)

    def test_an_output_of_no_elements_is_packed_too(self) -> None:
        got = decode(answer(giving(spec((None, 0))), False, f32(np.zeros((2, 0))), request=PACKED))
        assert got == {"dtype": "<f4", "shape": [2, 0], "data": b""}
