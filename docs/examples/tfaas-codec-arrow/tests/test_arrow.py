from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tables import (
    LIMIT,
    NAMED,
    NAN,
    TWO_INPUTS,
    VERSION,
    answer,
    bound,
    file,
    lists,
    read,
    rows,
    stream,
)
from tfaas_codec_arrow import tfaas_register_codecs
from tfaas_codec_arrow.codec import ARROW_STREAM, PARQUET, ArrowCodec

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version


def samples_of(write: Any) -> tuple[Sample, ...]:
    one = pa.table({"a": pa.array([1], pa.int64()), "b": [2.5]})
    named = pa.table({"eta": [2.0, 4], "pt": pa.array([1, 3], pa.int8())})
    nulls = pa.table({"a": [1.0, None], "b": pa.array([None, 2], pa.int32())})
    return (
        Sample(write(one), VERSION, bound(rows([1, 2.5])), {"y": rows([0.1])}, answer(0.1)),
        Sample(
            write(named),
            NAMED,
            bound(rows([1, 2], [3, 4])),
            {"y": rows([0.5], [0.25])},
            answer(0.5, 0.25),
            query=[("model", "vk"), ("label", "best")],
        ),
        Sample(
            write(nulls),
            NAN,
            bound(rows([1, np.nan], [np.nan, 2])),
            {"y": rows([np.nan], [1])},
            answer(np.nan, 1),
        ),
        Sample(
            write(one[:0]),
            VERSION,
            Bound({"x": np.zeros((0, 2), np.float32)}, rows=0, single=False, whole=True),
            {"y": np.zeros((0, 1), np.float32)},
            answer(),
        ),
        Sample(
            write(pa.table({"x": lists(rows([1, 2], [3, 4]))})),
            VERSION,
            bound(rows([1, 2], [3, 4])),
            {"y": rows([1], [2])},
            answer(1, 2),
        ),
    )


class TestStreams(CodecContract):
    make_codec = staticmethod(lambda: ArrowCodec(LIMIT))
    samples = samples_of(stream)


class TestCompressedStreams(CodecContract):
    make_codec = staticmethod(lambda: ArrowCodec(LIMIT))
    samples = samples_of(lambda table: stream(table, compression="zstd"))


class TestParquet(CodecContract):
    make_codec = staticmethod(lambda: ArrowCodec(LIMIT))
    samples = samples_of(file)


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "arrow"
    assert codec.media_types == (ARROW_STREAM, PARQUET)


def test_lists_of_the_models_dtype_are_not_copied() -> None:
    body = stream(pa.table({"x": lists(rows([1, 2], [3, 4]))}))
    array = read(body).arrays["x"]
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))
    assert array.tolist() == [[1, 2], [3, 4]]


def test_batches_and_row_groups_are_one_table() -> None:
    array = np.arange(14, dtype=np.float32).reshape(7, 2)
    for table in (
        pa.table({"x": lists(array)}),
        pa.table({"a": array[:, 0], "b": array[:, 1]}),
        pa.table({"x": pa.array(array.tolist(), pa.list_(pa.float64()))}),
    ):
        bodies = [stream(table, rows=3)]
        for version in ("1.0", "2.0"):
            bodies.append(file(table, row_group_size=3, data_page_version=version))
        for body in bodies:
            np.testing.assert_array_equal(read(body).arrays["x"], array)


def test_an_index_that_pandas_wrote_is_no_column() -> None:
    table = pa.table({"eta": [2.0], "pt": [1.0], "__index_level_0__": ["a"]})
    assert read(stream(table), NAMED).arrays["x"].tolist() == [[1, 2]]


