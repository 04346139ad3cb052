"""Cases of ops that tell shapes, change them, repeat, slice, pad, join and pick."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Case, Draw, raw


def told(op: str) -> Case:
    """What is told of the shape becomes a shape again."""

    def case(draw: Draw) -> None:
        tensor = draw.anywhere()
        if op == "ShapeN":
            shape = raw.ShapeN(input=[tensor, draw.anywhere()])[draw.size(0, 1)]
        else:
            shape = getattr(raw, op)(input=tensor)
        if op in ("Size", "Rank"):
            shape = raw.Pack(values=[shape])
        raw.Fill(dims=shape, value=2.0)

    return case


def _factors(draw: Draw, tensor: Any) -> list[Any]:
    """The sizes, some of them multiplied, cut, moved or left to be found."""
    shape = tf.unstack(raw.Shape(input=tensor), num=tensor.shape.rank)
    sizes = [shape[i] if n is None else n for i, n in enumerate(tensor.shape.as_list())]
    new: list[Any] = []
    for size in sizes:
        kind = draw.size(0, 4)
        if kind == 0 and new:
            new[-1] = new[-1] * size
        elif kind == 1 and isinstance(size, int) and size % 2 == 0:
            new += [2, size // 2]
        elif kind == 2:
            new += [1, size]
        else:
            new.append(size)
    if draw.chance(0.1):
        new = [new[i] for i in draw.random.permutation(len(new))]
    if draw.chance():
        new[draw.size(0, len(new) - 1)] = -1
    return new


def reshaped(draw: Draw) -> None:
    tensor = draw.anywhere()
    new = _factors(draw, tensor)
    if draw.chance(0.2):
        new = draw.one_of([[-1], [-1, 2], [2, -1], [4, 3], [-1, 3, 2]])
    raw.Reshape(tensor=tensor, shape=tf.stack(new))


def expanded(draw: Draw) -> None:
    tensor = draw.anywhere()
    raw.ExpandDims(input=tensor, axis=draw.axis(tensor, 1))


def squeezed(draw: Draw) -> None:
    tensor = draw.anywhere([draw.one_of([1, 1, 2]) for _ in range(draw.size(0, 3))])
    axes = [axis for axis, size in enumerate(tensor.shape.as_list()) if size in (1, None)]
    wanted = [axis for axis in axes if draw.chance(0.6)]
    raw.Squeeze(input=tensor, axis=wanted)


def transposed(draw: Draw) -> None:
    tensor = draw.anywhere()
    raw.Transpose(x=tensor, perm=draw.number(draw.random.permutation(tensor.shape.rank)))


def ensured(draw: Draw) -> None:
    tensor = draw.anywhere()
    raw.EnsureShape(input=tensor, shape=tensor.shape)


def _sizes_of(draw: Draw, tensor: Any) -> list[Any]:
    shape = tf.unstack(raw.Shape(input=tensor), num=tensor.shape.rank)
    return [draw.one_of([size, draw.size(), size * 2]) for size in shape]


def filled(draw: Draw) -> None:
    sizes = _sizes_of(draw, draw.anywhere())
    tensor = raw.Fill(dims=tf.stack(sizes), value=draw.constant([]))
    raw.Neg(x=tensor)


def broadcast(draw: Draw) -> None:
    tensor = draw.anywhere([draw.one_of([1, 2, 3]) for _ in range(draw.size(0, 2))])
    sizes = tf.unstack(raw.Shape(input=tensor), num=tensor.shape.rank)
    shape = tensor.shape.as_list()
    wanted = [3 if n == 1 and draw.chance() else size for n, size in zip(shape, sizes, strict=True)]
    more = [draw.size()] if draw.chance(0.3) else []
    if draw.chance(0.3):
        tensor = draw.constant([1 if draw.chance(0.7) else draw.size() for _ in shape])
    raw.BroadcastTo(input=tensor, shape=tf.stack([*more, *wanted]))


def tiled(draw: Draw) -> None:
    rows = draw.anywhere()
    sizes = tf.unstack(raw.Shape(input=rows), num=rows.shape.rank)
    times = [draw.one_of([1, 2]) for _ in sizes]
    tensor = rows
    if draw.chance(0.4):
        tensor = draw.constant([draw.size(1, 2) for _ in sizes])
        times = [draw.one_of([size, 1, 2]) for size in sizes]
    raw.Neg(x=raw.Tile(input=tensor, multiples=tf.stack(times)))


def counted(draw: Draw) -> None:
    rows = draw.rows(draw.sizes(1))
    size = raw.Shape(input=rows)[draw.size(0, 1)]
    limits = raw.Range(start=0, limit=size, delta=1)
    raw.AddV2(x=raw.Cast(x=limits, DstT=tf.float32)[:, None], y=tf.zeros([1, 1]))
    # A constant, along the last axis of rows.
    last = raw.Range(start=0, limit=raw.Shape(input=rows)[-1], delta=1)
    raw.Mul(x=rows, y=raw.Cast(x=last, DstT=tf.float32))


def spaced(draw: Draw) -> Any:
    rows = draw.rows([3])
    count = draw.one_of([1, 3, raw.Shape(input=rows)[1], raw.Shape(input=rows)[0]])
    return rows + raw.LinSpace(start=0.0, stop=tf.cast(draw.size(), tf.float32), num=count)


def searched(op: str) -> Case:
    def case(draw: Draw) -> None:
        values = draw.rows([draw.size(1, 3)], free=False)
        values = draw.one_of([values, tf.transpose(values), tf.reshape(values, [1, -1])])
        count = draw.one_of([values.shape[0] or 3, 1])
        sorted_inputs = tf.sort(draw.constant([count, 4]))
        getattr(raw, op)(sorted_inputs=sorted_inputs, values=values)

    return case


def _slice(draw: Draw, size: int | None) -> Any:
    step = draw.one_of([1, 1, 1, 2, -1])
    if draw.chance(0.4):
        return slice(None, None, step if draw.chance(0.3) else 1)
    if draw.chance(0.3) and size:
        return draw.size(0, size - 1)
    begin, end = draw.size(0, 2), draw.size(1, 5)
    return slice(draw.one_of([begin, None, -1]), draw.one_of([end, None, 2**31 - 1, -1]), step)


def sliced_by_steps(draw: Draw) -> None:
    tensor = draw.anywhere()
    key: list[Any] = [_slice(draw, size) for size in tensor.shape.as_list()]
    if draw.chance(0.3):
        key = key[: draw.size(1, len(key))]
    if draw.chance(0.3):
        key.insert(draw.size(0, len(key)), tf.newaxis)
    if draw.chance(0.3):
        key[draw.size(0, len(key) - 1)] = Ellipsis
    if draw.chance(0.5):
        key[0] = slice(None)
    tensor[tuple(key)]


def sliced(draw: Draw) -> None:
    tensor = draw.anywhere()
    shape = tensor.shape.as_list()
    begins = [0 if draw.chance(0.7) else 1 for _ in shape]
    sizes: list[Any] = [-1 if draw.chance(0.6) or not size else 1 for size in shape]
    if draw.chance(0.4):
        sizes[0], begins[0] = raw.Shape(input=tensor)[0], 0
    raw.Slice(input=tensor, begin=begins, size=tf.stack(sizes))


def _paddings(draw: Draw, tensor: Any) -> list[list[int]]:
    amounts = [[draw.size(0, 1), draw.size(0, 1)] for _ in range(tensor.shape.rank)]
    if draw.chance(0.7):
        amounts[draw.size(0, len(amounts) - 1) if draw.chance(0.3) else 0] = [0, 0]
    return amounts


def padded(op: str) -> Case:
    def case(draw: Draw) -> None:
        tensor = draw.anywhere()
        more = {
            "Pad": {},
            "PadV2": {"constant_values": draw.constant([])},
            "MirrorPad": {"mode": "SYMMETRIC"},
        }
        getattr(raw, op)(input=tensor, paddings=_paddings(draw, tensor), **more[op])

    return case


def joined(op: str) -> Case:
    def case(draw: Draw) -> None:
        inner = draw.sizes()
        parts = [draw.rows(inner, free=False) for _ in range(draw.size(2, 3))]
        axis = draw.axis(parts[0])
        if draw.chance(0.2):
            parts.append(draw.constant([draw.size(1, 3), *inner]))
        if len(inner) > 1 and draw.chance(0.3):
            parts = [tf.transpose(part, [1, 0, *range(2, len(inner) + 1)]) for part in parts]
        if op == "Concat":
            raw.Concat(concat_dim=axis % parts[0].shape.rank, values=parts)
        else:
            raw.ConcatV2(values=parts, axis=axis)

    return case


def packed(draw: Draw) -> None:
    tensor = draw.anywhere()
    inner = [size or 1 for size in tensor.shape.as_list()[1:]]
    other = draw.rows(inner, free=False) if draw.chance(0.3) else raw.Neg(x=tensor)
    raw.Pack(values=[tensor, other], axis=draw.axis(tensor, 1))


def taken_apart(draw: Draw) -> None:
    tensor = draw.anywhere(draw.sizes(1))
    axis = draw.axis(tensor)
    count = tensor.shape[axis] or draw.one_of([1, 3])
    raw.Unpack(value=tensor, num=count, axis=axis)


def split(draw: Draw) -> None:
    tensor = draw.anywhere([draw.one_of([2, 4]) for _ in range(draw.size(1, 3))])
    raw.Split(axis=draw.axis(tensor) if draw.chance(0.4) else -1, value=tensor, num_split=2)


def split_unevenly(draw: Draw) -> None:
    tensor = draw.anywhere([draw.one_of([3, 4]) for _ in range(draw.size(1, 3))])
    axis = draw.axis(tensor) if draw.chance(0.4) else -1
    raw.SplitV(value=tensor, size_splits=draw.one_of([[1, -1], [2, 1]]), axis=axis, num_split=2)


def gathered(draw: Draw) -> None:
    kind = draw.size(0, 3)
    inner = [3, *draw.sizes(0, 1)]
    if kind == 0:
        table, places = draw.constant(inner), draw.anywhere(dtype=tf.int32, low=0, high=3)
        raw.GatherV2(params=table, indices=places, axis=0)
    elif kind == 1:
        table = draw.anywhere(inner, free=False)
        places = draw.constant(draw.sizes(0, 2), tf.int32, low=0, high=1)
        raw.GatherV2(params=table, indices=places, axis=draw.axis(table))
    elif kind == 2:
        table = draw.rows([3, *inner], free=False)
        places = draw.rows([3, 2], tf.int32, 0, 3, free=False)
        batch = draw.size(1, 2)
        raw.GatherV2(params=table, indices=places, axis=draw.size(batch, 2), batch_dims=batch)
    else:
        table = draw.rows(inner)
        raw.GatherV2(params=table, indices=draw.rows([], tf.int32, 0, 1), axis=draw.size(0, 1))


def gathered_before(draw: Draw) -> None:
    table = draw.constant([4, *draw.sizes(0, 2)])
    raw.Gather(params=table, indices=draw.anywhere(dtype=tf.int32, low=0, high=4))


def gathered_each(draw: Draw) -> None:
    depth = draw.size(1, 2)
    places = draw.anywhere([*draw.sizes(0, 2), depth], dtype=tf.int32, low=0, high=3, free=False)
    raw.GatherNd(params=draw.constant([3, 3, 2]), indices=places)


CASES: dict[str, Case] = {
    **{op: told(op) for op in ("Shape", "ShapeN", "Size", "Rank")},
    "Reshape": reshaped,
    "ExpandDims": expanded,
    "Squeeze": squeezed,
    "Transpose": transposed,
    "EnsureShape": ensured,
    "Fill": filled,
    "BroadcastTo": broadcast,
    "Tile": tiled,
    "Range": counted,
    "LinSpace": spaced,
    **{op: searched(op) for op in ("LowerBound", "UpperBound")},
    "StridedSlice": sliced_by_steps,
    "Slice": sliced,
    **{op: padded(op) for op in ("Pad", "PadV2", "MirrorPad")},
    **{op: joined(op) for op in ("Concat", "ConcatV2")},
    "Pack": packed,
    "Unpack": taken_apart,
    "Split": split,
    "SplitV": split_unevenly,
    "GatherV2": gathered,
    "Gather": gathered_before,
    "GatherNd": gathered_each,
}
