"""Convolutions, pooling and what else is done to pictures, each by itself along axis 0."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    UNKNOWN,
    ZERO,
    Dimension,
    Shape,
    number,
    over,
    product,
    term,
    times,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    alike,
    constants,
    elements,
    moved,
    numbers,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.values import Constant, Mixes, Rows, Tensor, Value

_FIRST = "takes pictures whose rows are along another axis than the first"
_WEIGHTS = "has weights that are computed of rows"


def _pictures(value: Value) -> Rows:
    rows = rows_of(value)
    if rows.axis != 0:
        raise Mixes(_FIRST)
    return rows


def _spatial(node: Node, rank: int) -> list[int]:
    """The axes of height, width and so on."""
    form = str(node.attribute("data_format"))
    return list(range(2, rank)) if form.startswith("NC") else list(range(1, rank - 1))


def _channels(node: Node, rank: int) -> int:
    return 1 if str(node.attribute("data_format")).startswith("NC") else rank - 1


def convolved(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Conv2D, Conv3D, DepthwiseConv2dNative."""
    rows = _pictures(inputs[0])
    constants(inputs[1:], _WEIGHTS)
    weights = shape_of(inputs[1])
    rank = len(rows.shape)
    filters = weights[-1]
    if node.op == "DepthwiseConv2dNative":
        filters = times(weights[-2], weights[-1])
    sizes = dict(zip(_spatial(node, rank), weights, strict=False))
    new = _slid(node, rows.shape, sizes, node.attribute("dilations"))
    new[_channels(node, rank)] = filters
    return moved(rows, tuple(new))


def pooled(node: Node, inputs: Sequence[Value]) -> Tensor:
    """MaxPool, AvgPool and those of three axes."""
    rows = _pictures(inputs[0])
    windows = node.attribute("ksize")
    rank = len(rows.shape)
    sizes = {axis: Dimension(windows[axis]) for axis in range(1, rank)}
    if windows[0] != 1:
        raise Mixes("pools over the rows")
    return moved(rows, tuple(_slid(node, rows.shape, sizes, (1,) * rank)))


def pooled_by_inputs(node: Node, inputs: Sequence[Value]) -> Tensor:
    """MaxPoolV2, whose windows and strides are inputs."""
    rows = _pictures(inputs[0])
    windows, strides = numbers(inputs[1]), numbers(inputs[2])
    if windows[0] != 1 or strides[0] != 1:
        raise Mixes("pools over the rows")
    return moved(rows, (rows.shape[0], *(UNKNOWN for _ in rows.shape[1:])))


def _slid(
    node: Node, old: Shape, windows: dict[int, Dimension], dilations: Sequence[int]
) -> list[Dimension]:
    """The shape when windows have slid over it."""
    strides = node.attribute("strides")
    dilations = dilations or (1,) * len(old)
    if strides[0] != 1 or dilations[0] != 1:
        raise Mixes("leaves out rows by their places")
    padding = node.attribute("padding")
    borders = node.attribute("explicit_paddings") if padding == "EXPLICIT" else ()
    if any(borders[:2]):
        raise Mixes("puts more rows beside the rows")
    return [
        _steps(size, windows[axis], strides[axis], dilations[axis], padding, borders[2 * axis :])
        if axis in windows
        else size
        for axis, size in enumerate(old)
    ]


