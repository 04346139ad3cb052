"""What is known of a tensor: the lattice that graphs are interpreted in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    ROWS,
    UNKNOWN,
    Dimension,
    Shape,
    is_unknown,
    of_rows,
    product,
    same,
)

Elements = tuple[Dimension | None, ...]
"""Of an integer or boolean tensor, in C order; None: an element that is not known."""


class Mixes(Exception):
    """Rows would no longer come of their own rows alone; the message is a clause that says why.

    ``single``: what comes of it is a single element.
    """

    def __init__(self, reason: str, single: bool = False) -> None:
        super().__init__(reason)
        self.single = single


class Dead(msgspec.Struct, frozen=True, gc=False):
    """Not computed, in a branch that is not taken; or not computed yet."""


class Constant(msgspec.Struct, frozen=True, gc=False):
    """The same for all requests that share a run.

    ``shape``: None if not even the number of axes is known. ``elements``: None if unknown.
    """

    shape: Shape | None = None
    elements: Elements | None = None


class Counted(msgspec.Struct, frozen=True, gc=False):
    """Depends on the number of rows, and on nothing else in them."""

    shape: Shape | None = None
    elements: Elements | None = None


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Parts, each computed of one row, in the same way for each of them wherever it stands.

    The axis ``axis`` has the size ``before * rows * after``: of each row there are, in this order,
    ``before`` times ``after`` slices. Raises Mixes if other sizes depend on the rows, too.
    """

    shape: Shape
    axis: int
    before: Dimension = ONE
    after: Dimension = ONE

    def __post_init__(self) -> None:
        for axis, size in enumerate(self.shape):
            if axis == self.axis:
                if not same(size, product((self.before, ROWS, self.after))):
                    raise Mixes("has an axis of rows of another size")
            elif of_rows(size):
                raise Mixes("sets all rows against all rows")
        if of_rows(self.before) or of_rows(self.after) or not 0 <= self.axis < len(self.shape):
            raise Mixes("sets all rows against all rows")


class Mixed(msgspec.Struct, frozen=True, gc=False):
    """Anything else, and the first node that made it so.

    ``branch``: whether what waits for it is computed at all depends on the rows. ``single``: it is
    a single element, and at least ``least``, if that is known.
    """

    node: str
    op: str
    reason: str
    branch: bool = False
    single: bool = False
    least: int | None = None


class Handle(msgspec.Struct, frozen=True, gc=False):
    """Of a variable or a table, the same for all requests; ``shape`` is the variable's."""

    kind: str
    shape: Shape | None = None


class Items(msgspec.Struct, frozen=True):
    """A list of tensors (TensorList, or the flow of a TensorArray).

    ``element``: what is known of every one of them. ``length``: their number. Which elements
    there are, and how many, does not depend on the rows.
    """

    element: Value
    length: Dimension = UNKNOWN


class Words(msgspec.Struct, frozen=True, gc=False):
    """Parts of a ragged tensor whose rows hold different numbers of values.

    ``part``: values, ids (of the rows that they belong to), pairs (of row and column) or shape.
    ``source``: what split the rows; parts of one source fit each other.
    """

    part: str
    source: int


Tensor = Constant | Counted | Rows
Value = Dead | Constant | Counted | Rows | Mixed | Handle | Items | Words
DEAD = Dead()
UNKNOWN_CONSTANT = Constant()


def integers(shape: Shape, elements: Iterable[Dimension | None], counted: bool) -> Tensor:
    """A tensor of these elements; ``counted``: those not known may depend on the rows."""
    found = tuple(elements)
    if counted and any(e is None or of_rows(e) for e in found):
        return Counted(shape, found)
    return Constant(shape, found)


def scalar(element: Dimension | None, counted: bool = False) -> Tensor:
    return integers((), (element,), counted)


def joined(one: Value, other: Value) -> Value:
    """What is known of a tensor that is one or the other, by a choice that no row takes part in.

    Raises Mixes if nothing is known of it.
    """
    if one == other or type(other) is Dead:
        return one
    match one, other:
        case Dead(), _:
            return other
        case Mixed(), Mixed():
            return _unbounded(one, one.branch or other.branch)
        case Mixed(), _:
            return _unbounded(one, one.branch)
        case _, Mixed():
            return _unbounded(other, other.branch)
        case Constant(), Constant():
            return Constant(_joined_shapes(one.shape, other.shape), _joined_elements(one, other))
        case Rows(), Rows() if one.axis == other.axis:
            return _joined_rows(one, other)
        case ((Counted() | Constant()), (Counted() | Constant())):
            return Counted()
        case Items(), Items():
            return Items(joined(one.element, other.element), joined_sizes(one.length, other.length))
        case Handle(), Handle() if one.kind == other.kind:
            return Handle(one.kind)
    raise Mixes("joins rows with what are no rows")


def _unbounded(mixed: Mixed, branch: bool) -> Mixed:
    return msgspec.structs.replace(mixed, branch=branch, single=False, least=None)


def _joined_rows(one: Rows, other: Rows) -> Rows:
    shape = _joined_shapes(one.shape, other.shape)
    if shape is None or one.before != other.before or one.after != other.after:
        raise Mixes("joins rows in one order with rows in another")
    return Rows(shape, one.axis, one.before, one.after)


def _joined_shapes(one: Shape | None, other: Shape | None) -> Shape | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(map(joined_sizes, one, other))


def joined_sizes(one: Dimension, other: Dimension) -> Dimension:
    """A size that is one or the other."""
    if one == other:
        return one
    if of_rows(one) or of_rows(other):
        raise Mixes("joins rows with what are no rows")
    return UNKNOWN


def _joined_elements(one: Constant, other: Constant) -> Elements | None:
    if one.shape != other.shape or one.elements is None or other.elements is None:
        return None
    if one.shape is None or any(map(is_unknown, one.shape)):
        return None
    both = zip(one.elements, other.elements, strict=True)
    return tuple(mine if mine == theirs else None for mine, theirs in both)


def without_elements(value: Value) -> Value:
    """The same, without what is known of its elements."""
    if isinstance(value, Constant | Counted):
        return type(value)(value.shape)
    return value
