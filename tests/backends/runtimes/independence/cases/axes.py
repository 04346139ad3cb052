"""Cases of ops along axes: reductions, softmax, cumulative sums, sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Case, Draw, raw


def _axes(draw: Draw, tensor: Any) -> Any:
    count = draw.size(0, min(2, tensor.shape.rank))
    axes = draw.random.permutation(tensor.shape.rank)[:count]
    return draw.number(axes) if draw.chance(0.8) or count != 1 else draw.number(axes[0])


def reduced(op: str, dtype: Any) -> Case:
    def case(draw: Draw) -> None:
        tensor = draw.anywhere(dtype=dtype)
        if op == "ReduceJoin":
            raw.ReduceJoin(
                inputs=tensor, reduction_indices=_axes(draw, tensor), keep_dims=draw.chance()
            )
        else:
            getattr(raw, op)(input=tensor, axis=_axes(draw, tensor), keep_dims=draw.chance())

    return case


def found(op: str) -> Case:
    def case(draw: Draw) -> None:
        tensor = draw.anywhere()
        getattr(raw, op)(input=tensor, dimension=draw.number(draw.axis(tensor)))

    return case


def counted(draw: Draw) -> None:
    values = draw.rows(draw.sizes(0, 1), tf.int32, 0, 5)
    weights = draw.constant([0], tf.float32)
    size = tf.constant(6)
    if draw.chance(0.3):
        found = raw.Max(input=values, axis=tf.range(values.shape.rank)) + 1
        size = tf.minimum(6, tf.maximum(draw.one_of([6, 3]), found))
    raw.DenseBincount(input=values, size=size, weights=weights, binary_output=draw.chance())


def along(op: str) -> Case:
    def case(draw: Draw) -> None:
        tensor = draw.anywhere()
        axis = draw.number(draw.axis(tensor))
        getattr(raw, op)(x=tensor, axis=axis, exclusive=draw.chance(), reverse=draw.chance())

    return case


def turned(draw: Draw) -> None:
    tensor = draw.anywhere()
    raw.ReverseV2(tensor=tensor, axis=_axes(draw, tensor) if draw.chance() else [draw.axis(tensor)])


def rolled(draw: Draw) -> None:
    tensor = draw.anywhere()
    raw.Roll(input=tensor, shift=draw.size(), axis=draw.number(draw.axis(tensor)))


def last(op: str) -> Case:
    return lambda draw: getattr(raw, op)(logits=draw.anywhere())


def largest(draw: Draw) -> None:
    tensor = draw.anywhere(draw.sizes(1))
    raw.TopKV2(input=tensor, k=draw.one_of([1, 2]), sorted=draw.chance())


def _matrices(draw: Draw) -> Any:
    size = draw.size()
    tensor = draw.anywhere([*draw.sizes(0, 2), size, size], free=False)
    shape = tensor.shape.as_list()
    return tensor if shape[-1] == shape[-2] else draw.rows([2, 2], free=False)


def banded(draw: Draw) -> None:
    low, high = draw.size(0, 2), draw.size(0, 2)
    raw.MatrixBandPart(input=draw.anywhere(draw.sizes(2)), num_lower=low, num_upper=high)


def of_matrices(op: str) -> Case:
    return lambda draw: getattr(raw, op)(input=_regular(draw))


def _regular(draw: Draw) -> Any:
    matrices = _matrices(draw)
    size = matrices.shape[-1]
    if size is None:
        return matrices
    lower = raw.MatrixBandPart(input=matrices, num_lower=0, num_upper=0)
    return raw.AddV2(x=raw.Abs(x=lower), y=draw.number(np.eye(size), tf.float32))


def diagonal(draw: Draw) -> None:
    raw.MatrixDiagPart(input=_matrices(draw))


def spread(draw: Draw) -> None:
    raw.MatrixDiag(diagonal=draw.anywhere(draw.sizes(1)))


def spread_on(op: str) -> Case:
    def case(draw: Draw) -> None:
        diagonal = draw.anywhere(draw.sizes(1)) if draw.chance(0.8) else draw.constant([3])
        getattr(raw, op)(diagonal=diagonal, k=0, num_rows=-1, num_cols=-1, padding_value=0.0)

    return case


def turned_each(draw: Draw) -> None:
    inner = draw.sizes(1)
    tensor = draw.rows(inner)
    if draw.chance():
        tensor, batch = tf.transpose(tensor, [1, 0, *range(2, len(inner) + 1)]), 1
    else:
        batch = 0
    length = tensor.shape[1 - batch]
    lengths = draw.rows([], tf.int32, 0, 1 + (length or 1))
    if draw.chance(0.2):
        lengths, batch = draw.constant([length or 1], tf.int32, low=0, high=1), 1 - batch
    raw.ReverseSequence(input=tensor, seq_lengths=lengths, seq_dim=1 - batch, batch_dim=batch)


def smoothed(draw: Draw) -> None:
    raw.LRN(input=draw.anywhere([draw.size() for _ in range(3)]), depth_radius=1)


def one_hot(draw: Draw) -> None:
    places = draw.anywhere(draw.sizes(0, 2), dtype=tf.int32)
    raw.OneHot(indices=places, depth=3, on_value=1.0, off_value=0.0, axis=draw.size(-1, 1))


NUMBERS = ("Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm")


def waves(op: str) -> Case:
    def case(draw: Draw) -> None:
        count = int(op[-2]) if op.endswith("D") else 1
        tensor = draw.anywhere([draw.size(1, 3), *(draw.one_of([2, 4]) for _ in range(count))])
        lengths = {"fft_length": [4] * count} if "R" in op else {}
        if not op.startswith("RF"):
            tensor = tf.complex(tensor, tensor * 2)
        getattr(raw, op)(input=tensor, **lengths)

    return case


WAVES = [f"{kind}FFT{axes}" for kind in ("", "I", "R", "IR") for axes in ("", "2D", "3D")]
CASES: dict[str, Case] = {
    **{op: waves(op) for op in WAVES},
    **{op: reduced(op, tf.float32) for op in NUMBERS},
    **{op: reduced(op, tf.bool) for op in ("Any", "All")},
    "ReduceJoin": reduced("ReduceJoin", tf.string),
    **{op: found(op) for op in ("ArgMax", "ArgMin")},
    "DenseBincount": counted,
    **{op: along(op) for op in ("Cumsum", "Cumprod", "CumulativeLogsumexp")},
    "ReverseV2": turned,
    "Roll": rolled,
    **{op: last(op) for op in ("Softmax", "LogSoftmax")},
    "TopKV2": largest,
    "MatrixBandPart": banded,
    **{op: of_matrices(op) for op in ("MatrixInverse", "Cholesky", "MatrixDeterminant")},
    "MatrixDiagPart": diagonal,
    "MatrixDiag": spread,
    **{op: spread_on(op) for op in ("MatrixDiagV2", "MatrixDiagV3")},
    "ReverseSequence": turned_each,
    "LRN": smoothed,
    "OneHot": one_hot,
}
