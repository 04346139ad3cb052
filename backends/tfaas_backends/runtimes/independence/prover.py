"""The proof that each row of a model's answer comes of its own row alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from tfaas_backends.runtimes.independence.dimensions import (
    ONE,
    ROWS,
    Dimension,
    Shape,
    chosen,
    number,
)
from tfaas_backends.runtimes.independence.interpreter import Interpreter, TooMuch
from tfaas_backends.runtimes.independence.program import Program
from tfaas_backends.runtimes.independence.rules.table import RULES
from tfaas_backends.runtimes.independence.trace import Trace
from tfaas_backends.runtimes.independence.values import Constant, Counted, Dead, Mixed, Rows, Value

BUDGET = 100_000
"""Of rules applied."""

InputShape = tuple[int | None, ...] | None


class Finding(msgspec.Struct, frozen=True):
    """What is known of one output.

    ``kind``: rows along axis 0, each of which comes of its own row; constant, the same for all
    rows; or mixed. ``shape`` of rows: (None, the sizes of a row or None); None: not known.
    ``node``, ``op``, ``reason``: of a mixed one, what mixes first, and why, as a clause.
    """

    kind: Literal["rows", "constant", "mixed"]
    shape: tuple[int | None, ...] | None
    node: str = ""
    op: str = ""
    reason: str = ""


class Proof(msgspec.Struct, frozen=True):
    """What is known of each output."""

    outputs: tuple[Finding, ...]

    @property
    def mergeable(self) -> bool:
        """Whether rows of strangers may share a run: each gets the answer that it gets alone."""
        kinds = [finding.kind for finding in self.outputs]
        return "rows" in kinds and "mixed" not in kinds

    @property
    def why(self) -> str:
        """Why not, as a clause for people; empty if they may."""
        if self.mergeable:
            return ""
        for finding in self.outputs:
            if finding.kind == "mixed":
                return clause(finding)
        return "no output depends on the rows"


def clause(finding: Finding) -> str:
    if not finding.node:
        return finding.reason
    return f"node {finding.node!r} ({finding.op}) {finding.reason}"


class Prover:
    """Proves for a graph, once for each combination of input shapes.

    ``inputs`` are the tensors that are fed, ``outputs`` those that are wanted: "node:0". Keeps
    nothing of ``graph_def``, and of large constants only shapes.
    """

    def __init__(self, graph_def: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self._outputs = tuple(outputs)
        self._program: Program | None = None
        try:
            self._program = Program(graph_def, inputs, outputs)
        except Exception:  # of a graph that TensorFlow would refuse, too
            self._unread = Finding("mixed", None, reason="its graph cannot be read")

    def prove(self, shapes: Sequence[InputShape]) -> Proof:
        """For inputs of these shapes: None is a size that a request chooses, on axis 0 the rows.

        Never raises.
        """
        refusal = _refused(shapes)
        if self._program is None or refusal is not None:
            return Proof((refusal or self._unread,) * len(self._outputs))
        try:
            interpreter = Interpreter(self._program, RULES, BUDGET)
            trace = interpreter.run(tuple(map(fed, range(len(shapes)), shapes)))
            return Proof(tuple(_findings(trace, interpreter.effects, self._outputs)))
        except TooMuch:
            finding = Finding("mixed", None, reason="the graph is too large to prove")
        except Exception:
            finding = Finding("mixed", None, reason="the graph could not be followed")
        return Proof((finding,) * len(self._outputs))


def _refused(shapes: Sequence[InputShape]) -> Finding | None:
    for shape in shapes:
        if shape is None:
            return Finding("mixed", None, reason="the number of axes of an input is unknown")
        if not shape:
            return Finding("mixed", None, reason="an input has no axis of rows")
        if shape[0] is not None:
            return Finding("mixed", None, reason="its number of rows is fixed")
    return None


def fed(place: int, shape: InputShape) -> Rows:
    """What is known of an input."""
    inner = (shape or ())[1:]
    sizes = (
        chosen(f"n{place}.{axis}") if size is None else Dimension(size)
        for axis, size in enumerate(inner, 1)
    )
    return Rows((ROWS, *sizes), 0)


def _findings(trace: Trace, effects: Sequence[Mixed], outputs: Sequence[str]) -> Sequence[Finding]:
    if effects:
        return [_mixed(effects[0])] * len(outputs)
    return [
        _finding(value, output, _op(trace, place))
        for place, (value, output) in enumerate(zip(trace.results(), outputs, strict=True))
    ]


def _op(trace: Trace, place: int) -> str:
    node = trace.body.results[place].node
    return trace.body.nodes[node].op if node >= 0 else "Placeholder"


def _finding(value: Value, output: str, op: str) -> Finding:
    name = output.partition(":")[0]
    match value:
        case Mixed():
            return _mixed(value)
        case Constant():
            return Finding("constant", _sizes(value.shape))
        case Rows(axis=0) if value.before == value.after == ONE:
            return Finding("rows", (None, *(_sizes(value.shape) or ())[1:]))
        case Rows(axis=0):
            return Finding("mixed", None, name, op, "does not have one entry for each row")
        case Rows():
            reason = f"has the rows along axis {value.axis}, not along axis 0"
            return Finding("mixed", None, name, op, reason)
        case Counted():
            return Finding("mixed", None, name, op, "depends on the number of rows")
        case Dead():
            return Finding("mixed", None, name, op, "is never computed")
    return Finding("mixed", None, name, op, "is no plain tensor")


def _mixed(value: Mixed) -> Finding:
    return Finding("mixed", None, value.node, value.op, value.reason)


def _sizes(shape: Shape | None) -> tuple[int | None, ...] | None:
    return None if shape is None else tuple(map(number, shape))
