"""The nodes of an imported graph: what feeds it, what it ends in, and what a run passes through."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from tfaas_backends.runtimes.tensorflow.branches import Branches
from tfaas_backends.runtimes.tensorflow.graph_file import is_learning_phase
from tfaas_core.errors import CannotServe
from tfaas_core.tensors import NUMPY_DTYPES

PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
_DEFAULTED = "PlaceholderWithDefault"
_SWITCHES = ("Switch", "RefSwitch")
_LOOPING = ("Enter", "RefEnter", "NextIteration", "RefNextIteration", "LoopCond")
_JOINING = ("Merge", "RefMerge", "Exit", "RefExit")
_LOOPS = ("While", "StatelessWhile")
_FOR_EFFECT = re.compile(
    r"NoOp|Abort|Assert|Print(V2)?|.*Summary(V2)?|Save.*|MergeV2Checkpoints|ShardedFilename"
    r"|Write\w*|Assign\w*|(Resource)?Scatter(Nd)?(Update|Add|Sub)|(Resource)?(Sparse)?Apply\w*"
)
_LEFT = re.compile(r"unused_control_flow_input(_\d+)?$")
"""Placeholders that TensorFlow leaves beside the loops of a graph that it freezes."""

_MAX_LISTED = 8


def name_of(tensor: Any) -> str:
    """The tensor's name as signatures have it: without ``:0``, but with ``:1``."""
    return str(tensor.name.removesuffix(":0"))


def dtype_of(tensor: Any) -> str:
    """The tensor's dtype as a client sees it."""
    return dtype_name(tensor.dtype)


def dtype_name(dtype: Any) -> str:
    """A dtype as a client sees it: bfloat16, which NumPy lacks, goes as float32."""
    name = str(dtype.base_dtype.name)
    return "float32" if name == "bfloat16" else name


def is_readable(tensor: Any) -> bool:
    """Whether an answer can hold it."""
    return dtype_of(tensor) in NUMPY_DTYPES


def listed(names: Iterable[str]) -> str:
    """``'a', 'b' and 3 more``, for messages."""
    quoted = [repr(name) for name in names]
    shown, rest = quoted[:_MAX_LISTED], len(quoted) - _MAX_LISTED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


