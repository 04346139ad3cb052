"""Lists of tensors: TensorArray, which TensorFlow 1's loops use, and TensorList."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    UNKNOWN,
    Dimension,
    is_unknown,
    number,
    of_rows,
    plus,
)
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import elements, moved, shape_of
from tfaas_backends.runtimes.independence.rules.moving.repeating import repeated
from tfaas_backends.runtimes.independence.values import (
    DEAD,
    Constant,
    Counted,
    Dead,
    Handle,
    Items,
    Mixes,
    Rows,
    Value,
    joined,
    scalar,
    without_elements,
)

_BY_ROWS = "reads or writes a list at places that the rows say"
_OF_ROWS = "makes a list of the rows"


def _place(value: Value) -> None:
    if not isinstance(value, Constant):
        raise Mixes(_BY_ROWS)


def _items(value: Value) -> Items:
    if not isinstance(value, Items):
        raise Mixes("has no rule")
    return value


def _tensor(value: Value) -> Constant | Counted | Rows:
    if not isinstance(value, Constant | Counted | Rows):
        raise Mixes("has no rule")
    return value


def _length(value: Value) -> Dimension:
    found = elements(value)[0] if isinstance(value, Constant) and value.elements else None
    if not isinstance(value, Constant):
        raise Mixes("makes as many entries as there are rows")
    return UNKNOWN if found is None else found


def _with(items: Items, value: Value, length: Dimension | None = None) -> Items:
    added = without_elements(_tensor(value))
    return Items(joined(items.element, added), items.length if length is None else length)


def read(items: Items) -> Value:
    """Any of the elements."""
    if isinstance(items.element, Dead):
        return DEAD
    return without_elements(items.element)


def read_as(items: Items, shape: Value) -> Value:
    """Any of the elements, or zeros of this shape, if it is whole and none is set yet."""
    return joined(read(items), _zeros(shape))


def stacked(element: Value, length: Dimension) -> Value:
    """All elements along a new first axis."""
    if isinstance(element, Dead):
        return DEAD
    if isinstance(element, Constant):
        return Constant(None if element.shape is None else (length, *element.shape))
    if not isinstance(element, Rows):
        raise Mixes("puts entries together that depend on the number of rows")
    return moved(element, (length, *element.shape), element.axis + 1)


def unstacked(value: Value) -> Items:
    """The parts along the first axis."""
    tensor, shape = _tensor(value), shape_of(value)
    if isinstance(tensor, Constant):
        return Items(Constant(shape[1:]), shape[0])
    if not isinstance(tensor, Rows) or tensor.axis == 0:
        raise Mixes(_OF_ROWS)
    return Items(moved(tensor, shape[1:], tensor.axis - 1), shape[0])


# TensorArray: the flow carries what is known. See independence/arrays.py for what else is written.


def array(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    grows = bool(node.attribute("dynamic_size"))
    shape = node.attribute("element_shape")
    zeros = DEAD if shape is None or any(map(is_unknown, shape)) else Constant(shape)
    length = _length(inputs[0])  # at least so many entries it has, if it grows
    return (Handle(f"array {node.name}"), Items(zeros, UNKNOWN if grows else length))


def array_write(node: Node, inputs: Sequence[Value]) -> Value:
    _, place, value, flow = inputs
    _place(place)
    return _with(_items(flow), value)


def array_read(node: Node, inputs: Sequence[Value]) -> Value:
    _, place, flow = inputs
    _place(place)
    return read(_items(flow))


def array_scatter(node: Node, inputs: Sequence[Value]) -> Value:
    _, places, value, flow = inputs
    _place(places)
    return _with(_items(flow), unstacked(value).element)


def array_gather(node: Node, inputs: Sequence[Value]) -> Value:
    _, places, flow = inputs
    _place(places)
    return stacked(_items(flow).element, shape_of(places)[0])


def array_size(node: Node, inputs: Sequence[Value]) -> Value:
    return scalar(_items(inputs[1]).length)


# TensorList.


def reserved(node: Node, inputs: Sequence[Value]) -> Value:
    """TensorListReserve: zeros, or no element yet if their shape is not known."""
    return Items(_zeros(inputs[0]), _length(inputs[1]))


def empty(node: Node, inputs: Sequence[Value]) -> Value:
    """EmptyTensorList."""
    return Items(DEAD, Dimension(0))


def _zeros(shape: Value) -> Value:
    if not isinstance(shape, Constant | Counted) or shape.elements is None:
        raise Mixes("makes a list of tensors of a shape that is not known before it runs")
    sizes = shape.elements
    if shape.shape == () or any((number(size) or 0) < 0 for size in sizes):
        return DEAD
    if None in sizes:
        raise Mixes("makes a list of tensors of a shape that is not known before it runs")
    known = tuple(size for size in sizes if size is not None)
    axes = [axis for axis, size in enumerate(known) if of_rows(size)]
    if len(axes) > 1:
        raise Mixes("sets all rows against all rows")
    return repeated(known, axes[0]) if axes else Constant(known)


def list_read(node: Node, inputs: Sequence[Value]) -> Value:
    items, place, shape = _items(inputs[0]), inputs[1], inputs[2]
    _place(place)
    return read_as(items, shape)


def list_write(node: Node, inputs: Sequence[Value]) -> Value:
    items, place, value = _items(inputs[0]), inputs[1], inputs[2]
    _place(place)
    grows = node.attribute("resize_if_index_out_of_bounds")
    return _with(items, value, UNKNOWN if grows else None)


def list_push(node: Node, inputs: Sequence[Value]) -> Value:
    items = _items(inputs[0])
    return _with(items, inputs[1], plus(items.length, ONE) or UNKNOWN)


def list_pop(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    items = _items(inputs[0])
    return (Items(items.element, UNKNOWN), read_as(items, inputs[1]))


def list_stack(node: Node, inputs: Sequence[Value]) -> Value:
    items = _items(inputs[0])
    return stacked(read_as(items, inputs[1]), items.length)


def list_unstack(node: Node, inputs: Sequence[Value]) -> Value:
    return unstacked(inputs[0])


def list_gather(node: Node, inputs: Sequence[Value]) -> Value:
    _place(inputs[1])
    return stacked(read_as(_items(inputs[0]), inputs[2]), shape_of(inputs[1])[0])


def list_length(node: Node, inputs: Sequence[Value]) -> Value:
    return scalar(_items(inputs[0]).length)


def list_resize(node: Node, inputs: Sequence[Value]) -> Value:
    return Items(_items(inputs[0]).element, _length(inputs[1]))


def list_concat(node: Node, inputs: Sequence[Value]) -> tuple[Value, ...]:
    """All elements one behind the other along their first axis, and their lengths."""
    items = _items(inputs[0])
    element = read_as(items, inputs[1])
    if isinstance(element, Dead):
        return (DEAD, DEAD)
    if isinstance(element, Rows) and element.axis:
        rows = moved(element, (UNKNOWN, *element.shape[1:]))
        return (rows, Constant((items.length,)))
    if isinstance(element, Constant) and element.shape:
        return (Constant((UNKNOWN, *element.shape[1:])), Constant((items.length,)))
    raise Mixes("puts rows behind rows")


RULES: dict[str, Rule] = {
    "TensorArrayV3": array,
    "TensorArrayWriteV3": array_write,
    "TensorArrayReadV3": array_read,
    "TensorArrayScatterV3": array_scatter,
    "TensorArrayGatherV3": array_gather,
    "TensorArraySizeV3": array_size,
    "TensorListReserve": reserved,
    "EmptyTensorList": empty,
    "TensorListGetItem": list_read,
    "TensorListSetItem": list_write,
    "TensorListPushBack": list_push,
    "TensorListPopBack": list_pop,
    "TensorListStack": list_stack,
    "TensorListFromTensor": list_unstack,
    "TensorListGather": list_gather,
    "TensorListLength": list_length,
    "TensorListResize": list_resize,
    "TensorListConcatV2": list_concat,
}
