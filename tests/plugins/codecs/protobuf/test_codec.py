"""The protobuf codec: its contract, and what is a message."""

from __future__ import annotations

import struct
from typing import ClassVar

import numpy as np
import pytest
from tfaas_plugins.codecs.protobuf import tfaas_register_codecs
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import DataFrame, Detector, Hits, Row

from tests.plugins.codecs.protobuf.requests import FRAME, ROW, frame, predictions, refusal, row
from tests.plugins.codecs.versions import VK, VK_3, f32, taking
from tfaas_core.config import Config
from tfaas_core.errors import BadBody, UnsupportedMediaType
from tfaas_core.route import Head
from tfaas_core.tensors import Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version


class TestContract(CodecContract):
    make_codec = ProtobufCodec
    samples: ClassVar[list[Sample]] = [
        Sample(
            row(1, -2, keys=["attr1", "attr2"], model="vk").SerializeToString(),
            VK,
            Bound({"x": f32([[1, -2]])}, 1, True),
            {"y": f32([[0.7310586]])},
            b"\x0a\x05\x15" + struct.pack("<f", 0.7310586),
            content_type=ROW,
        ),
        Sample(
            frame(row(1, 2), row(3, 4), row(5, 6)).SerializeToString(),
            VK,
            Bound({"x": f32([[1, 2], [3, 4], [5, 6]])}, 3, False),
            {"y": f32([[0.1], [-0.5], [np.inf]])},
            predictions(("", 0.1), ("", -0.5), ("", np.inf)),
            content_type=FRAME,
        ),
        Sample(
            row(3, 1, 2, keys=["c", "a", "b"]).SerializeToString(),
            VK_3,
            Bound({"x": f32([[1, 2, 3]])}, 1, True),
            {"y": f32([[1]])},
            predictions(("", 1)),
        ),
        Sample(
            frame(row(1, 2, 3, 4)).SerializeToString(),
            model_version([TensorSpec("x", "int32", (None, 2, 2))], labels=["higgs"]),
            Bound({"x": np.array([[[1, 2], [3, 4]]], np.int32)}, 1, False),
            {"y": f32([[0.25]])},
            predictions(("higgs", 0.25)),
            content_type='APPLICATION/OCTET-STREAM;MESSAGETYPE="tfaaspb.DataFrame"; q=1',
        ),
        Sample(
            frame(row(1, np.nan), row(3, 4)).SerializeToString(),
            taking(nan="accept"),
            Bound({"x": f32([[1, np.nan], [3, 4]])}, 2, False),
            {"y": f32([[1], [2]])},
            predictions(("", 1), ("", 2)),
            content_type=FRAME,
        ),
        Sample(
            b"",
            VK,
            Bound({"x": f32(np.zeros((0, 2)))}, 0, False, whole=True),
            {"y": f32(np.zeros((0, 1)))},
            b"",
            content_type=FRAME,
        ),
    ]


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "proto"
    assert codec.media_types == ("application/x-protobuf", "*/*")


def test_the_messages_are_spelt_on_the_wire_as_documented() -> None:
    assert row(1, 2, keys=["a"], model="m").SerializeToString() == (
        b"\x0a\x01a\x12\x08\x00\x00\x80\x3f\x00\x00\x00\x40\x1a\x01m"
    )
    assert frame(row(1)).SerializeToString() == b"\x0a\x06\x12\x04\x00\x00\x80\x3f"
    assert predictions(("a", 1)) == b"\x0a\x08\x0a\x01a\x15\x00\x00\x80\x3f"
    detector = Detector(name="d", x=[1], y=[1], z=[1])
    assert Hits(det=[detector]).SerializeToString() == (
        b"\x0a\x15\x0a\x01d\x12\x04\x00\x00\x80\x3f\x1a\x04\x00\x00\x80\x3f\x22\x04\x00\x00\x80\x3f"
    )


