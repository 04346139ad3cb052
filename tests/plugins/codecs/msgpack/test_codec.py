"""The msgpack codec: its contract, what is a document, and lists."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack import tfaas_register_codecs
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec
from tfaas_plugins.codecs.values.leaves import NAN_HINT

from tests.plugins.codecs.msgpack.requests import array, bind, packed, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, f32, signed, taking
from tfaas_core.config import Config
from tfaas_core.errors import BadBody
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

EIGHT = [1, 2.5, -3, 0, 5, 6, 7, 8]
encode = msgspec.msgpack.encode


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
        Sample(
            encode({"values": packed(np.zeros((0, 2)))}),
            VK,
            Bound({"x": f32(np.zeros((0, 2)))}, 0, False, whole=True),
            {"y": f32(np.zeros((0, 1)))},
            encode(packed(np.zeros((0, 1)))),
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
        assert MsgpackCodec().parse(encode({alias: "vk"}), Head()).model == "vk"
        assert MsgpackCodec().parse(encode({alias: ""}), Head()).model is None

    def test_the_version_is_read_as_a_number_or_a_label(self) -> None:
        for fields, expected in (
            ({}, (None, None)),
            ({"version": 3}, (3, None)),
            ({"label": "canary"}, (None, "canary")),
            ({"version": None, "label": ""}, (None, None)),
        ):
            document = MsgpackCodec().parse(encode(fields), Head())
            assert (document.version, document.label) == expected

    @pytest.mark.parametrize("field", ["version", "label"])
    @pytest.mark.parametrize(
        "value",
        [0, -1, True, 1.5, b"1", [1], {"a": 1}, 2**64 - 1, datetime(2026, 1, 2, tzinfo=UTC)],
        ids=repr,
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
            MsgpackCodec().parse(body, Head())

    def test_many_lists_that_claim_to_be_long_take_no_memory(self) -> None:
        body = b"\x81\xa6values" + b"\xdd\x00\x0f\x00\x00" * 900 + b"\x00" * 1_000_000
        with pytest.raises(BadBody):
            MsgpackCodec().parse(body, Head())

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
    @pytest.mark.parametrize("before", [1, 500])
    def test_nan_and_infinities_are_refused(
        self, dtype: str, number: float, shown: str, before: int
    ) -> None:
        largest = f"{float(np.finfo(dtype).max):.8g}"
        error = refusal({"values": [[1, 2]] * before + [[3, number]]}, taking(dtype))
        place = f"values[{before}][1]"
        assert error.message == (
            f"{place} is {shown}, model 'vk' takes numbers from -{largest} to {largest}"
            + (NAN_HINT if shown == "NaN" else "")
        )
        assert error.details["field"] == place

    def test_numbers_whose_sum_is_infinite_are_taken(self) -> None:
        largest = float(np.finfo(np.float64).max)
        assert array({"values": [largest, largest]}, taking("float64")).tolist() == [[largest] * 2]

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
        hint = NAN_HINT if value is None else ""
        assert error.message == f"values[1][1] is {shown}, model 'vk' takes numbers{hint}"

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([EIGHT, bytes(8)], "values[1] is bytes, model 'vk' takes a list here"),
            ([EIGHT, "12345678"], "values[1] is a string, model 'vk' takes a list here"),
            ([EIGHT, dict.fromkeys(EIGHT, 1)], "values[1] is an object, model 'vk' takes a list"),
            ([EIGHT, None], "values[1] is null, model 'vk' takes a list here"),
            ([EIGHT, EIGHT[1:]], "values[1] has 7 numbers, model 'vk' takes 8"),
            ([*EIGHT[1:], True], "values[7] is true, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], False]], "values[1][7] is false, model 'vk' takes numbers"),
            ([EIGHT, [*EIGHT[1:], np.nan]], "values[1][7] is NaN, model 'vk' takes numbers"),
            ([EIGHT] * 50 + [[*EIGHT[1:], np.inf]], "values[50][7] is infinite, model 'vk' takes"),
        ],
    )
    def test_what_is_no_row_of_eight_is_named(self, values: Any, message: str) -> None:
        error = refusal({"values": values}, taking(shape=(None, 8)))
        assert error.message.startswith(message)

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


class TestNan:
    @pytest.mark.parametrize("missing", [None, float("nan"), "NaN"])
    def test_it_is_taken_where_it_is_accepted(self, missing: Any) -> None:
        for dtype in ("float16", "float32", "float64"):
            got = array({"values": [1.5, missing]}, taking(dtype, nan="accept"))
            np.testing.assert_array_equal(got, np.array([[1.5, np.nan]], dtype), strict=True)
        rows = [[0.5, missing], *[[1.0, 2.0]] * 300, [missing, 1.0]]
        got = array({"values": rows}, taking(nan="accept"))
        assert np.argwhere(np.isnan(got)).tolist() == [[0, 1], [301, 0]]
        got = array({"values": [[missing, 1], [2, missing]]}, taking("complex64", nan="accept"))
        assert np.isnan(got).all()

    @pytest.mark.parametrize("wrong", [float("inf"), -float("inf"), "nan", b"NaN", True])
    def test_all_else_is_refused_even_there(self, wrong: Any) -> None:
        for row in ([None, wrong], [0.5, wrong]):
            error = refusal({"values": row}, taking(nan="accept"))
            assert error.details["field"] == "values[1]"

    def test_integers_cannot_be_missing(self) -> None:
        refusal({"values": [1, None]}, taking("int32", nan="accept"))


class TestWhatIsWrittenAlike:
    """As in JSON, whose tests say more."""

    def test_no_rows(self) -> None:
        bound = bind({"values": []})
        assert (bound.rows, bound.single, bound.whole) == (0, False, True)

    def test_inputs_that_may_be_left_out_or_are_not_read(self) -> None:
        specs = [TensorSpec("x", "float32", (None, 2)), TensorSpec("k", "int8", (1,), default=[3])]
        version = signed(model_version(specs), unused=["training"])
        sent = {"inputs": {"x": [1, 2], "training": True}}
        assert array(sent, version).tolist() == [[1, 2]]

    def test_the_signature(self) -> None:
        assert (
            "serves 'a'" in refusal({"signature_name": "b", "values": []}, signed(VK, "a")).message
        )

    def test_base64(self) -> None:
        assert array({"values": ["x", {"b64": "-_8"}]}, taking("string")).tolist() == [
            [b"x", b"\xfb\xff"]
        ]
