from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codec_protobuf import ProtobufCodec, tfaas_register_codecs
from tfaas_plugins.tfaas_pb2 import Class, DataFrame, Detector, Hits, Predictions, Row

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit, UnsupportedMediaType
from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

ROW = "application/x-protobuf"
FRAME = "application/x-protobuf; messageType=tfaaspb.DataFrame"


def taking(
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 2),
    batch: BatchAxis = BatchAxis.FREE,
    **params: Any,
) -> ModelVersion:
    size = None if shape is None else tuple(shape)
    return model_version([TensorSpec("x", dtype, size)], batch=batch, params=params)


def giving(
    *outputs: TensorSpec, labels: Sequence[str] = (), batch: BatchAxis = BatchAxis.FREE
) -> ModelVersion:
    return model_version(outputs=outputs, labels=labels, batch=batch)


VK = taking()
VK_3 = taking(features=["a", "b", "c"], shape=(None, 3))


def row(*values: float, keys: Iterable[str] = (), model: str = "") -> Row:
    return Row(key=keys, value=values, model=model)


def bind(sent: Row | DataFrame, version: ModelVersion = VK) -> Bound:
    codec = ProtobufCodec()
    content_type = FRAME if isinstance(sent, DataFrame) else ROW
    bound = codec.bind(codec.parse(sent.SerializeToString(), content_type), version)
    for bound_array in conform(version.signature, bound):
        assert bound_array.flags.aligned
    return bound


def frame(*rows: Row) -> DataFrame:
    return DataFrame(row=rows)


def array(sent: Row | DataFrame, version: ModelVersion = VK) -> Array:
    (only,) = bind(sent, version).arrays.values()
    return only


def refusal(sent: Row | DataFrame, version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(sent, version)
    assert caught.value.status == 422
    assert caught.value.message.isprintable()
    msgspec.json.encode(caught.value.document())
    return caught.value


def answer(version: ModelVersion, rows: int, *outputs: Array) -> list[tuple[str, float]]:
    codec = ProtobufCodec()
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    document = codec.parse(row(1, 2).SerializeToString(), ROW)
    encoded = codec.encode(named, Bound({}, rows, rows == 1), document, version)
    assert encoded.media_type == "application/x-protobuf"
    predictions = Predictions.FromString(encoded.body)
    return [(each.label, each.probability) for each in predictions.prediction]


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


def predictions(*classes: tuple[str, float]) -> bytes:
    made = [Class(label=label, probability=number) for label, number in classes]
    return Predictions(prediction=made).SerializeToString()


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
            (frame(row(1, model="vk"), row(2, model="vk")), "vk"),
            (frame(row(1), row(2, model="vk"), row(3)), "vk"),
        ],
    )
    def test_the_model_is_what_any_row_names(
        self, sent: Row | DataFrame, model: str | None
    ) -> None:
        content_type = FRAME if isinstance(sent, DataFrame) else ROW
        assert ProtobufCodec().parse(sent.SerializeToString(), content_type).model == model

    def test_rows_that_name_different_models_are_told_apart(self) -> None:
        error = refusal(frame(row(1), row(1, model="a"), row(1, model="a"), row(1, model="b")))
        assert error.message == (
            "row[3].model is 'b', row[1].model is 'a'; a DataFrame goes to one model"
        )
        assert error.details["field"] == "row[3].model"

    def test_a_data_frame_has_at_least_one_row(self) -> None:
        assert refusal(frame()).message == "row is missing, a DataFrame has at least one"

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
            ProtobufCodec().parse(body, ROW)
        assert caught.value.message == (
            "the body is not a tfaaspb.Row message; a DataFrame is announced as "
            "`application/x-protobuf; messageType=tfaaspb.DataFrame`"
        )

    @pytest.mark.parametrize("body", [b"\x00", frame(row(1, 2)).SerializeToString()[:-1]])
    def test_what_is_no_data_frame_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody) as caught:
            ProtobufCodec().parse(body, FRAME)
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
        document = ProtobufCodec().parse(body, content_type)
        assert (len(document.rows), document.single) == (2, False)

    @pytest.mark.parametrize(
        "content_type",
        ["", "text/plain", "application/x-protobuf; messageType=tfaaspb.Row", ROW + "; q=1"],
    )
    def test_all_else_is_a_row(self, content_type: str) -> None:
        document = ProtobufCodec().parse(row(1, 2).SerializeToString(), content_type)
        assert (len(document.rows), document.single) == (1, True)

    @pytest.mark.parametrize("name", ["tfaaspb.Hits", "tfaaspb.Predictions", "Row", "x" * 200])
    def test_another_message_is_an_unsupported_media_type(self, name: str) -> None:
        with pytest.raises(UnsupportedMediaType) as caught:
            ProtobufCodec().parse(b"", f"application/x-protobuf; messageType={name}")
        assert caught.value.message == (
            f"messageType is {name[:80]!r}, /proto reads tfaaspb.Row and tfaaspb.DataFrame"
        )


