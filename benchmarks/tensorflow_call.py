"""One call of the network, alone: what TensorFlow itself takes of a request.

``python -m benchmarks.tensorflow_call`` answers each line on stdin by the median microseconds of
one call of one row, by ``make_callable`` of a session whose ops run in the thread that calls. It
is a process of its own, so that it can take turns with servers, and wait in between.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from statistics import median

import msgspec

from benchmarks.turns import Turns, turns_of

_MODULE = "benchmarks.tensorflow_call"
_CALLS = 1000


def tensorflow_call() -> AbstractContextManager[Turns]:
    """The process, which has loaded the network."""
    return turns_of(_MODULE)


def main() -> None:
    """Measures for each line, until there are no more."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    from benchmarks.network import ROWS, demo_model

    model = demo_model("particles")
    assert model.params is not None
    params = msgspec.json.decode(model.params.read_bytes())
    graph_def = tf.compat.v1.GraphDef.FromString(model.model.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1
    )
    session = tf.compat.v1.Session(graph=graph, config=config)
    call = session.make_callable(_tensor(params["outputNode"]), [_tensor(params["inputNode"])])
    row = ROWS[:1].astype("f4")
    for _ in sys.stdin:
        durations_s = []
        for _ in range(_CALLS):
            start_s = time.perf_counter()
            call(row)
            durations_s.append(time.perf_counter() - start_s)
        print(median(durations_s) * 1e6, flush=True)


def _tensor(node: str) -> str:
    return f"{node.partition(':')[0]}:0"


if __name__ == "__main__":
    main()
