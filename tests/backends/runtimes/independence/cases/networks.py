"""Cases of ops that networks are made of: products of matrices, and what is done to pictures."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.draw import Case, Draw, raw


def multiplied(draw: Draw) -> None:
    depth = draw.size()
    turned = draw.chance(0.3), draw.chance(0.3)
    one = draw.anywhere([depth], free=False) if not turned[0] else _first_last(draw, depth)
    shape = [draw.size(), depth] if turned[1] else [depth, draw.size()]
    other = draw.constant(shape) if draw.chance(0.7) else draw.rows([depth], free=False)
    if draw.chance(0.2):
        one, other, turned = other, one, (turned[1], turned[0])
    raw.MatMul(a=one, b=other, transpose_a=turned[0], transpose_b=turned[1])


def _first_last(draw: Draw, depth: int) -> Any:
    return tf.transpose(draw.rows([depth], free=False))


def multiplied_each(op: str) -> Case:
    def case(draw: Draw) -> None:
        batch = draw.sizes(0, 1)
        depth = draw.size()
        one = draw.rows([*batch, draw.size(), depth], free=False)
        kind = draw.size(0, 3)
        other = draw.rows([*batch, depth, draw.size()], free=False)
        if kind == 0 and op != "BatchMatMul":
            other = draw.constant([depth, draw.size()])
        if kind == 1:
            other = draw.constant([draw.one_of([1, 3]), *batch, depth, draw.size()])
        if kind == 2:
            one = tf.transpose(one, [1, 0, *range(2, one.shape.rank)])
            other = tf.transpose(other, [1, 0, *range(2, other.shape.rank)])
        turned = draw.chance(0.3)
        more = {"Tout": tf.float32} if op == "BatchMatMulV3" else {}
        second = tf.linalg.matrix_transpose(other) if turned else other
        getattr(raw, op)(x=one, y=second, adj_y=turned, **more)

    return case


_EQUATIONS = {
    "ab,bc->ac": 1, "abc,cd->abd": 1, "abc,cd->adb": 1, "ab,ac->abc": 2, "ab,ab->a": 2,
    "ab,ac->bc": 2, "abc,adc->abd": 2, "...b,bc->...c": 1, "...ab,bc->...ac": 1, "ab->a": 0,
    "ab->b": 0, "abcd,aecd->aceb": 2, "ab,cb->ac": 2, "abc->cab": 0, "...a,...a->...": 2,
}  # fmt: skip


def summed(draw: Draw) -> None:
    equation = draw.one_of(sorted(_EQUATIONS))
    sizes = {letter: draw.size() for letter in "abcde"}
    sizes["c"] = sizes["b"] if draw.chance(0.1) else sizes["c"]
    terms = equation.split("->")[0].replace("...", "a").replace("aab", "ab").split(",")
    tensors = [draw.rows([sizes[letter] for letter in terms[0][1:]], free=False)]
    if _EQUATIONS[equation] == 1:
        tensors.append(draw.constant([sizes[letter] for letter in terms[1]]))
    if _EQUATIONS[equation] == 2:
        tensors.append(draw.rows([sizes[letter] for letter in terms[1][1:]], free=False))
    raw.Einsum(inputs=tensors, equation=equation)


def _picture(draw: Draw, dimensions: int = 2, channels: int | None = None) -> Any:
    sizes = [draw.size(4, 6) for _ in range(dimensions)]
    return draw.rows([*sizes, channels or draw.size()])


def _strides(draw: Draw, dimensions: int = 2, even: bool = False) -> list[int]:
    step = draw.size(1, 2)
    return [1, *(step if even else draw.size(1, 2) for _ in range(dimensions)), 1]


def convolved(draw: Draw) -> None:
    channels = draw.size()
    padding = draw.one_of(["SAME", "VALID", "EXPLICIT"])
    raw.Conv2D(
        input=_picture(draw, channels=channels),
        filter=draw.constant([draw.size(1, 3), draw.size(1, 3), channels, draw.size()]),
        strides=_strides(draw),
        padding=padding,
        explicit_paddings=[0, 0, 1, 0, 0, 1, 0, 0] if padding == "EXPLICIT" else [],
    )


def convolved_in_space(draw: Draw) -> None:
    raw.Conv3D(
        input=_picture(draw, 3, 2),
        filter=draw.constant([2, 1, 2, 2, 3]),
        strides=_strides(draw, 3, even=True),
        padding=draw.one_of(["SAME", "VALID"]),
    )


def convolved_by_channel(draw: Draw) -> None:
    raw.DepthwiseConv2dNative(
        input=_picture(draw, channels=2),
        filter=draw.constant([draw.size(1, 3), 2, 2, draw.size(1, 2)]),
        strides=_strides(draw, even=True),
        padding=draw.one_of(["SAME", "VALID"]),
    )


def convolved_back(draw: Draw) -> None:
    pictures = _picture(draw, channels=3)
    shape = raw.Shape(input=pictures)
    sizes = tf.stack([shape[0], shape[1] * 2, shape[2] * 2, 2])
    raw.Conv2DBackpropInput(
        input_sizes=sizes,
        filter=draw.constant([3, 3, 2, 3]),
        out_backprop=pictures,
        strides=[1, 2, 2, 1],
        padding="SAME",
    )


def pooled(op: str, dimensions: int) -> Case:
    def case(draw: Draw) -> None:
        pictures = _picture(draw, dimensions)
        getattr(raw, op)(
            **{"value" if op == "AvgPool" else "input": pictures},
            ksize=[1, *(draw.size(1, 3) for _ in range(dimensions)), 1],
            strides=_strides(draw, dimensions),
            padding=draw.one_of(["SAME", "VALID"]),
        )

    return case


def pooled_by_inputs(draw: Draw) -> None:
    sizes = [1, draw.size(1, 3), 2, 1]
    raw.MaxPoolV2(input=_picture(draw), ksize=sizes, strides=[1, 2, 1, 1], padding="SAME")


def normalised(op: str) -> Case:
    def case(draw: Draw) -> None:
        pictures = _picture(draw)
        channels = pictures.shape[-1] or 1
        weights = [draw.constant([channels], low=1) for _ in range(4)]
        names = ("scale", "offset", "mean", "variance")
        trained = draw.chance(0.2)
        given = dict(zip(names, weights, strict=True))
        getattr(raw, op)(x=pictures, **given, is_training=trained)

    return case


def resized(op: str) -> Case:
    def case(draw: Draw) -> None:
        getattr(raw, op)(images=_picture(draw), size=[draw.size(1, 9), draw.size(1, 9)])

    return case


def cut_out(draw: Draw) -> None:
    raw.ExtractImagePatches(
        images=_picture(draw),
        ksizes=[1, draw.size(1, 2), draw.size(1, 2), 1],
        strides=[1, draw.size(1, 2), 1, 1],
        rates=[1, 1, draw.size(1, 2), 1],
        padding=draw.one_of(["SAME", "VALID"]),
    )


def dilated(draw: Draw) -> Any:
    """As dilated convolutions do: to parts of the picture, something, and back."""
    pictures = draw.rows([4, 6, draw.size()])
    pads = draw.one_of([[[0, 0], [0, 0]], [[1, 1], [0, 2]]])
    parts = raw.SpaceToBatchND(input=pictures, block_shape=[2, 2], paddings=pads)
    if draw.chance(0.3):
        parts = raw.Max(input=parts, axis=[1], keep_dims=True)
    raw.BatchToSpaceND(input=parts, block_shape=draw.one_of([[2, 2], [2, 1]]), crops=pads)


def between(op: str) -> Case:
    def case(draw: Draw) -> None:
        pictures = draw.rows([draw.one_of([2, 4]), 4, draw.one_of([4, 8])])
        getattr(raw, op)(input=pictures, block_size=2)

    return case


CASES: dict[str, Case] = {
    "MatMul": multiplied,
    **{op: multiplied_each(op) for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")},
    "Einsum": summed,
    "Conv2D": convolved,
    "Conv3D": convolved_in_space,
    "DepthwiseConv2dNative": convolved_by_channel,
    "Conv2DBackpropInput": convolved_back,
    **{op: pooled(op, 2) for op in ("MaxPool", "AvgPool")},
    **{op: pooled(op, 3) for op in ("MaxPool3D", "AvgPool3D")},
    "MaxPoolV2": pooled_by_inputs,
    **{op: normalised(op) for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")},
    **{
        op: resized(op)
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
    },
    "ExtractImagePatches": cut_out,
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND"), dilated),
    **{op: between(op) for op in ("SpaceToDepth", "DepthToSpace")},
}
