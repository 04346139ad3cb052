"""Each rule, against TensorFlow itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tfaas_backends.runtimes.independence.rules.elementwise import elementwise
from tfaas_backends.runtimes.independence.rules.table import RULES
from tfaas_backends.runtimes.independence.values import Constant, Counted, Rows
from tfaas_backends.runtimes.tensorflow.graph_file import count_ops
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.cases import CASES
from tests.backends.runtimes.independence.draw import Draw
from tests.backends.runtimes.independence.refutation import claims, fetchable, refuted

SEEDS = 8
FEWER = 3
"""For ops of one rule, that of all element-wise ones."""
_OF_SHAPES = {"Shape", "ShapeN", "Size", "Rank", "Range"}


GROUPS = [
    [op for op, other in CASES.items() if other is case] for case in dict.fromkeys(CASES.values())
]


@pytest.mark.parametrize("ops", GROUPS, ids="-".join)
def test_tensorflow_does_not_refute_what_a_rule_claims(ops: Sequence[str]) -> None:
    proven: set[str] = set()
    for seed in range(FEWER if RULES.of_ops.get(ops[0]) is elementwise else SEEDS):
        graph = tf.Graph()
        with graph.as_default():
            draw = Draw(seed)
            try:
                result = CASES[ops[0]](draw)
            except ValueError:  # drawn at random, shapes do not always fit
                continue
        assert refuted(graph, draw.inputs) == [], f"{ops}, seed {seed}"
        proven |= {op for op in ops if _is_proven(graph, draw, op, result)}
    assert proven == set(ops), "there must be cases in which something is claimed"


def _is_proven(graph: Any, draw: Draw, op: str, result: Any) -> bool:
    """Whether rows are claimed of what the op gives, or of what the case makes of it."""
    assert op in count_ops(graph.as_graph_def())
    names = [t for t in fetchable(graph) if graph.get_tensor_by_name(t).op.type == op]
    names += [] if result is None else [result.name]
    found = claims(graph, draw.inputs, names)
    kinds = (Constant, Counted) if op in _OF_SHAPES else (Rows,)
    return any(isinstance(value, kinds) for value in found.values())


def test_each_rule_has_a_case() -> None:
    ruled = RULES.of_ops.keys() | RULES.of_flow.keys() | RULES.of_calls.keys()
    references = {op for op in ruled if op.startswith("Ref")}
    without_rows = {"Placeholder", "PlaceholderV2"} | references
    assert ruled - CASES.keys() == without_rows
