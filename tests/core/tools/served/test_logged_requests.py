"""Requests that TensorFlow Serving logs to warm a model up."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.cli.served.models import example, logged, predict_log, regress_log
from tfaas_core.tools.served.logged_requests import LoggedExamples, logged_examples
from tfaas_core.tools.served.tf_records import masked_crc32c
from tfaas_core.uploads.companions import MAX_WARMUP_BYTES

ROW = predict_log({"x": [[1.0, 2.0]]})
ROW_INPUTS = {"inputs": {"x": [[1.0, 2.0]]}}


def read(folder: Path, records: Sequence[bytes]) -> LoggedExamples:
    return logged_examples(logged(folder, records))


def documents(folder: Path, *records: bytes) -> list[dict[str, Any]]:
    """Of records that are all good."""
    found = read(folder, records)
    assert found.left_out == []
    return [each.document for each in found.examples]


@pytest.mark.parametrize(
    "dtype",
    [
        *("float16", "bfloat16", "float32", "float64", "bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    ],
)
def test_numbers_of_every_dtype_are_read(tmp_path: Path, dtype: str) -> None:
    numpy_dtype = tf.dtypes.as_dtype(dtype).as_numpy_dtype
    array = np.array([[0, 1], [1, 0], [1, 1]]).astype(numpy_dtype)
    packed = tf.make_tensor_proto(array)
    assert packed.tensor_content or dtype in ("bool", "uint16")
    one = tf.make_tensor_proto(array[1, 0], shape=[2, 2])
    assert not one.tensor_content
    for tensor, values in ((packed, array.tolist()), (one, [[1, 1], [1, 1]])):
        assert documents(tmp_path, predict_log({"x": tensor})) == [{"inputs": {"x": values}}]


def test_extreme_complex_text_and_scalar_values_are_read(tmp_path: Path) -> None:
    inputs = {
        "half": tf.make_tensor_proto([-2.5], tf.float16),
        "brain": tf.make_tensor_proto([-2.5, 3.0], tf.bfloat16),
        "large": tf.make_tensor_proto(np.array([2**64 - 1, 5], np.uint64)),
        "small": tf.make_tensor_proto(np.array([-(2**63)])),
        "complex": tf.make_tensor_proto([1 + 2j, 3 - 4j], tf.complex64),
        "one": tf.make_tensor_proto(5, tf.int8),
        "texts": tf.make_tensor_proto([[b"a", "\u00e4".encode()], [b"\xff", b""]]),
        "none": tf.make_tensor_proto(np.zeros([0, 3], np.float32)),
    }
    assert documents(tmp_path, predict_log(inputs))[0]["inputs"] == {
        "half": [-2.5],
        "brain": [-2.5, 3.0],
        "large": [2**64 - 1, 5],
        "small": [-(2**63)],
        "complex": [[1.0, 2.0], [3.0, -4.0]],
        "one": 5,
        "texts": [["a", "\u00e4"], [{"b64": "/w=="}, ""]],
        "none": [],
    }


def test_examples_to_regress_come_as_a_model_takes_them(tmp_path: Path) -> None:
    context = example(c=1.0)
    first, second, together = documents(
        tmp_path,
        regress_log([1.0, 2.0]),
        regress_log([3.0], signature=""),
        regress_log([4.0], context=context),
    )
    assert list(first) == ["inputs", "signature_name"]
    assert first["signature_name"] == "regress"
    assert second.keys() == {"inputs"}

    def parsed(value: Any) -> dict[str, float]:
        data = (
            value.encode()
            if isinstance(value, str)
            else tf.io.decode_base64(value["b64"].replace("+", "-").replace("/", "_")).numpy()
        )
        features = tf.train.Example.FromString(data).features.feature
        return {name: feature.float_list.value[0] for name, feature in features.items()}

    assert [parsed(each) for each in first["inputs"]["inputs"]] == [{"x": 1.0}, {"x": 2.0}]
    assert [parsed(each) for each in together["inputs"]["inputs"]] == [{"x": 4.0, "c": 1.0}]


def tensor(**fields: Any) -> Any:
    """A TensorProto that TensorFlow would not write."""
    shape = fields.pop("shape", [1])
    made = tf.make_tensor_proto(0.0).__class__(**fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "it is neither a predict, a classify nor a regress request"),
        (b"rubbish", "it is no PredictionLog"),
        (b"\x2a\x00", "it is neither a predict, a classify nor a regress request"),
        (predict_log({}), "it has no inputs"),
        (predict_log({"y": [1.0]}).replace(b"y", b"\xff"), "it is no PredictionLog"),
        (predict_log({"x": [1.0]}, "sign").replace(b"sign", b"\xff\xfe\xfd\xfc"), "is no Predict"),
        (predict_log({"x": tensor(dtype=20)}), "input 'x': its dtype is TensorFlow's number 20"),
        (predict_log({"x": tensor(dtype=1)}), "input 'x': its values are not of its dtype"),
        (predict_log({"x": tensor(dtype=1, float_val=[1, 2])}), "its values are not of its dtype"),
        (predict_log({"x": tensor(dtype=1, tensor_content=b"123")}), "are not of its dtype"),
        (predict_log({"x": tensor(dtype=1, tensor_content=b"12345678")}), "not of its dtype"),
        (predict_log({"x": tensor(dtype=4, int_val=[256])}), "are not of its dtype"),
        (predict_log({"x": tensor(dtype=7, tensor_content=b"1")}), "are not of its dtype"),
        (
            predict_log({"x": tensor(dtype=1, float_val=[1], shape=[10**6, 10**6])}),
            "its shape is [1000000, 1000000], with more values than an example holds",
        ),
        (
            predict_log({"x": tensor(dtype=1, shape=[0, 2**40])}),
            "with more values than an example holds",
        ),
        (predict_log({"x": tensor(dtype=1, float_val=[1], shape=[-1])}), "its shape is [-1]"),
        (predict_log({"x": tensor(dtype=1, float_val=[1], shape=[1] * 200)}), "has 200 axes"),
        (predict_log({"x": tf.make_tensor_proto(b"a" * (5 << 20))}), "4194304 are allowed"),
        (
            predict_log({"x": tf.make_tensor_proto(b"\xff" * (3 << 20))}),
            "the examples would be larger than a version may carry",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_example_is_left_out_and_the_others_are_read(
    tmp_path: Path, record: bytes, reason: str
) -> None:
    found = read(tmp_path, [ROW, record, ROW])
    assert [each.document for each in found.examples] == [ROW_INPUTS, ROW_INPUTS]
    (told,) = found.left_out
    assert told.startswith("number 2: ")
    assert reason in told


def test_no_more_are_read_than_a_version_carries(tmp_path: Path) -> None:
    found = read(tmp_path, [ROW] * 102)
    assert len(found.examples) == 100
    assert found.left_out == ["from number 101 on: there are more than are taken"]


# Files that are damaged.


def test_the_checksum_is_that_of_tfrecord(tmp_path: Path) -> None:
    for content in (b"", b"1", bytes(range(256)) * 9):
        *_, checksum = struct.unpack("<QI", logged(tmp_path, [content]).read_bytes()[:12])
        assert masked_crc32c(struct.pack("<Q", len(content))) == checksum


def flipped(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_of_a_damaged_record_the_others_are_read(tmp_path: Path) -> None:
    file = logged(tmp_path, [ROW, ROW, ROW])
    flipped(file, len(ROW) + 16 + 12)
    found = logged_examples(file)
    assert [each.record for each in found.examples] == [1, 3]
    assert found.left_out == ["number 2: its checksum is wrong"]


@pytest.mark.parametrize("damage", ["length", "cut", "cut head", "beyond"])
def test_behind_a_record_whose_end_nobody_knows_nothing_is_read(
    tmp_path: Path, damage: str
) -> None:
    file = logged(tmp_path, [ROW, ROW, ROW])
    second = len(ROW) + 16
    if damage == "length":
        flipped(file, second)
    elif damage == "beyond":
        length = struct.pack("<Q", 1 << 62)
        head = length + struct.pack("<I", masked_crc32c(length))
        file.write_bytes(file.read_bytes()[:second] + head + b"x")
    else:
        os.truncate(file, second + (5 if damage == "cut head" else 20))
    found = logged_examples(file)
    assert [each.record for each in found.examples] == [1]
    reason = "the checksum of its length is wrong" if damage == "length" else "the file ends in it"
    assert found.left_out == [f"number 2: {reason}"]


def test_a_record_that_is_too_large_is_passed_over_unread(tmp_path: Path) -> None:
    file = logged(tmp_path, [ROW])
    length = struct.pack("<Q", 1 << 40)
    whole = file.read_bytes()
    file.write_bytes(length + struct.pack("<I", masked_crc32c(length)))
    with file.open("r+b") as sparse:
        sparse.seek(12 + (1 << 40) + 4)
        sparse.write(whole)
    found = logged_examples(file)
    assert found.left_out == [f"number 1: it has {1 << 40} bytes, {MAX_WARMUP_BYTES} are allowed"]
    assert [each.document for each in found.examples] == [ROW_INPUTS]


@pytest.mark.parametrize("record", [b"", bytes(MAX_WARMUP_BYTES)], ids=["empty", "large"])
def test_of_rubbish_no_more_is_read_than_is_bearable(tmp_path: Path, record: bytes) -> None:
    count = 1005 if not record else 10
    found = read(tmp_path, [record] * count)
    assert found.examples == []
    assert len(found.left_out) == (1001 if not record else 6)
    assert found.left_out[-1].endswith("there are more than are taken")
