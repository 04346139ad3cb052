"""Slices, and padding, which is the contrary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    UNKNOWN,
    ZERO,
    Dimension,
    Shape,
    number,
    of_rows,
    plus,
    same,
    term,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    constants,
    elements,
    is_counted,
    moved,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.rules.moving.picking import picked
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
)

_END = 2**31 - 1
_PICKS = "takes some of the rows, by their places"


class Cut(msgspec.Struct, frozen=True):
    """What is done to one axis; ``begin``, ``end``: None if the whole of it is taken.

    ``kind``: slice, one (its axis goes) or new.
    """

    kind: str
    begin: Dimension | None = None
    end: Dimension | None = None
    step: int | None = 1
    is_whole: bool = False


def strided(node: Node, inputs: Sequence[Value]) -> Tensor:
    shape = shape_of(inputs[0])
    cuts = _cuts(node, inputs, len(shape))
    if not isinstance(inputs[0], Rows):
        return _of_constants(inputs, cuts, shape)
    olds = [axis for axis, cut in enumerate(cuts) if cut.kind != "new"]
    place = olds[inputs[0].axis]
    _keep_whole(cuts[place], shape[inputs[0].axis])
    _not_by_rows(end for cut in (*cuts[:place], *cuts[place + 1 :]) for end in (cut.begin, cut.end))
    gone = sum(cut.kind == "one" for cut in cuts[:place])
    return moved(inputs[0], _shape(cuts, shape), place - gone)


def _shape(cuts: Sequence[Cut], old: Shape) -> Shape:
    sizes = iter(old)
    new = []
    for cut in cuts:
        size = ONE if cut.kind == "new" else next(sizes)
        if cut.kind == "slice":
            size = _length(cut, size)
        if cut.kind != "one":
            new.append(size)
    return tuple(new)


def _of_constants(inputs: Sequence[Value], cuts: Sequence[Cut], shape: Shape) -> Tensor:
    if isinstance(inputs[0], Constant | Counted) and isinstance(inputs[1], Constant):
        key = tuple(map(_index, cuts))
        if None not in [k for k, cut in zip(key, cuts, strict=True) if cut.kind != "new"]:
            found = picked(inputs[0], lambda array: array[key])
            if found is not None:
                return found
    if is_counted(inputs):
        return Counted()
    return Constant(_shape(cuts, shape))


def _index(cut: Cut) -> slice | int | None:
    """As NumPy has it; None for a new axis, which NumPy writes so, too, or for unknown ends."""
    if cut.kind == "new":
        return None
    if cut.kind == "one":
        return number(cut.begin)
    ends = [number(end) for end in (cut.begin, cut.end)]
    if (ends[0] is None) != (cut.begin is None) or (ends[1] is None) != (cut.end is None):
        return None
    return None if cut.step is None else slice(ends[0], ends[1], cut.step)


def _cuts(node: Node, inputs: Sequence[Value], rank: int) -> list[Cut]:
    """One for each axis, and for each that is new."""
    begins, ends, steps = map(elements, inputs[1:4])
    new, ellipsis = node.attribute("new_axis_mask"), node.attribute("ellipsis_mask")
    counts = range(len(begins))
    used = sum(not (new >> i & 1 or ellipsis >> i & 1) for i in counts)
    whole = [Cut("slice", is_whole=True)]
    cuts: list[Cut] = []
    for i in counts:
        if ellipsis >> i & 1:
            cuts += whole * (rank - used)
        elif new >> i & 1:
            cuts.append(Cut("new"))
        else:
            cuts.append(_cut(node, i, begins[i], ends[i], steps[i], inputs))
    if not ellipsis:
        cuts += whole * (rank - used)
    if sum(cut.kind != "new" for cut in cuts) != rank:
        raise Mixes("slices axes that are not there")
    return cuts


def _cut(
    node: Node,
    i: int,
    begin: Dimension | None,
    end: Dimension | None,
    step: Dimension | None,
    inputs: Sequence[Value],
) -> Cut:
    from_start = node.attribute("begin_mask") >> i & 1
    to_end = node.attribute("end_mask") >> i & 1
    if node.attribute("shrink_axis_mask") >> i & 1:
        return Cut("one", _chosen(begin, inputs[1]))
    return Cut(
        "slice",
        None if from_start else _chosen(begin, inputs[1]),
        None if to_end else _chosen(end, inputs[2]),
        _step(step, inputs[3]),
    )


def _step(step: Dimension | None, source: Value) -> int | None:
    """None: it is not known, but the same for all requests."""
    if of_rows(_chosen(step, source)):
        raise Mixes("slices by the number of rows")
    return number(step)


def _chosen(size: Dimension | None, source: Value) -> Dimension:
    """An unknown one of a constant is the same for all requests."""
    if size is None and isinstance(source, Constant):
        return UNKNOWN
    if size is None:
        raise Mixes("slices by the number of rows")
    return size


def _keep_whole(cut: Cut, rows: Dimension) -> None:
    if cut.is_whole:
        return
    begins = cut.begin is None or cut.begin == ZERO
    if cut.kind != "slice" or cut.step != 1 or not begins or not _is_end(cut, rows):
        raise Mixes("turns the order of the rows round" if cut.step == -1 else _PICKS)


def _not_by_rows(ends: Iterable[Dimension | None]) -> None:
    """Where the axes that hold no rows begin and end does not depend on the rows."""
    if any(end is not None and of_rows(end) for end in ends):
        raise Mixes("slices by the number of rows")


def _is_end(cut: Cut, size: Dimension) -> bool:
    return cut.end is None or same(cut.end, size) or (number(cut.end) or 0) >= _END


def _length(cut: Cut, old: Dimension) -> Dimension:
    """Of an axis that is sliced."""
    if cut.is_whole or (cut.begin in (None, ZERO) and cut.end is None and cut.step == 1):
        return old
    if cut.step == -1 and cut.begin is None and cut.end is None:
        return old
    if of_rows(old) or (cut.begin in (None, ZERO) and cut.step == 1 and _is_end(cut, old)):
        return old
    if any(end is not None and of_rows(end) for end in (cut.begin, cut.end)):
        raise Mixes("slices by the number of rows")
    key = _index(cut)
    if number(old) is not None and isinstance(key, slice):
        return Dimension(len(range(*key.indices(old.coefficient))))
    if cut.step is None:
        return UNKNOWN
    begin = "" if cut.begin is None else cut.begin
    return term("slice", old, begin, "" if cut.end is None else cut.end, cut.step)


def sliced(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Slice: by where it begins, and how much it takes."""
    shape = shape_of(inputs[0])
    begins, lengths = elements(inputs[1]), elements(inputs[2])
    new = tuple(
        _taken(_chosen(begin, inputs[1]), _chosen(length, inputs[2]), old)
        for begin, length, old in zip(begins, lengths, shape, strict=True)
    )
    if isinstance(inputs[0], Rows):
        axis = inputs[0].axis
        if begins[axis] != ZERO or not same(new[axis], shape[axis]):
            raise Mixes(_PICKS)
        _not_by_rows(begins)
        return moved(inputs[0], new)
    starts = [number(begin) for begin in begins]
    stops = [number(size) for size in new]
    if None not in starts and None not in stops:
        key = tuple(slice(a, (a or 0) + (n or 0)) for a, n in zip(starts, stops, strict=True))
        found = picked(inputs[0], lambda array: array[key])
        if found is not None:
            return found
    return Counted() if is_counted(inputs) else Constant(new)


def _taken(begin: Dimension, length: Dimension, old: Dimension) -> Dimension:
    if number(length) != -1:
        return length
    if begin == ZERO:
        return old
    left = plus(old, Dimension(-begin.coefficient, begin.symbols))
    if left is None:
        raise Mixes(_PICKS)
    return left


def padded(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Pad, PadV2, MirrorPad."""
    constants(inputs[1:], "pads by what is computed of rows")
    shape = shape_of(inputs[0])
    amounts = elements(inputs[1])
    new = tuple(
        _padded(size, amounts[2 * axis], amounts[2 * axis + 1]) for axis, size in enumerate(shape)
    )
    if isinstance(inputs[0], Constant):
        return Constant(new)
    return moved(rows_of(inputs[0]), new)


def _padded(size: Dimension, before: Dimension | None, after: Dimension | None) -> Dimension:
    if before == after == ZERO:
        return size
    if of_rows(size):
        raise Mixes("puts more rows beside the rows")
    if before is None or after is None:
        return UNKNOWN
    more = plus(before, after)
    return (plus(size, more) if more is not None else None) or UNKNOWN


RULES: dict[str, Rule] = {
    "StridedSlice": strided,
    "Slice": sliced,
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), padded),
}
