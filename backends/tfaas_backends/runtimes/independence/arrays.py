"""TensorArrays: each is one array, whichever flow it is read through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.trace import Trace
from tfaas_backends.runtimes.independence.values import (
    DEAD,
    Handle,
    Items,
    Mixed,
    Mixes,
    Value,
    joined,
)

WRITES = frozenset({"TensorArrayWriteV3", "TensorArrayScatterV3"})
READS = frozenset({"TensorArrayReadV3", "TensorArrayGatherV3"})


def read_besides(trace: Trace) -> Iterator[Mixed]:
    """Reads of an array through a flow that does not tell of all that is written to it.

    Flows order reads behind writes. But one that comes of an earlier flow may run later all the
    same, and read what was written through another.
    """
    written: defaultdict[str, Value] = defaultdict(lambda: DEAD)
    reads: list[tuple[Node, str, Value]] = []
    for place, node in enumerate(trace.body.nodes):
        if node.op not in WRITES | READS:
            continue
        handle, *_, flow = (trace.value(edge.node, edge.port) for edge in node.inputs)
        if not isinstance(handle, Handle):
            continue
        if node.op in READS:
            if isinstance(flow, Items):
                reads.append((node, handle.kind, flow.element))
        else:
            after = trace.value(place, 0)
            element = after.element if isinstance(after, Items) else after
            written[handle.kind] = _either(written[handle.kind], element)
    for node, array, element in reads:
        if _either(element, written[array]) != element:
            yield Mixed(trace.where(node), node.op, "reads an array that is written to beside it")


def _either(one: Value, other: Value) -> Value:
    try:
        return joined(one, other)
    except Mixes as mixing:
        return Mixed("", "", str(mixing))
