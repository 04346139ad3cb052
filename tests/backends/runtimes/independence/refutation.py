"""Tries to refute what is claimed of the tensors of a graph, by running TensorFlow.

The same rows are run beside others, at other places, in other numbers. Whatever is claimed to come
of a row alone must come out the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
from tfaas_backends.runtimes.independence.dimensions import Dimension
from tfaas_backends.runtimes.independence.interpreter import Interpreter, Rules
from tfaas_backends.runtimes.independence.program import Program
from tfaas_backends.runtimes.independence.prover import fed
from tfaas_backends.runtimes.independence.rules.table import RULES
from tfaas_backends.runtimes.independence.values import Constant, Counted, Rows, Value
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.state import keeps_state

from tfaas_core.tensors import Array

RUNS = ((0, 1, 2), (3, 2, 4, 0), (1,), (2, 0, 1), (5, 6, 1), (0, 5))
"""Which rows of the pool are run together."""
POOL = 7
PREPARING = "preparing"
"""A graph's collection of operations that give variables and tables their values."""
_RELATIVE = 2e-5

Sizes = dict[str, int]


class Input(msgspec.Struct, frozen=True):
    """``pool``: POOL rows; ``shape`` as the Prover takes it."""

    name: str
    shape: tuple[int | None, ...]
    pool: Array


class Run(msgspec.Struct, frozen=True):
    rows: tuple[int, ...]
    values: Mapping[str, Array]


def claims(
    graph: Any, inputs: Sequence[Input], tensors: Sequence[str], rules: Rules = RULES
) -> dict[str, Value]:
    """What is claimed of each of the tensors."""
    program = Program(graph.as_graph_def(), [i.name for i in inputs], tensors)
    interpreter = Interpreter(program, rules, 100_000)
    trace = interpreter.run(tuple(fed(place, i.shape) for place, i in enumerate(inputs)))
    assert not interpreter.effects
    return dict(zip(tensors, trace.results(), strict=True))


def fetchable(graph: Any) -> list[str]:
    """The tensors whose values a run can tell: not those within conditionals and loops."""
    return [
        tensor.name
        for op in graph.get_operations()
        if op._get_control_flow_context() is None
        and graph.is_fetchable(op)
        and op.type != "Placeholder"
        and not keeps_state(op.type)
        for tensor in op.outputs
        if tensor.dtype.base_dtype not in (tf.variant, tf.resource)
        and not tensor.dtype._is_ref_dtype
    ]


def refuted(graph: Any, inputs: Sequence[Input], rules: Rules = RULES) -> list[str]:
    """The claims that are wrong, in words."""
    tensors = fetchable(graph)
    claimed = {
        name: value
        for name, value in claims(graph, inputs, tensors, rules).items()
        if isinstance(value, Constant | Counted | Rows)
    }
    return [*_contradictions(claimed, list(_runs(graph, inputs, list(claimed))))]


def _runs(graph: Any, inputs: Sequence[Input], tensors: Sequence[str]) -> Iterator[Run]:
    with tf.compat.v1.Session(graph=graph) as session:
        session.run(graph.get_collection(PREPARING))
        for rows in RUNS:
            feeds = {i.name: i.pool[list(rows)] for i in inputs}
            try:
                found = session.run(list(tensors), feeds)
            except tf.errors.OpError:
                continue  # requests whose rows cannot be run together are run alone
            yield Run(rows, dict(zip(tensors, map(np.asarray, found), strict=True)))


def _contradictions(claimed: Mapping[str, Value], runs: Sequence[Run]) -> Iterator[str]:
    known: dict[tuple[int, ...], Sizes] = {run.rows: {"rows": len(run.rows)} for run in runs}
    for name, value in claimed.items():
        unfit = [run for run in runs if not _fits(value, run.values[name], known[run.rows])]
        for run in unfit:
            yield f"{name} of {len(run.rows)} rows is no {value}: {run.values[name].shape}"
        for one, other in [] if unfit else combinations(runs, 2):
            if not _agree(value, name, one, other, known):
                yield f"{name}, {value}, differs in {one.rows} and {other.rows}"


def _fits(value: Value, array: Array, known: Sizes) -> bool:
    assert isinstance(value, Constant | Counted | Rows)
    if value.shape is None:
        return True
    if len(value.shape) != array.ndim:
        return False
    if not all(map(_is, value.shape, array.shape, [known] * array.ndim)):
        return False
    elements = getattr(value, "elements", None) or ()
    found = zip(elements, np.ravel(array).tolist(), strict=False)
    return all(e is None or _is(e, int(n), known) for e, n in found)


def _is(size: Dimension, number: int, known: Sizes) -> bool:
    """Whether a size is this number; a symbol means the same wherever it stands."""
    if "?" in size.symbols or size.coefficient == 0:
        return bool(size.coefficient or number == 0)
    product = size.coefficient
    unknown = []
    for symbol in size.symbols:
        if symbol in known:
            product *= known[symbol]
        else:
            unknown.append(symbol)
    if len(unknown) == 1 and product and number % product == 0:
        known[unknown[0]] = number // product
        return True
    return bool(unknown) or product == number


def _agree(
    value: Value, name: str, one: Run, other: Run, known: Mapping[tuple[int, ...], Sizes]
) -> bool:
    mine, theirs = one.values[name], other.values[name]
    if isinstance(value, Constant):
        return equal(mine, theirs)
    if isinstance(value, Counted):
        return len(one.rows) != len(other.rows) or equal(mine, theirs)
    assert isinstance(value, Rows)
    by_row = [
        dict(zip(run.rows, split(value, run.values[name], known[run.rows]), strict=True))
        for run in (one, other)
    ]
    return all(equal(by_row[0][row], by_row[1][row]) for row in by_row[0].keys() & by_row[1].keys())


def split(value: Rows, array: Array, known: Sizes) -> list[Array]:
    """The part of each row."""
    count = known["rows"]
    before = _number(value.before, known)
    after = array.shape[value.axis] // count // max(before, 1)
    shape = (*array.shape[: value.axis], before, count, after, *array.shape[value.axis + 1 :])
    parts = np.reshape(array, shape)
    return [parts.take(row, value.axis + 1) for row in range(count)]


def _number(size: Dimension, known: Sizes) -> int:
    return int(np.prod([size.coefficient, *(known[symbol] for symbol in size.symbols)]))


def equal(one: Array, other: Array) -> bool:
    """To the bit, or nearly so: kernels round differently where vectors end elsewhere."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=_RELATIVE, atol=0, equal_nan=True))