class TestRowsAndBatches:
    def test_a_row_is_one_row(self) -> None:
        bound = bind(row(1, -2.5))
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, -2.5]]), strict=True)

    def test_a_data_frame_is_a_batch(self) -> None:
        bound = bind(frame(row(1, 2), row(3, 4), row(5, 6)))
        assert (bound.rows, bound.single) == (3, False)
        np.testing.assert_array_equal(bound.arrays["x"], f32([[1, 2], [3, 4], [5, 6]]), strict=True)

    def test_a_data_frame_of_one_row_is_a_batch_of_one(self) -> None:
        assert not bind(frame(row(1, 2))).single

    def test_values_are_read_packed_and_one_by_one(self) -> None:
        one, two = struct.pack("<f", 0.1), struct.pack("<f", -2)
        codec = ProtobufCodec()
        for body in (
            b"\x12\x08" + one + two,
            b"\x15" + one + b"\x15" + two,
            b"\x12\x04" + one + b"\x15" + two,
            b"\x15" + one + b"\x0a\x00\x0a\x00" + b"\x12\x04" + two,
        ):
            bound = codec.bind(codec.parse(body, ROW), VK)
            np.testing.assert_array_equal(bound.arrays["x"], f32([[0.1, -2]]), strict=True)

    def test_every_finite_float32_arrives_as_it_was_sent(self) -> None:
        bits = np.random.default_rng(1).integers(0, 2**32, 5000, np.uint32).view(np.float32)
        finite = bits[np.isfinite(bits)]
        got = array(row(*finite.tolist()), taking(shape=(None, None)))
        assert got.tobytes() == finite.tobytes()

    @pytest.mark.parametrize(
        ("shape", "values", "expected"),
        [
            ((None,), [3], 3),
            ((None, None), [1, 2, 3], [1, 2, 3]),
            ((None, 2, 2), [1, 2, 3, 4], [[1, 2], [3, 4]]),
            ((None, 3, 1), [1, 2, 3], [[1], [2], [3]]),
            (None, [1, 2, 3], [1, 2, 3]),
        ],
    )
    def test_a_flat_row_takes_the_shape_of_the_models_rows(
        self, shape: tuple[int | None, ...] | None, values: list[float], expected: Any
    ) -> None:
        version = taking(shape=shape)
        np.testing.assert_array_equal(array(row(*values), version), f32([expected]), strict=True)
        batch = array(frame(row(*values), row(*values)), version)
        np.testing.assert_array_equal(batch, f32([expected] * 2), strict=True)

    @pytest.mark.parametrize(
        ("shape", "values", "expected"),
        [
            ((), [3], 3),
            ((2,), [1, 2], [1, 2]),
            ((None,), [1, 2, 3], [1, 2, 3]),
            ((2, 2), [1, 2, 3, 4], [[1, 2], [3, 4]]),
            (None, [1, 2], [1, 2]),
        ],
    )
    def test_without_a_batch_axis_a_row_is_the_whole_tensor(
        self, shape: tuple[int | None, ...] | None, values: list[float], expected: Any
    ) -> None:
        version = taking(shape=shape, batch=BatchAxis.NONE)
        bound = bind(row(*values), version)
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], f32(expected), strict=True)
        assert refusal(frame(row(*values)), version).message == (
            "model 'vk' takes no batches, send a Row"
        )

    def test_a_batch_axis_of_one_takes_many_rows_all_the_same(self) -> None:
        version = taking(shape=(1, 2), batch=BatchAxis.ONE)
        assert bind(frame(row(1, 2), row(3, 4)), version).rows == 2


