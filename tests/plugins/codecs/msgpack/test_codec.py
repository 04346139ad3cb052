"""The msgpack codec: its contract, what is a document, and lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack import tfaas_register_codecs
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.plugins.codecs.msgpack.requests import array, bind, packed, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, f32, signed, taking
from tfaas_core.config import Config
from tfaas_core.errors import BadBody
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

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
            encode({"values": packed([[1, np.nan], [3, 4]])}),
            taking(nan="accept"),
            Bound({"x": f32([[1, np.nan], [3, 4]])}, 2, False),
            {"y": f32([[1], [2]])},
            encode(packed([[1], [2]])),
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
            b"\x91" * 50_000,
            b"\x81\xa0" * 50_000,
            b"\x81" * 50_000,
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