class GraphNodes:
    """Finds tensors by name, and, if no name is given, the ones that matter.

    Walks leave out the branches that no prediction takes. ``fed``: the nodes that are known to be
    inputs. Tensors and operations are TensorFlow's.
    """

    def __init__(self, graph: Any, fed: Collection[str] = ()) -> None:
        self._operations = {op.name: op for op in graph.get_operations()}
        self._branches = Branches(self._operations.values(), fed)

    def named(self, given: Iterable[str], field: str) -> list[Any]:
        """The tensors that ``params.<field>`` names; raises CannotServe if one is not there."""
        tensors: dict[str, Any] = {}
        for name in given:
            tensor = self._named(name.strip(), field)
            if tensor.name in tensors:
                raise CannotServe(f"params.{field} names {name.strip()!r} twice", field=field)
            tensors[tensor.name] = tensor
        return list(tensors.values())

    def inputs_of(self, outputs: Iterable[Any]) -> list[Any]:
        """What must be fed to compute ``outputs``; raises CannotServe if that is nothing.

        That is placeholders; if all of them have defaults, these all the same.
        """
        needed = {op.name for op in self.ancestors(outputs, ())}
        for types in (PLACEHOLDERS, (_DEFAULTED,)):
            found = [op.outputs[0] for op in self._to_feed(types) if op.name in needed]
            if found:
                return found
        raise CannotServe(
            "the outputs depend on no placeholder: name the tensors to feed in params.inputNode",
            field="inputNode",
        )

    def unneeded(self, outputs: Iterable[Any], fed: Collection[Any]) -> list[Any]:
        """The placeholders that no run for ``outputs`` reads when ``fed`` are given.

        Of those that have a default, only such as are ``fed``; none that freezing a loop leaves.
        """
        needed = {tensor.name for tensor in outputs}
        for op in self.ancestors(outputs, fed):
            needed.update(tensor.name for tensor in self._branches.live_inputs(op))
            needed.update(tensor.name for tensor in op.outputs)
        all_ = [op.outputs[0] for op in self._to_feed(PLACEHOLDERS) if not _LEFT.match(op.name)]
        all_ += [tensor for tensor in fed if tensor.op.type == _DEFAULTED]
        return [tensor for tensor in all_ if tensor.name not in needed]

    def check_covered(self, outputs: Iterable[Any], fed: Iterable[Any]) -> None:
        """Raises CannotServe if ``outputs`` need a placeholder that is not ``fed``."""
        for op in self.ancestors(outputs, fed):
            if op.type in PLACEHOLDERS:
                raise CannotServe(
                    f"the outputs depend on placeholder {op.name!r}, which params.inputNode"
                    " does not name: name it too, or name outputs in params.outputNode"
                    " that do without it",
                    field="inputNode",
                )

    def last_outputs(self, fed: Collection[Any] = ()) -> list[Any]:
        """The tensors in which the graph ends: of nodes that depend on an input, but feed none.

        ``fed``: the inputs, if they are known. Some may be of a dtype that cannot be answered;
        all, if there are no others. Raises CannotServe if there are none.
        """
        roots = fed or [op.outputs[0] for op in self._to_feed((*PLACEHOLDERS, _DEFAULTED))]
        reached = [op for op in self._descendants(roots) if not _is_debris(op)]
        unreadable: list[Any] = []
        for is_end in (self._is_unused, self._is_used_for_effect_only):
            ends = list(filter(is_end, reached))
            for found in (_computed(ends), _joined(ends)):
                if any(map(is_readable, found)):
                    return found
                unreadable = unreadable or found
        if unreadable:
            return unreadable
        raise CannotServe(
            "no node at the end of the graph depends on an input: name the outputs in"
            " params.outputNode",
            field="outputNode",
        )

    def ancestors(self, outputs: Iterable[Any], fed: Iterable[Any]) -> Iterator[Any]:
        """The operations that a run for ``outputs`` passes through when ``fed`` are given."""
        given = {tensor.name for tensor in fed}
        seen: set[str] = set()
        stack = [tensor.op for tensor in outputs if tensor.name not in given]
        while stack:
            op = stack.pop()
            if op.name in seen:
                continue
            seen.add(op.name)
            yield op
            stack += [t.op for t in self._branches.live_inputs(op) if t.name not in given]
            stack += self._branches.live_controls(op)

    def _named(self, name: str, field: str) -> Any:
        node, _, index = name.partition(":")
        op = self._operations.get(node)
        if op is None:
            raise CannotServe(
                f"params.{field} names {node!r}, but the graph has no such node; {self._hint()}",
                field=field,
            )
        for tensor in op.outputs:
            if index in (str(tensor.value_index), "" if tensor.value_index == 0 else None):
                return tensor
        raise CannotServe(
            f"params.{field} names {name!r}, but node {node!r} has {len(op.outputs)} outputs,"
            " counted from 0",
            field=field,
        )

    def _hint(self) -> str:
        names = [op.name for op in self._to_feed((*PLACEHOLDERS, _DEFAULTED))]
        return f"its placeholders are {listed(names)}" if names else "it has no placeholders"

    def _to_feed(self, types: tuple[str, ...]) -> Iterator[Any]:
        for op in self._operations.values():
            if op.type in types and not (op.type == _DEFAULTED and is_learning_phase(op.name)):
                yield op

    def _descendants(self, roots: Iterable[Any]) -> list[Any]:
        """The operations that ``roots`` flow into, in graph order."""
        seen: set[str] = set()
        stack = list(roots)
        while stack:
            for op in self._branches.live_consumers(stack.pop()):
                if op.name not in seen:
                    seen.add(op.name)
                    stack += op.outputs
        return [op for op in self._operations.values() if op.name in seen]

    def _is_unused(self, op: Any) -> bool:
        return not any(True for _ in self._branches.users(op))

    def _is_used_for_effect_only(self, op: Any) -> bool:
        return all(_FOR_EFFECT.fullmatch(user.type) for user in self._branches.users(op))


def _is_debris(op: Any) -> bool:
    """Whether ``op`` only steers a run, or runs for its effect: nobody wants to read it."""
    if op.type == "Identity":  # of a conditional: TensorFlow calls them switch_t and switch_f
        return op.inputs[0].op.type in _SWITCHES
    return op.type in (*_SWITCHES, *_LOOPING) or bool(_FOR_EFFECT.fullmatch(op.type))


def _computed(ends: Iterable[Any]) -> list[Any]:
    return [tensor for op in ends if not _is_joint(op) for tensor in op.outputs]


def _joined(ends: Iterable[Any]) -> list[Any]:
    """What conditionals and loops end in; a Merge's second output tells only the branch."""
    return [op.outputs[0] for op in ends if _is_joint(op)]


def _is_joint(op: Any) -> bool:
    """Whether ``op`` is where a conditional or a loop ends: often with a counter nobody uses."""
    return op.type in _JOINING or (op.type == "Identity" and op.inputs[0].op.type in _LOOPS)