def test_several_inputs_are_a_column_each() -> None:
    table = pa.table(
        {
            "word": ["a", "caf\u00e9"],
            "image": pa.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], pa.list_(pa.list_(pa.int64()))),
        }
    )
    got = read(stream(table), TWO_INPUTS)
    assert got.arrays["image"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert got.arrays["word"].tolist() == [b"a", "caf\u00e9".encode()]
    flat = pa.table({"image": lists(rows([1, 2, 3, 4])), "word": [b"a"]})
    assert read(stream(flat), TWO_INPUTS).arrays["image"].tolist() == [[[1, 2], [3, 4]]]
    none = read(stream(table[:0]), TWO_INPUTS)
    assert none.whole
    assert none.arrays["image"].shape == (0, 2, 2)


def test_a_model_without_a_batch_axis_takes_one_row() -> None:
    version = model_version([TensorSpec("x", "float32", (None, 2))], batch=BatchAxis.NONE)
    table = pa.table({"x": pa.array([[[1, 2], [3, 4], [5, 6]]], pa.list_(pa.list_(pa.int8())))})
    assert read(stream(table), version).arrays["x"].tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(DoesNotFit, match="takes no batches, send a table of one row"):
        read(stream(pa.concat_tables([table, table])), version)


def test_large_integers_keep_their_digits() -> None:
    version = model_version([TensorSpec("x", "int64", (None, 2))])
    table = pa.table({"a": [9007199254740993], "b": [3.0]})
    assert read(stream(table), version).arrays["x"].tolist() == [[9007199254740993, 3]]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"pt": [1.0], "mass": [2.0]}, "key 'eta' is missing"),
        ({"pt": [1.0], "eta": [2.0], "mass": [3.0]}, "key 'mass' is unknown"),
        ({"pt": ["1"], "eta": [2.0]}, "column 'pt' is string, model 'vk' takes numbers from"),
        ({"pt": [True], "eta": [2.0]}, "column 'pt' is bool, model 'vk' takes numbers from"),
        ({"pt": [1.0, None], "eta": [2.0, 3]}, 'row 1, column \'pt\' is null, .*"nan": "accept"'),
        ({"pt": [1.0, 2], "eta": [2.0, np.nan]}, "row 1, column 'eta' is NaN"),
        ({"pt": [1e300], "eta": [2.0]}, r"row 0, column 'pt' is 1e\+300"),
        ({"x": [[1.0], [1.0, 2.0]]}, "row 1, column 'x' .* of .*2.*, .* of .*1"),
        ({"x": [[1.0, 2], None]}, "row 1, column 'x' is null"),
        ({"x": [[1.0, 2], [3, None]]}, "row 1, column 'x', element 1 is null"),
        ({"x": [[1.0, 2, 3]]}, r"a row of column 'x' is \[3\], model 'vk' takes \[2\]"),
        ({"x": [[[1.0, 2]]]}, r"a row of column 'x' is \[1, 2\], model 'vk' takes \[2\]"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(columns: dict[str, Any], told: str) -> None:
    for rows_of_a_batch in (None, 1):
        with pytest.raises(DoesNotFit, match=told):
            read(stream(pa.table(columns), rows_of_a_batch), NAMED)


@pytest.mark.parametrize(
    ("table", "version", "told"),
    [
        (pa.table({"image": [1.0], "b": [2]}), TWO_INPUTS, "'b' is none of these; send a column"),
        (pa.table([[1.0], [2.0]], ["x", "x"]), VERSION, "'x' is sent twice"),
        (pa.table({"a": [1.0], "b": [2], "c": [3]}), VERSION, "a row has 3 numbers"),
        (pa.table({"a": pa.array(["x"]).dictionary_encode()}), VERSION, "cast those of categories"),
        (
            pa.table({"x": [1.0]}),
            model_version([TensorSpec("x", "complex64", (None,))]),
            "takes complex numbers, which Arrow has not",
        ),
    ],
)
def test_columns_that_are_none_of_the_models_are_told(
    table: pa.Table, version: ModelVersion, told: str
) -> None:
    with pytest.raises(DoesNotFit, match=told):
        read(stream(table), version)


def test_views_of_text_are_text_and_no_more_of_it_than_the_limit() -> None:
    version = model_version([TensorSpec("word", "string", (None,))])
    texts = ["a", "b" * 30, ""]
    for kind in (pa.string_view(), pa.binary_view()):
        table = pa.table({"word": pa.array(texts, kind)})
        got = read(stream(table), version).arrays["word"]
        assert got.tolist() == [text.encode() for text in texts]
    _, view, text = pa.array(["b" * 10_000], pa.string_view()).buffers()
    views = pa.py_buffer(view.to_pybytes()[:16] * 1000)
    same = pa.Array.from_buffers(pa.string_view(), 1000, [None, views, text])
    with pytest.raises(TooLarge):
        read(stream(pa.table({"word": same})), version)


def test_lists_without_elements_are_of_any_dtype() -> None:
    table = pa.table({"x": pa.array([[], []], pa.list_(pa.null()))})
    for dtype in ("float32", "int8", "bool", "complex64", "string"):
        version = model_version([TensorSpec("x", dtype, (None, None))])
        assert read(stream(table), version).arrays["x"].shape == (2, 0)


def test_text_of_parquet_is_refused() -> None:
    version = model_version([TensorSpec("word", "string", (None,))])
    with pytest.raises(DoesNotFit, match="column 'word' is string, of Parquet numbers"):
        read(file(pa.table({"word": ["a"]})), version)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is empty"),
        (b"ARROW1\0\0", "the body is a file of Arrow, or Feather"),
        (b"PAR1PAR1", "the body is not a Parquet file"),
        (b"{}", "the body is not a stream of Arrow"),
        (answer(1)[:-20], "the body is not a stream of Arrow"),
        # pyarrow crashes if it is asked for the schema of such a message.
        (pa.record_batch({"x": [1]}).serialize().to_pybytes(), "the body is not a stream of Arrow"),
        (answer(1) * 2, "the stream of Arrow ends at byte"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, told: str) -> None:
    with pytest.raises(BadBody, match=told):
        read(body)