class TestWhatDoesNotFit:
    def test_an_empty_body_is_a_row_without_values(self) -> None:
        error = refusal(row())
        assert error.message == (
            "value is missing; a DataFrame is announced as "
            "`application/x-protobuf; messageType=tfaaspb.DataFrame`"
        )
        assert error.details == {"field": "value", "model": "vk"}

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            (row(1), "value has 1 number, model 'vk' takes 2"),
            (row(1, 2, 3), "value has 3 numbers, model 'vk' takes 2"),
            (frame(row(1, 2), row(1)), "row[1].value has 1 number, model 'vk' takes 2"),
            (frame(row(1, 2), row()), "row[1].value is missing"),
            (frame(row()), "row[0].value is missing"),
        ],
    )
    def test_a_wrong_length_tells_both(self, sent: Row | DataFrame, message: str) -> None:
        assert refusal(sent).message == message

    @pytest.mark.parametrize("shape", [(None, None), None])
    def test_rows_of_different_lengths_are_told_apart(
        self, shape: tuple[int | None, ...] | None
    ) -> None:
        error = refusal(frame(row(1, 2), row(3, 4), row(5)), taking(shape=shape))
        assert error.message == "row[2].value has 1 number, row[0].value has 2"
        assert error.details == {
            "field": "row[2].value",
            "model": "vk",
            "expected": 2,
            "got": 1,
        }

    def test_values_of_a_row_of_higher_rank_are_counted(self) -> None:
        message = refusal(row(1, 2, 3), taking(shape=(None, 2, 2))).message
        assert message == "value has 3 numbers, model 'vk' takes 4"

    @pytest.mark.parametrize(
        ("version", "message"),
        [
            (
                model_version([TensorSpec(n, "float32", (None, 1)) for n in "ab"]),
                "takes 2 inputs, a Row holds one",
            ),
            (taking(shape=(None, None, 8)), "takes shape [?, 8], a Row is flat"),
            (taking("string"), "takes strings, a Row holds numbers"),
            (taking("bool"), "takes booleans, a Row holds numbers"),
            (taking("complex64"), "takes [re, im] pairs, a Row holds numbers"),
            (
                giving(TensorSpec("y", "string", (None, 1))),
                "answers strings, Predictions hold numbers",
            ),
            (
                giving(TensorSpec("y", "complex64", (None, 1))),
                "answers [re, im] pairs, Predictions hold numbers",
            ),
        ],
    )
    def test_models_that_rows_cannot_serve_are_sent_elsewhere(
        self, version: ModelVersion, message: str
    ) -> None:
        error = refusal(row(1, 2), version)
        assert error.message == f"model 'vk' {message}; use /json or /msgpack"
        assert error.details == {"model": "vk"}

    @pytest.mark.parametrize(
        ("number", "shown"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
    )
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_nan_and_infinities_are_refused(self, dtype: str, number: float, shown: str) -> None:
        largest = f"{float(np.finfo(dtype).max):.8g}"
        error = refusal(frame(row(1, 2), row(3, number)), taking(dtype))
        assert error.message == (
            f"row[1].value[1] is {shown}, model 'vk' takes numbers from -{largest} to {largest}"
        )
        assert error.details["field"] == "row[1].value[1]"
        assert refusal(row(number, 2), taking(dtype)).message.startswith(f"value[0] is {shown}, ")


INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


class TestDtypes:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_floats_are_rounded_to_the_models_dtype(self, dtype: str) -> None:
        expected = f32([[0.1, -3]]).astype(dtype)
        np.testing.assert_array_equal(array(row(0.1, -3), taking(dtype)), expected, strict=True)

    def test_numbers_beyond_the_float_are_named(self) -> None:
        error = refusal(row(1, 65520), taking("float16"))
        assert error.message == (
            "value[1] is 65520.0, model 'vk' takes numbers from -65504 to 65504"
        )

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_whole_numbers(self, dtype: str) -> None:
        got = array(row(3, -0.0), taking(dtype))
        np.testing.assert_array_equal(got, np.array([[3, 0]], dtype), strict=True)

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_take_what_float32_has_of_their_range(self, dtype: str) -> None:
        limits = np.iinfo(dtype)
        most = f32(limits.max)
        if int(most) > limits.max:
            most = np.nextafter(most, f32(0))
        got = array(row(float(limits.min), float(most)), taking(dtype))
        assert got.tolist() == [[limits.min, int(most)]]

    @pytest.mark.parametrize("dtype", INTEGERS)
    def test_integers_refuse_what_is_beyond(self, dtype: str) -> None:
        limits = np.iinfo(dtype)
        for number in (float(limits.max) + 1, np.nextafter(f32(limits.min), f32(-np.inf)) - 1):
            error = refusal(row(1, float(number)), taking(dtype))
            assert error.message.startswith("value[1] is ")
            assert error.message.endswith(
                f", model 'vk' takes integers from {limits.min} to {limits.max}"
            )

    @pytest.mark.parametrize(
        ("number", "shown"), [(0.5, "0.5"), (0.1, "0.1"), (np.nan, "NaN"), (np.inf, "infinite")]
    )
    def test_integers_refuse_fractions(self, number: float, shown: str) -> None:
        error = refusal(row(1, number), taking("int8"))
        assert error.message == f"value[1] is {shown}, model 'vk' takes integers from -128 to 127"


class TestKeys:
    def test_without_features_the_order_sent_is_used(self) -> None:
        assert array(row(1, 2, keys=["b", "a"])).tolist() == [[1, 2]]

    def test_with_features_but_no_keys_the_order_sent_is_used(self) -> None:
        assert array(row(3, 1, 2), VK_3).tolist() == [[3, 1, 2]]

    def test_with_features_each_row_is_put_into_their_order(self) -> None:
        assert array(row(3, 1, 2, keys="cab"), VK_3).tolist() == [[1, 2, 3]]
        sent = frame(
            row(3, 1, 2, keys="cab"),
            row(3, 1, 2, keys="cab"),
            row(1, 2, 3),
            row(1, 2, 3, keys="abc"),
            row(2, 1, 3, keys="bac"),
            row(3, 1, 2, keys="cab"),
        )
        assert array(sent, VK_3).tolist() == [[1, 2, 3]] * 6

    @pytest.mark.parametrize("dtype", ["float64", "int8"])
    def test_rows_of_other_dtypes_are_put_into_order_too(self, dtype: str) -> None:
        version = taking(dtype, shape=(None, 3), features=["a", "b", "c"])
        assert array(row(3, 1, 2, keys="cab"), version).tolist() == [[1, 2, 3]]

    def test_keys_say_nothing_of_a_row_of_higher_rank(self) -> None:
        version = taking(shape=(None, 2, 1), features=["a", "b"])
        assert array(row(2, 1, keys="ba"), version).tolist() == [[[2], [1]]]
        assert array(row(2, 1, keys="q"), version).tolist() == [[[2], [1]]]

    def test_features_order_a_whole_tensor_of_one_axis_too(self) -> None:
        version = taking(shape=(2,), batch=BatchAxis.NONE, features=["a", "b"])
        assert array(row(2, 1, keys="ba"), version).tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("sent", "fault", "field"),
        [
            (row(1, 2, 3, keys="abd"), "key 'c' is missing", "key"),
            (row(1, 2, 3, keys="aba"), "key 'a' is sent twice", "key"),
            (
                frame(row(1, 2, 3), row(1, 2, 3, keys="abcd")),
                "key 'd' is unknown in row[1].key",
                "row[1].key",
            ),
        ],
    )
    def test_with_features_a_wrong_key_is_named(
        self, sent: Row | DataFrame, fault: str, field: str
    ) -> None:
        error = refusal(sent, VK_3)
        assert error.message == f"{fault}, model 'vk' takes each of its features once"
        assert error.details["field"] == field
        assert error.details["expected"] == ["a", "b", "c"]

    def test_keys_are_as_many_as_columns(self) -> None:
        assert refusal(row(1, 2, keys="a")).message == "key names 1 columns, value has 2"
        error = refusal(frame(row(1, 2), row(1, 2, keys="abc")))
        assert error.message == "row[1].key names 3 columns, row[1].value has 2"

    def test_faults_are_named_where_they_were_sent(self) -> None:
        error = refusal(row(np.nan, 1, 2, keys="cab"), VK_3)
        assert error.details["field"] == "value[0]"


