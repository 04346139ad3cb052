"""Outputs as tables of Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import ipc
from tables import LIMIT, VERSION, bound, rows, written
from tfaas_codec_arrow.codec import ARROW_STREAM, ArrowCodec

from tfaas_core.tensors import TensorSpec
from tfaas_core.testing.models import model_version


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
