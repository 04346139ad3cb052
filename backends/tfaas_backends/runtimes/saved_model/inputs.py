"""Which of a signature's inputs are asked for: not those that no output needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tfaas_backends.runtimes.saved_model.signature import End, Ends
from tfaas_backends.runtimes.tensorflow.input_defaults import NotShown, spelled
from tfaas_backends.runtimes.tensorflow.nodes import PLACEHOLDERS
from tfaas_backends.runtimes.tensorflow.private import tensor_pb2
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.uses import needed_nodes
from tfaas_core.errors import CannotServe


class Fixed(msgspec.Struct, frozen=True):
    """An input that no request feeds, and the TensorProto that it is in every run."""

    end: End
    value: Any


class Asked(msgspec.Struct, frozen=True):
    """The ends of which requests know, and the inputs that are the same in every run."""

    ends: Ends
    fixed: list[Fixed]


def asked_for(ends: Ends, meta_graph: Any, given: bool) -> Asked:
    """The ends without inputs that no output needs; these become ``unused``, and zeros.

    Inputs get the signature's defaults. Where a default cannot be shown, it is used and the input
    ``left_out``; so it is, silently, if the params did not name the input though they name
    others: ``given``. Raises CannotServe if a default does not fit its input.
    """
    inputs = _Inputs(ends, meta_graph)
    kept, fixed, left_out = [], inputs.zeros(), list(ends.left_out)
    for end in inputs.needed():
        default = inputs.default(end)
        if default is None:
            kept += [end] if end in ends.inputs else []
        elif end not in ends.inputs:
            fixed.append(Fixed(end, default))
        else:
            try:
                kept.append(msgspec.structs.replace(end, default=spelled(default)))
            except NotShown as reason:
                if given:
                    kept.append(end)
                else:
                    left_out.append(
                        f"{end.key} ({reason}: to send it, name it in params.inputNode)"
                    )
                    fixed.append(Fixed(end, default))
    if not kept:
        return Asked(ends, [])
    names = tuple(end.key or end.tensor.removesuffix(":0") for end in inputs.unneeded())
    asked = msgspec.structs.replace(ends, inputs=kept, unused=names, left_out=tuple(left_out))
    return Asked(asked, fixed)


def fix(graph_def: Any, fixed: list[Fixed]) -> None:
    """Gives placeholders of ``graph_def`` these values as their defaults, in place.

    Unlike a constant, a placeholder with a default tells no more of its shape than before.
    """
    values = {node_of(each.end.tensor): each.value for each in fixed}
    for node in [n for n in graph_def.node if n.op in PLACEHOLDERS and n.name in values]:
        constant = graph_def.node.add(name=f"{node.name}/value_unless_fed", op="Const")
        constant.attr["dtype"].type = values[node.name].dtype
        constant.attr["value"].tensor.CopyFrom(values[node.name])
        node.op = "PlaceholderWithDefault"
        if "shape" not in node.attr:  # left out, because a Placeholder of any shape needs none
            node.attr["shape"].shape.unknown_rank = True
        node.input[:] = [constant.name]


class _Inputs:
    """All inputs of a signature, and those that the params name beside them."""

    def __init__(self, ends: Ends, meta_graph: Any) -> None:
        graph_def = meta_graph.graph_def
        self._definition = meta_graph.signature_def[ends.signature]
        self._placeholders = {n.name: n for n in graph_def.node if n.op in PLACEHOLDERS}
        taken = {end.tensor for end in ends.inputs}
        others = [end for end in _plain(self._definition.inputs) if end.tensor not in taken]
        self._all = [*ends.inputs, *others]
        self._seen = needed_nodes(graph_def, [end.tensor for end in ends.outputs], taken)

    def needed(self) -> list[End]:
        return [end for end in self._all if not self._is_unneeded(end)]

    def unneeded(self) -> list[End]:
        return [end for end in self._all if self._is_unneeded(end)]

    def zeros(self) -> list[Fixed]:
        """What the unneeded ones are: functions take them all the same."""
        return [Fixed(end, self._zeros(end)) for end in self.unneeded()]

    def default(self, end: End) -> Any:
        """The signature's default of an input, a TensorProto; None if it has none."""
        if end.key not in self._definition.defaults:
            return None
        default = self._definition.defaults[end.key]
        info = self._definition.inputs[end.key]
        ours, theirs = tf.TensorShape(default.tensor_shape), tf.TensorShape(info.tensor_shape)
        if default.dtype != info.dtype or not ours.is_compatible_with(theirs):
            raise CannotServe(
                f"the signature's default of input {end.key!r} is"
                f" {tf.as_dtype(default.dtype).name} {ours}, but the input is"
                f" {tf.as_dtype(info.dtype).name} {theirs}: save the model anew"
            )
        return default

    def _is_unneeded(self, end: End) -> bool:
        node = node_of(end.tensor)
        return node in self._placeholders and node not in self._seen

    def _zeros(self, end: End) -> Any:
        attributes = self._placeholders[node_of(end.tensor)].attr
        zeros = tensor_pb2.TensorProto(dtype=attributes["dtype"].type)
        sizes = attributes["shape"].shape.dim if "shape" in attributes else ()
        for dim in sizes:
            zeros.tensor_shape.dim.add(size=max(dim.size, 1))
        return zeros


def _plain(infos: Mapping[str, Any]) -> list[End]:
    plain = {key: info for key, info in infos.items() if info.WhichOneof("encoding") == "name"}
    return [End.of(key, info) for key, info in sorted(plain.items())]