def spec(
    shape: tuple[int | None, ...] | None, dtype: str = "float32", name: str = "y"
) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


class TestPredictions:
    def test_a_row_is_answered_by_a_class_for_each_value(self) -> None:
        got = answer(giving(spec((None, 3))), 1, f32([[0.25, 0, -0.0]]))
        assert got == [("", 0.25), ("", 0), ("", 0)]

    def test_classes_have_the_models_labels_in_order(self) -> None:
        version = giving(spec((None, 3)), labels=["higgs", "café", "x" * 300])
        got = answer(version, 1, f32([[0.5, 0.25, 0]]))
        assert got == [("higgs", 0.5), ("café", 0.25), ("x" * 300, 0)]

    def test_a_batch_is_answered_row_after_row(self) -> None:
        version = giving(spec((None, 2)), labels=["a", "b"])
        got = answer(version, 3, f32([[1, 2], [3, 4], [5, 6]]))
        assert got == [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5), ("b", 6)]

    @pytest.mark.parametrize(
        ("labels", "expected"), [(["a"], ["a", "", ""]), (["a", "b", "c", "d"], ["a", "b", "c"])]
    )
    def test_labels_go_as_far_as_they_go(self, labels: list[str], expected: list[str]) -> None:
        got = answer(giving(spec((None, 3)), labels=labels), 1, f32([[1, 2, 3]]))
        assert [label for label, _ in got] == expected

    def test_several_outputs_follow_each_other_in_each_row(self) -> None:
        version = giving(
            spec((None, 3), name="c"), spec((None, 2), name="b"), spec((None,), name="a"),
            labels=["p", "q"],
        )  # fmt: skip
        got = answer(version, 2, f32([[1, 2, 3]] * 2), f32([[4, 5]] * 2), f32([6, 7]))
        first = [("", 1), ("", 2), ("", 3), ("p", 4), ("q", 5), ("", 6)]
        assert got == [*first, *first[:-1], ("", 7)]

    def test_outputs_of_higher_rank_are_flat_in_c_order(self) -> None:
        values = np.asfortranarray(f32([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]))
        got = answer(giving(spec((None, 2, 2))), 2, values)
        assert [number for _, number in got] == [1, 2, 3, 4, 5, 6, 7, 8]
        whole = answer(giving(spec((2, 2)), batch=BatchAxis.NONE), 1, values[0])
        assert [number for _, number in whole] == [1, 2, 3, 4]
        assert answer(giving(spec(()), batch=BatchAxis.NONE), 1, f32(3)) == [("", 3)]

    def test_outputs_of_no_elements_have_no_classes(self) -> None:
        assert answer(giving(spec((None, 0))), 2, f32(np.zeros((2, 0)))) == []

    def test_one_version_answers_rows_of_any_length(self) -> None:
        version = giving(spec((None, None)), labels=["a", "b"])
        codec = ProtobufCodec()
        document = codec.parse(row(1, 2).SerializeToString(), ROW)
        for count in (2, 5, 0, 2):
            values = f32([np.arange(1, count + 1)])
            body = codec.encode({"y": values}, Bound({}, 1, True), document, version).body
            got = Predictions.FromString(body).prediction
            assert [each.probability for each in got] == values[0].tolist()

    @pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8", "bool"])
    def test_numbers_of_every_dtype_become_float32(self, dtype: str) -> None:
        got = answer(giving(spec((None, 2), dtype)), 1, np.array([[1, 0]], dtype))
        assert got == [("", 1), ("", 0)]

    def test_nan_infinities_and_numbers_too_large_are_answered(self) -> None:
        version = giving(spec((None, 4), "float64"))
        values = np.array([[np.nan, np.inf, 1e300, -1e300]])
        nan, *others = [number for _, number in answer(version, 1, values)]
        assert np.isnan(nan)
        assert others == [np.inf, np.inf, -np.inf]
