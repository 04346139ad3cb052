"""One call of the network, alone: what TensorFlow itself takes of a request.

``python -m benchmarks.tensorflow_call`` answers each line on stdin by the median microseconds of
one call of one row, by ``make_callable`` of a session whose ops run in the thread that calls. It
is a process of its own, so that it can take turns with servers, and wait in between.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import msgspec

from benchmarks.servers import ROOT, BenchmarkFailedError

_MODULE = "benchmarks.tensorflow_call"
_CALLS = 1000


class TensorFlowCall:
    """The process, which waits for its turn."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def median_us(self) -> float:
        """Of a thousand calls, now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkFailedError(f"{_MODULE} has ended")
        return float(line)


@contextmanager
def tensorflow_call() -> Iterator[TensorFlowCall]:
    """Starts the process, and has it load the network; ends it afterwards."""
    command = [sys.executable, "-m", _MODULE]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, start_new_session=True
    ) as process:
        try:
            call = TensorFlowCall(process)
            call.median_us()
            yield call
        finally:
            process.kill()


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