class TestParse:
    @pytest.mark.parametrize(
        ("sent", "model"),
        [
            (row(1, model="vk"), "vk"),
            (row(1), None),
            (frame(row(1), row(2)), None),
            (frame(), None),
            (frame(row(1, model="vk"), row(2, model="vk")), "vk"),
            (frame(row(1), row(2, model="vk"), row(3)), "vk"),
        ],
    )
    def test_the_model_is_what_any_row_names(
        self, sent: Row | DataFrame, model: str | None
    ) -> None:
        head = Head.of_type(FRAME if isinstance(sent, DataFrame) else ROW)
        assert ProtobufCodec().parse(sent.SerializeToString(), head).model == model

    def test_rows_that_name_different_models_are_told_apart(self) -> None:
        error = refusal(frame(row(1), row(1, model="a"), row(1, model="a"), row(1, model="b")))
        assert error.message == (
            "row[3].model is 'b', row[1].model is 'a'; a DataFrame goes to one model"
        )
        assert error.details["field"] == "row[3].model"

    @pytest.mark.parametrize(
        "body",
        [
            b"\x00",
            b"\xff" * 20,
            row(1, 2).SerializeToString()[:-1],
            row(1, 2).SerializeToString() + b"\x00",
            b"\x12\xff\xff\xff\xff\x0f",
            b"\x0a\x01\xff",
            b"\x12\x03\x00\x00\x00",
            b"\x0b" * 1000,
            b'{"values": [1, 2]}',
            frame(row(1.5, -2), row(3, 4)).SerializeToString(),
        ],
    )
    def test_what_is_no_row_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody) as caught:
            ProtobufCodec().parse(body, Head.of_type(ROW))
        assert caught.value.message == (
            "the body is not a tfaaspb.Row message; a DataFrame is announced as "
            "`application/x-protobuf; messageType=tfaaspb.DataFrame`"
        )

    @pytest.mark.parametrize("body", [b"\x00", frame(row(1, 2)).SerializeToString()[:-1]])
    def test_what_is_no_data_frame_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody) as caught:
            ProtobufCodec().parse(body, Head.of_type(FRAME))
        assert caught.value.message == "the body is not a tfaaspb.DataFrame message"

    @pytest.mark.parametrize(
        "content_type",
        [
            FRAME,
            'application/x-protobuf;messageType="tfaaspb.DataFrame"',
            "application/x-protobuf; MESSAGETYPE=tfaaspb.DataFrame ",
            "application/x-protobuf; charset=utf-8; messagetype = tfaaspb.DataFrame; q=1",
            "text/plain; messageType=tfaaspb.DataFrame",
        ],
    )
    def test_a_data_frame_is_announced_by_the_media_types_parameter(
        self, content_type: str
    ) -> None:
        body = frame(row(1, 2), row(3, 4)).SerializeToString()
        document = ProtobufCodec().parse(body, Head.of_type(content_type))
        assert (len(document.rows), document.single) == (2, False)

    @pytest.mark.parametrize(
        "content_type",
        ["", "text/plain", "application/x-protobuf; messageType=tfaaspb.Row", ROW + "; q=1"],
    )
    def test_all_else_is_a_row(self, content_type: str) -> None:
        document = ProtobufCodec().parse(row(1, 2).SerializeToString(), Head.of_type(content_type))
        assert (len(document.rows), document.single) == (1, True)

    @pytest.mark.parametrize("name", ["tfaaspb.Hits", "tfaaspb.Predictions", "Row", "x" * 200])
    def test_another_message_is_an_unsupported_media_type(self, name: str) -> None:
        with pytest.raises(UnsupportedMediaType) as caught:
            ProtobufCodec().parse(b"", Head.of_type(f"application/x-protobuf; messageType={name}"))
        assert caught.value.message == (
            f"messageType is {name[:80]!r}, /proto reads tfaaspb.Row and tfaaspb.DataFrame"
        )
