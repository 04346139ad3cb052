"""Which parts of a graph a prediction can reach: not those that only training takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

_SWITCHES = ("Switch", "RefSwitch")
_MERGES = ("Merge", "RefMerge")
_PASSING = ("Identity", "PlaceholderWithDefault")


class Branches:
    """The live edges of a graph.

    TensorFlow 1 writes a conditional as a Switch, whose untaken output is dead, and so is what
    follows it, up to a Merge with a live input. Where the condition is constant, as in a dropout
    layer that asks whether it is being trained, this is known before any run. ``fed``: names of
    operations whose outputs a request chooses.
    """

    def __init__(self, operations: Iterable[Any], fed: Collection[str] = ()) -> None:
        self._followers: dict[str, list[Any]] = defaultdict(list)
        self._dead_operations: set[str] = set()
        self._dead_tensors: set[str] = set()
        untaken = []
        for op in operations:
            for control in op.control_inputs:
                self._followers[control.name].append(op)
            if op.type in _SWITCHES:
                condition = _constant(op.inputs[1], fed)
                untaken += [] if condition is None else [op.outputs[not condition]]
        self._bury(untaken)

    def live_inputs(self, op: Any) -> list[Any]:
        """The tensors that ``op`` computes with."""
        return [tensor for tensor in op.inputs if tensor.name not in self._dead_tensors]

    def live_controls(self, op: Any) -> list[Any]:
        """The operations that run before ``op`` though it takes nothing from them."""
        return [other for other in op.control_inputs if self._lives(other)]

    def live_consumers(self, tensor: Any) -> list[Any]:
        """The operations that compute with ``tensor``."""
        if tensor.name in self._dead_tensors:
            return []
        return [op for op in tensor.consumers() if self._lives(op)]

    def users(self, op: Any) -> Iterator[Any]:
        """The operations that compute with ``op``'s outputs or wait for it."""
        for tensor in op.outputs:
            yield from self.live_consumers(tensor)
        yield from filter(self._lives, self._followers.get(op.name, ()))

    def _lives(self, op: Any) -> bool:
        return op.name not in self._dead_operations

    def _bury(self, tensors: list[Any]) -> None:
        while tensors:
            tensor = tensors.pop()
            if tensor.name not in self._dead_tensors:
                self._dead_tensors.add(tensor.name)
                for op in tensor.consumers():
                    tensors += self._outputs_of_dead(op)

    def _outputs_of_dead(self, op: Any) -> list[Any]:
        """What dies with ``op``, one of whose inputs is dead: nothing if a Merge lives on."""
        if op.type in _MERGES and self.live_inputs(op):
            return []
        outputs = []
        stack = [op]
        while stack:
            dead = stack.pop()
            if self._lives(dead):
                self._dead_operations.add(dead.name)
                outputs += dead.outputs
                stack += self._followers.get(dead.name, ())
        return outputs


def _constant(tensor: Any, fed: Collection[str]) -> bool | None:
    """The value of a condition that no request and no run changes; None for any other."""
    op = tensor.op
    while op.type in _PASSING and op.name not in fed:
        op = op.inputs[0].op
    if op.type != "Const" or op.name in fed:
        return None
    value = tf.get_static_value(op.outputs[0])
    return None if value is None or value.ndim else bool(value)
