"""Folding: what nodes compute of constants alone, as TensorFlow would before the first run.

Only a few numbers at a time, such as shapes: so that a size is known, whatever ops tell it. Of
what has more, the shape is.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
import numpy as np

from tfaas_backends.runtimes.tensorflow.private import tensor_util
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.arithmetic import (
    LENGTHENS,
    MAX_ELEMENTS,
    OF_SHAPES,
    RULES,
    Values,
)
from tfaas_backends.runtimes.vetting.shapes import PRODUCTS, SHAPES, TOLD, Shaped

_NUMBERS = "biuf"
"""Kinds of dtypes, as numpy has them; texts could grow."""

_OUTPUT = re.compile("[0-9]{1,9}")


class Outputs(msgspec.Struct, frozen=True):
    """What a call gives, in order; ``names`` tells which is which, if its op is a function."""

    values: Values
    names: Mapping[str, int] = {}

    def at(self, reference: str) -> Any:
        """The one that a reference means: ``name:1``, or, within a function, ``name:which:0``.

        None if there is none.
        """
        _node, *path = reference.split(":")
        last = path[-1] if path else "0"
        number = int(last) if _OUTPUT.fullmatch(last) else len(self.values)
        if self.names and len(path) == 2:
            number = self.names.get(path[0], len(self.values))
        return self.values[number] if number < len(self.values) else None


class Calls(Protocol):
    """What follows the nodes that call functions."""

    def is_call(self, node: Any) -> bool:
        """Whether ``outputs`` may know what a node gives."""
        ...

    def outputs(self, node: Any, given: Values) -> Outputs | None:
        """What a call gives, if it gets that; None if it is not known."""
        ...

    def spend(self, *nodes: Any) -> bool:
        """Whether there is time to find out about these nodes of a function that is called."""
        ...


class Folding:
    """The values of ``nodes``, those of one body by name, as far as constants alone make them.

    ``arguments``: those of the function, by name, if it is called with what is known.
    ``constants``: what its nodes are that are constants, which is kept from call to call.
    """

    def __init__(
        self,
        nodes: Mapping[str, Any],
        calls: Calls | None = None,
        arguments: Any = None,
        constants: dict[str, Any] | None = None,
    ) -> None:
        self._nodes = nodes
        self._calls = calls
        self._is_called = arguments is not None
        self._constants = {} if constants is None else constants
        self._values: dict[str, Any] = dict(arguments or {})

    def inputs(self, node: Any) -> Values:
        """An array for each input of a node, or its shape; None for one that is not known."""
        return [self.value(reference) for reference in _references(node)]

    def product(self, node: Any) -> tuple[int, int] | None:
        """How many elements a node of ``PRODUCTS`` gives, and its largest input has.

        None if that is not known.
        """
        given: Values = []
        for reference in _references(node):
            if (value := self.value(reference)) is None:
                return None
            given.append(value)
        made = _shape(PRODUCTS, node, given)
        return None if made is None else (made.size, max(value.size for value in given))

    def value(self, reference: str) -> Any:
        """An array, or its shape; None if that is not known."""
        return _picked(self._value(node_of(reference)), reference)

    def _value(self, name: str) -> Any:
        """Calls itself for no other node: there may be a million in a row."""
        waiting, begun = [name], set[str]()
        while waiting:
            name = waiting[-1]
            if name in self._values:
                waiting.pop()
                continue
            left = [] if name in begun else [*self._left(name)]
            begun.add(name)
            waiting += left
            if not left:
                self._values[name] = self._folded(name)
        return self._values[name]

    def _left(self, name: str) -> Iterator[str]:
        """What has to be known first."""
        node = self._nodes.get(name)
        if node is None:
            return
        is_known = node.op in RULES or node.op in SHAPES
        if (is_known and len(node.input) <= MAX_ELEMENTS) or self._is_call(node):
            for each in map(node_of, _references(node)):
                if each not in self._values:
                    yield each

    def _is_call(self, node: Any) -> bool:
        return self._calls is not None and self._calls.is_call(node)

    def _folded(self, name: str) -> Any:
        node = self._nodes.get(name)
        if node is None:
            return None
        if self._is_called and self._calls and not self._calls.spend(node):
            return None
        try:
            return self._computed(node)
        except Exception:  # of what fits no op, numpy raises nearly anything
            return None

    def _computed(self, node: Any) -> Any:
        op = node.op
        if op == "Const":
            if node.name not in self._constants:
                self._constants[node.name] = _constant(node.attr["value"].tensor)
            return self._constants[node.name]
        if self._calls is not None and self._calls.is_call(node):
            return self._calls.outputs(node, self._given(node))
        if op not in RULES and op not in SHAPES:
            return None
        given = self._given(node)
        if op in OF_SHAPES:
            given = [np.array(given[0].shape, np.int64)]
        value = _number(node, given) if op in RULES else None
        return _shape(SHAPES, node, given) if value is None else value

    def _given(self, node: Any) -> Values:
        return [_picked(self._values[node_of(each)], each) for each in _references(node)]


def _references(node: Any) -> list[str]:
    """What a node takes, in order."""
    return [each for each in node.input if not each.startswith("^")]


def _picked(value: Any, reference: str) -> Any:
    return value.at(reference) if isinstance(value, Outputs) else value


def _attributes(node: Any) -> Any:
    """Raises ValueError if one is left open until a call, but for T, which changes nothing.

    No op has many: to go through a million, each time that a function is called, would take long.
    """
    if len(node.attr) > MAX_ELEMENTS:
        raise ValueError("there are too many attributes")
    if any(value.placeholder for name, value in node.attr.items() if name != "T"):
        raise ValueError("an attribute is not known")
    # A map of protocol buffers takes up each name that it is asked for: without a value there,
    # TensorFlow would refuse the node.
    return defaultdict(tf.compat.v1.AttrValue, node.attr)


def _number(node: Any, given: Values) -> Any:
    """What a node of ``RULES`` gives; its shape, if that is too much; None if it is not known."""
    if not all(isinstance(value, np.ndarray) for value in given):
        return None
    with np.errstate(all="ignore"):
        if node.op in LENGTHENS and LENGTHENS[node.op](given) > MAX_ELEMENTS:
            return None
        value = RULES[node.op](given, _attributes(node))
    return None if value is None else _small(np.asarray(value))


def _shape(rules: Any, node: Any, given: Values) -> Shaped | None:
    if node.op not in TOLD and any(value is None for value in given):
        return None
    try:
        return Shaped.of(rules[node.op](given, _attributes(node)))
    except Exception:  # as above
        return None


def _constant(tensor: Any) -> Any:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    try:
        if _few(sizes) and min(sizes, default=0) >= 0:
            return _small(tensor_util.MakeNdarray(tensor))
        return Shaped.of(sizes)
    except Exception:  # as above
        return None


def _small(array: Any) -> Any:
    if array.dtype.kind not in _NUMBERS:
        return None
    return array if _few(array.shape) else Shaped.of(array.shape)


def _few(sizes: Iterable[int]) -> bool:
    """Whether an array of this shape is small, and so is one that only repeats or reduces it.

    The sum over an axis of no elements has as many as the other axes have.
    """
    return math.prod(max(1, size) for size in sizes) <= MAX_ELEMENTS
