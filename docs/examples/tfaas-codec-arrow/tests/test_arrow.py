from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet
from tfaas_codec_arrow import tfaas_register_codecs
from tfaas_codec_arrow.codec import ARROW_STREAM, PARQUET, ArrowCodec

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version

LIMIT = 1_000_000
VERSION = model_version()  # float32 [?, 2] to float32 [?, 1]
NAMED = model_version(params={"features": ["pt", "eta"]})
NAN = model_version(params={"nan": "accept"})
TWO_INPUTS = model_version(
    [TensorSpec("image", "float32", (None, 2, 2)), TensorSpec("word", "string", (None,))]
)


def stream(table: pa.Table, rows: int | None = None, **options: Any) -> bytes:
    body = io.BytesIO()
    with ipc.new_stream(body, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return body.getvalue()


def file(table: pa.Table, **options: Any) -> bytes:
    body = io.BytesIO()
    parquet.write_table(table, body, **options)
    return body.getvalue()


def rows(*values: list[float]) -> Array:
    return np.array(values, np.float32)


def lists(array: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1])


def bound(array: Array) -> Bound:
    return Bound({"x": array}, rows=len(array), single=len(array) == 1)


def answer(*values: float) -> bytes:
    return stream(pa.table({"y": pa.array(values, pa.float32())}))


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


def read(body: bytes, version: ModelVersion = VERSION, limit: int = LIMIT) -> Bound:
    codec = ArrowCodec(limit)
    return codec.bind(codec.parse(body, Head.of_type(ARROW_STREAM)), version)


def written(outputs: dict[str, Array], version: ModelVersion) -> pa.Table:
    encoded = ArrowCodec(LIMIT).encode_other(outputs, bound(rows([1, 2])), version)
    return ipc.open_stream(encoded.whole()).read_all()


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


ZEROS = pa.table({"a": np.zeros(400_000, np.float32), "b": np.zeros(400_000, np.float32)})
NULLS = pa.table({"a": pa.nulls(400_000, pa.float32()), "b": pa.nulls(400_000, pa.float32())})


@pytest.mark.parametrize(
    "body",
    [
        stream(ZEROS, compression="zstd"),
        stream(ZEROS, compression="lz4"),
        file(ZEROS),
        file(ZEROS, use_dictionary=False, compression="zstd"),
        file(ZEROS, data_page_version="2.0", compression="zstd"),
        file(NULLS),
        # A column of nulls has no bytes, however many they are.
        stream(pa.table({"a": pa.nulls(2), "b": pa.nulls(2)})).replace(
            struct.pack("<q", 2), struct.pack("<q", 10**12)
        ),
    ],
)
def test_a_small_body_of_many_rows_is_refused_before_it_is_expanded(body: bytes) -> None:
    assert len(body) < LIMIT // 10
    with (
        peak_memory() as peak_bytes,
        pytest.raises(TooLarge, match="the limit is 1000000"),
    ):
        read(body, NAN)
    assert peak_bytes() < LIMIT // 10


def test_a_footer_that_lies_of_its_pages_is_no_matter() -> None:
    body = file(ZEROS, use_dictionary=False, compression="zstd")
    column = parquet.ParquetFile(pa.BufferReader(body)).metadata.row_group(0).column(0)
    said, lie = varint(column.total_uncompressed_size), varint(1_100_000)
    assert said in body
    assert len(said) == len(lie)
    with peak_memory() as peak_bytes, pytest.raises(TooLarge):
        read(body.replace(said, lie))
    assert peak_bytes() < LIMIT // 10


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """What pyarrow has taken at most, in bytes."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    try:
        yield pool.max_memory
    finally:
        pa.set_memory_pool(usual)


def varint(number: int) -> bytes:
    """An integer as Thrift's compact protocol spells it."""
    number, spelt = number << 1, b""
    while number > 0x7F:
        spelt += bytes([number & 0x7F | 0x80])
        number >>= 7
    return spelt + bytes([number])


def test_outputs_are_columns_and_lists_of_their_shapes() -> None:
    specs = (
        TensorSpec("p", "float32", (None, 2)),
        TensorSpec("image", "int8", (None, 2, 1)),
        TensorSpec("word", "string", (None,)),
        TensorSpec("wave", "complex64", (None, 1)),
        TensorSpec("scale", "float64", (1,), constant=True),
    )
    arrays = {
        "p": rows([0.25, 0.75], [1, 0]),
        "image": np.array([[[1], [2]], [[3], [4]]], np.int8),
        "word": np.array([b"a", b"\xff"], object),
        "wave": np.array([[1 + 2j], [3 - 4j]], np.complex64),
        "scale": np.array([2.0]),
    }
    table = written(arrays, model_version(outputs=specs))
    assert table.schema.field("p").type == pa.list_(pa.float32(), 2)
    assert table.schema.field("image").type == pa.list_(pa.list_(pa.int8(), 1), 2)
    assert table.to_pydict() == {
        "p": [[0.25, 0.75], [1, 0]],
        "image": [[[1], [2]], [[3], [4]]],
        "word": [b"a", b"\xff"],
        "wave": [[1, 2], [3, -4]],
        "scale": [2, None],
    }
    labelled = written(arrays, model_version(outputs=specs, labels=("no", "yes")))
    assert labelled.column_names[:2] == ["p_no", "p_yes"]


def test_labels_name_columns_if_there_is_one_for_each_number() -> None:
    specs = [TensorSpec("p", "float32", (None, 2))]
    outputs = {"p": rows([0.25, 0.75])}
    for labels, expected in [
        (("no", "yes"), {"no": [0.25], "yes": [0.75]}),
        (("no",), {"p": [[0.25, 0.75]]}),
        (("no", "no"), {"p": [[0.25, 0.75]]}),
    ]:
        version = model_version(outputs=specs, labels=labels)
        assert written(outputs, version).to_pydict() == expected


def test_many_rows_come_in_pieces() -> None:
    outputs = {"y": np.arange(1_000_000, dtype=np.float32).reshape(-1, 1)}
    encoded = ArrowCodec(LIMIT).encode_other(outputs, bound(rows([1, 2])), VERSION)
    assert encoded.media_type == ARROW_STREAM
    assert encoded.pieces is not None
    pieces = list(encoded.pieces)
    assert len(pieces) == 6
    assert max(map(len, pieces)) < 1_100_000
    column = ipc.open_stream(b"".join(pieces)).read_all()["y"].to_numpy()
    np.testing.assert_array_equal(column, outputs["y"][:, 0])