def _steps(
    size: Dimension,
    window: Dimension,
    stride: int,
    dilation: int,
    padding: str,
    borders: Sequence[int],
) -> Dimension:
    """How many windows there are along an axis."""
    if padding == "SAME" and stride == 1:
        return size
    length, width = number(size), number(window)
    if length is None or width is None:
        border = f"{borders[0]}+{borders[1]}" if padding == "EXPLICIT" else padding
        return term("windows", size, window, stride, dilation, border)
    if padding == "SAME":
        return Dimension(-(-length // stride))
    if padding == "EXPLICIT":
        length += borders[0] + borders[1]
    return Dimension((length - (width - 1) * dilation - 1) // stride + 1)


def convolved_back(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Conv2DBackpropInput, as transposed convolutions use it: sizes, weights, pictures."""
    rows = _pictures(inputs[2])
    constants(inputs[1:2], _WEIGHTS)
    wanted = elements(inputs[0])
    if isinstance(inputs[0], Constant):
        raise Mixes("makes as many pictures as are asked for")
    if wanted[0] != rows.shape[0] or node.attribute("strides")[0] != 1:
        raise Mixes("makes another number of pictures than there are rows")
    rest = tuple(UNKNOWN if size is None else size for size in wanted[1:])
    if any(size is None for size in wanted):
        raise Mixes("makes pictures of sizes that are not known before it runs")
    return moved(rows, (rows.shape[0], *rest))


def normalised(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """FusedBatchNorm, of which the mean and the variance are inputs if nothing is trained.

    In training each channel is normalised by itself: layer normalisation takes rows as channels.
    """
    rows = rows_of(inputs[0])
    training = node.attribute("is_training")
    if rows.axis == _channels(node, len(rows.shape)):
        channels = moved(rows, (rows.shape[rows.axis],), 0)
        unused = Constant((ZERO,)) if training else None
        for value in inputs[1:]:
            if value != unused:
                alike([channels, rows_of(value, _WEIGHTS)])
        return (rows, *(channels,) * 4, Constant())
    if training:
        raise Mixes("normalises by the mean over all rows")
    constants(inputs[1:], _WEIGHTS)
    return (rows, *inputs[3:5], Constant(), Constant(), Constant())


def resized(node: Node, inputs: Sequence[Value]) -> Tensor:
    """ResizeBilinear and its like."""
    rows = _pictures(inputs[0])
    constants(inputs[1:], "makes pictures of a size that is computed of rows")
    height, width = _pair(inputs[1])
    return moved(rows, (rows.shape[0], height, width, rows.shape[3]))


def cut_out(node: Node, inputs: Sequence[Value]) -> Tensor:
    """ExtractImagePatches: of each picture parts, one after another along its channels."""
    rows = _pictures(inputs[0])
    sizes = (node.attribute(name)[0] for name in ("ksizes", "strides", "rates"))
    if any(size != 1 for size in sizes):
        raise Mixes("puts the parts of several rows together")
    area = product(map(Dimension, node.attribute("ksizes")))
    return moved(rows, (rows.shape[0], UNKNOWN, UNKNOWN, times(rows.shape[3], area)))


def _pair(value: Value) -> Sequence[Dimension]:
    if not isinstance(value, Constant) or value.elements is None:
        return (UNKNOWN, UNKNOWN)
    return [UNKNOWN if size is None else size for size in value.elements]


def spread_to_rows(node: Node, inputs: Sequence[Value]) -> Tensor:
    """SpaceToBatchND: the parts of each picture become pictures, parts by parts of all rows."""
    rows = _pictures(inputs[0])
    blocks, pads = numbers(inputs[1]), elements(inputs[2])
    constants(inputs[2:], "pads by what is computed of rows")
    count = product(map(Dimension, blocks))
    inner = list(rows.shape[1:])
    for axis, block in enumerate(blocks):
        inner[axis] = _in_blocks(inner[axis], block, pads[2 * axis : 2 * axis + 2])
    new = (times(rows.shape[0], count), *inner)
    return Rows(new, 0, times(count, rows.before), rows.after)


def _in_blocks(size: Dimension, block: int, pads: Sequence[Dimension | None]) -> Dimension:
    amounts = [number(pad) for pad in pads]
    length = number(size)
    if length is None or None in amounts:
        return UNKNOWN if None in pads else term("blocks", size, block, *(p for p in pads if p))
    return Dimension((length + sum(a or 0 for a in amounts)) // block)


def gathered_from_rows(node: Node, inputs: Sequence[Value]) -> Tensor:
    """BatchToSpaceND: the contrary."""
    rows = _pictures(inputs[0])
    blocks, crops = numbers(inputs[1]), elements(inputs[2])
    constants(inputs[2:], "crops by what is computed of rows")
    count = product(map(Dimension, blocks))
    before, first = over(rows.before, count), over(rows.shape[0], count)
    if before is None or first is None:
        raise Mixes("makes one picture of those of several rows")
    inner = list(rows.shape[1:])
    for axis, block in enumerate(blocks):
        ends = [number(crop) for crop in crops[2 * axis : 2 * axis + 2]]
        inner[axis] = _less(number(inner[axis]), block, ends)
    return Rows((first, *inner), 0, before, rows.after)


def _less(length: int | None, block: int, crops: Sequence[int | None]) -> Dimension:
    if length is None or None in crops:
        return UNKNOWN
    return Dimension(length * block - sum(crop or 0 for crop in crops))


def between_space_and_depth(node: Node, inputs: Sequence[Value]) -> Tensor:
    rows = _pictures(inputs[0])
    if node.attribute("data_format") != "NHWC":
        raise Mixes("has no rule")
    block = Dimension(node.attribute("block_size"))
    batch, height, width, depth = rows.shape
    square = times(block, block)
    if node.op == "DepthToSpace":
        deep = over(depth, square) or UNKNOWN
        return moved(rows, (batch, times(height, block), times(width, block), deep))
    low, thin = over(height, block) or UNKNOWN, over(width, block) or UNKNOWN
    return moved(rows, (batch, low, thin, times(depth, square)))


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), convolved),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), pooled),
    "MaxPoolV2": pooled_by_inputs,
    "Conv2DBackpropInput": convolved_back,
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), normalised),
    **dict.fromkeys(
        ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"), resized
    ),
    "ExtractImagePatches": cut_out,
    "SpaceToBatchND": spread_to_rows,
    "BatchToSpaceND": gathered_from_rows,
    **dict.fromkeys(("SpaceToDepth", "DepthToSpace"), between_space_and_depth),
}
