from __future__ import annotations

import numpy as np
import pytest
from tfaas_codec_csv import tfaas_register_codecs
from tfaas_codec_csv.codec import CsvCodec, TsvCodec

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

VERSION = model_version()  # float32 [?, 2] to float32 [?, 1]
NAMED = model_version(params={"features": ["pt", "eta"]})
TYPE = "text/csv; charset=utf-8; header=present"


def rows(*values: list[float]) -> Array:
    return np.array(values, np.float32)


def bound(array: Array) -> Bound:
    return Bound({"x": array}, rows=len(array), single=len(array) == 1)


class TestCsvCodec(CodecContract):
    make_codec = CsvCodec
    samples = (
        Sample(b"1,2.5\n", VERSION, bound(rows([1, 2.5])), {"y": rows([0.1])}, b"y\n0.1\n"),
        Sample(
            b'eta,"pt"\r\n2,1\r\n4,3\r\n',
            NAMED,
            bound(rows([1, 2], [3, 4])),
            {"y": rows([0.5], [0.25])},
            b"y\n0.5\n0.25\n",
            content_type="text/csv; header=present",
            query=[("model", "vk"), ("label", "best")],
        ),
        Sample(
            b"1,\n2,nan\n",
            model_version(params={"nan": "accept"}),
            bound(rows([1, np.nan], [2, np.nan])),
            {"y": rows([np.nan], [1])},
            b"y\nnan\n1.0\n",
        ),
        Sample(
            b"a,b\n",
            VERSION,
            Bound({"x": np.zeros((0, 2), np.float32)}, rows=0, single=False, whole=True),
            {"y": np.zeros((0, 1), np.float32)},
            b"y\n",
        ),
    )


class TestTsvCodec(CodecContract):
    make_codec = TsvCodec
    samples = (
        Sample(b"1\t2.5\n", VERSION, bound(rows([1, 2.5])), {"y": rows([0.1])}, b"y\n0.1\n"),
        Sample(
            b"1\t2\n3\t4\n",
            VERSION,
            bound(rows([1, 2], [3, 4])),
            {"y": rows([0.5], [0.25])},
            b"y\n0.5\n0.25\n",
        ),
        Sample(
            b"1\tnan\n",
            model_version(params={"nan": "accept"}),
            bound(rows([1, np.nan])),
            {"y": rows([1])},
            b"y\n1.0\n",
        ),
        Sample(
            b"",
            VERSION,
            Bound({"x": np.zeros((0, 2), np.float32)}, rows=0, single=False, whole=True),
            {"y": np.zeros((0, 1), np.float32)},
            b"y\n",
        ),
    )


def table(body: bytes, version: ModelVersion = VERSION, content_type: str = "text/csv") -> Bound:
    codec = CsvCodec()
    return codec.bind(codec.parse(body, Head.of_type(content_type)), version)


def test_the_plugin_registers_the_codecs() -> None:
    assert [codec.name for codec in tfaas_register_codecs()] == ["csv", "tsv"]


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        (b"1,2\n3\n", BadBody, "row 2 has 1 cells, expected 2"),
        (b'1,"2\n', BadBody, "the table cannot be read, see line 1"),
        (b"1,\xff\n", BadBody, "not UTF-8: see byte 2"),
        (b"a,b\n1,1_0\n", DoesNotFit, "row 1, column 'b' is '1_0', expected a number"),
        ("a,b\n1,\u0661\n".encode(), DoesNotFit, "expected a number"),
        (b"1,inf\n", DoesNotFit, "row 1, column 2 is infinite"),
        (b"1,2,3\n", DoesNotFit, "a row has 3 numbers, model 'vk' takes 2"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    body: bytes, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        table(body)


def test_a_first_row_of_texts_names_the_columns() -> None:
    assert table(b"a,x\n").rows == 0
    assert table(b"a,\n2,3\n").arrays["x"].tolist() == [[2, 3]]


@pytest.mark.parametrize("body", [b"1,x\n", b"1,2O\n3,4\n", b",a,1\n"])
def test_a_slip_in_the_first_row_loses_no_row(body: bytes) -> None:
    with pytest.raises(BadBody, match="the first row has numbers and texts; say in the media type"):
        table(body)
    with pytest.raises(DoesNotFit, match=r"row 1, column . is '.*', expected a number"):
        table(body, content_type="text/csv; header=absent")


def test_the_media_type_says_whether_names_are_there() -> None:
    assert table(b"1,2\n3,4\n", content_type="text/csv; header=present").rows == 1
    with pytest.raises(DoesNotFit, match="row 1, column 1 is 'a', expected a number"):
        table(b"a,b\n3,4\n", content_type='text/csv; charset=utf-8; header="absent"')


def test_large_integers_keep_their_digits() -> None:
    version = model_version([TensorSpec("x", "int64", (None, 1))])
    assert table(b"9007199254740993\n", version).arrays["x"].tolist() == [[9007199254740993]]


def test_columns_are_called_by_labels_and_outputs_and_tabs_are_kept_out_of_cells() -> None:
    specs = (
        TensorSpec("p", "float32", (None, 2)),
        TensorSpec("word", "string", (None,)),
        TensorSpec("scale", "float32", (1,), constant=True),
    )
    version = model_version(outputs=specs, labels=("no", "yes"))
    arrays = {
        "p": rows([0.25, 0.75], [1, 0]),
        "word": np.array([b'a "word"', b"two\tparts"], object),
        "scale": np.array([2], np.float32),
    }
    given = bound(rows([1, 2], [3, 4]))
    assert CsvCodec().encode_other(arrays, given, version).whole().decode().splitlines() == [
        "p_no,p_yes,word,scale",
        '0.25,0.75,"a ""word""",2.0',
        "1.0,0.0,two\tparts,",
    ]
    last = TsvCodec().encode_other(arrays, given, version).whole().decode().splitlines()[-1]
    assert last == "1.0\t0.0\ttwo parts\t"


def test_many_rows_come_in_pieces() -> None:
    encoded = CsvCodec().encode_other(
        {"y": np.zeros((2500, 1), np.float32)}, bound(np.zeros((2500, 2), np.float32)), VERSION
    )
    assert encoded.media_type == TYPE
    assert encoded.pieces is not None
    assert [piece.count(b"\n") for piece in encoded.pieces] == [1, 1000, 1000, 500]
