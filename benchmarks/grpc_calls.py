"""Unary calls of gRPC beside those of a no-op of grpc.aio, in turn.

``python -m benchmarks.grpc_calls`` measures them alone; h2load, which sends the calls, comes with
``apt-get install nghttp2-client``.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec
import psutil
from tfaas_plugins.protocols.private_pool import message_class

from benchmarks import network, servers, tiny_models
from benchmarks.bodies import float_rows
from benchmarks.options import Options, parse
from benchmarks.pictures import levels_640x480
from benchmarks.report import Report
from benchmarks.servers import BenchmarkFailedError
from tfaas_core.tensors import Array

_GOAL, _GOAL_CONNECTIONS = 0.5, 32
HEADER = ["connections", "answers", "calls/s", "mean ms", "CPU µs a call", "errors", "ratio"]
_FLOAT, _UINT8 = 1, 4
"""As TensorFlow's DataType has them."""
_INFER = "/inference.GRPCInferenceService/ModelInfer"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
_FINISHED = re.compile(r"finished in ([0-9.]+)(ms|s), ([0-9.]+) req/s")
_DONE = re.compile(r"requests: .* (\d+) succeeded, (\d+) failed")
_MEAN = re.compile(r"time for request: +\S+ +\S+ +([0-9.]+)(us|ms|s)")
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class _Round(msgspec.Struct, frozen=True):
    calls_per_s: float
    mean_ms: float
    cpu_us: float
    errors: int


class _Called(msgspec.Struct, frozen=True):
    """``pid``: of the process whose children serve. ``sent``: a file of what is sent."""

    name: str
    pid: int
    url: str
    sent: Path


class _Asked(msgspec.Struct, frozen=True):
    """A message: of ``array``, whose dtype is ``dtype`` of TensorFlow's DataType."""

    title: str
    counts: Sequence[int]
    model: str
    input: str
    dtype: int
    array: Array


_ASKED = (
    _Asked("gRPC: unary calls", (1, 32, 128), network.NAME, "particles", _FLOAT, float_rows(1)),
    _Asked("gRPC: 1000 rows", (4,), network.NAME, "particles", _FLOAT, float_rows(1000)),
    _Asked(
        "gRPC: a picture of 640 x 480",
        (8,),
        tiny_models.LEVELS_480X640,
        "x",
        _UINT8,
        levels_640x480()[None],
    ),
)


class _Table(msgspec.Struct, frozen=True):
    title: str
    counts: Sequence[int]
    contenders: Sequence[_Called]


def measure(report: Report, options: Options, folder: Path) -> int:
    """Adds the tables; gives how many errors there were."""
    errors = 0
    with _tables(folder) as tables:
        for table in tables:
            rows: list[list[str]] = []
            for count in table.counts:
                rounds: dict[str, list[_Round]] = {one.name: [] for one in table.contenders}
                for _ in range(options.rounds):
                    for one in table.contenders:
                        rounds[one.name].append(_round(one, count, options.seconds))
                noop = rounds[table.contenders[0].name]
                for name, found in rounds.items():
                    rows.append(_row(count, name, found, noop))
                    if count == _GOAL_CONNECTIONS and found is not noop:
                        what = f"a call of {name}, {count} connections, of a no-op of grpc.aio"
                        report.goal(what, _ratio(found, noop), _GOAL)
                    errors += sum(each.errors for each in found)
            report.add(table.title, HEADER, rows)
    return errors


def _row(count: int, name: str, found: Sequence[_Round], noop: Sequence[_Round]) -> list[str]:
    return [
        str(count),
        name,
        f"{median(each.calls_per_s for each in found):.0f}",
        f"{median(each.mean_ms for each in found):.2f}",
        f"{median(each.cpu_us for each in found):.0f}",
        str(sum(each.errors for each in found)),
        f"{_ratio(found, noop):.2f}",
    ]


def _ratio(found: Sequence[_Round], noop: Sequence[_Round]) -> float:
    return median(a.calls_per_s / b.calls_per_s for a, b in zip(found, noop, strict=True))


@contextmanager
def _tables(folder: Path) -> Iterator[list[_Table]]:
    """One a message, with the no-op first, which is sent the same."""
    port = _free_port()
    settings = {"plugins.grpc.port": port, "engine.max_queue_rows": 1_000_000}
    with servers.tfaas(folder / "grpc", settings) as tfaas, servers.grpc_noop() as noop:
        _store(tfaas, folder)
        found = []
        for asked in _ASKED:
            file = folder / asked.model
            messages = {
                f"{noop.url}{_INFER}": ("no-op of grpc.aio", noop.pid, _infer(asked)),
                f"http://127.0.0.1:{port}{_INFER}": ("TFaaS, ModelInfer", tfaas.pid, _infer(asked)),
                f"http://127.0.0.1:{port}{_PREDICT}": (
                    "TFaaS, Predict",
                    tfaas.pid,
                    _predict(asked),
                ),
            }
            called: list[_Called] = []
            for url, (name, pid, message) in messages.items():
                sent = Path(f"{file}-{len(asked.array)}-{len(called)}")
                sent.write_bytes(struct.pack(">BI", 0, len(message)) + message)
                call = url.partition("//")[2].partition("/")[2]
                _check(url.partition("//")[2].partition("/")[0], f"/{call}", message)
                called.append(_Called(name, pid, url, sent))
            found.append(_Table(asked.title, asked.counts, called))
        yield found


def _store(tfaas: servers.Server, folder: Path) -> None:
    tiny = tiny_models.write(folder / "tiny-of-grpc")
    with network.client(tfaas.url) as http:
        network.upload(http, network.NAME)
        network.upload_graph(http, tiny_models.LEVELS_480X640, tiny[tiny_models.LEVELS_480X640])


def calls_of_a_row(model: str, name: str) -> dict[str, tuple[str, bytes]]:
    """The path and the message of each call of one row, by the names of their methods."""
    asked = _Asked("", (), model, name, _FLOAT, float_rows(1))
    return {"ModelInfer": (_INFER, _infer(asked)), "Predict": (_PREDICT, _predict(asked))}


def _infer(asked: _Asked) -> bytes:
    datatype = "FP32" if asked.dtype == _FLOAT else "UINT8"
    tensor = {"name": asked.input, "datatype": datatype, "shape": asked.array.shape}
    request = message_class("inference.ModelInferRequest")
    raw = [asked.array.tobytes()]
    made = request(model_name=asked.model, inputs=[tensor], raw_input_contents=raw)
    return bytes(made.SerializeToString())


def _predict(asked: _Asked) -> bytes:
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = asked.model
    tensor = request.inputs[asked.input]
    tensor.dtype, tensor.tensor_content = asked.dtype, asked.array.tobytes()
    for size in asked.array.shape:
        tensor.tensor_shape.dim.add(size=size)
    return bytes(request.SerializeToString())


def _check(address: str, call: str, message: bytes) -> None:
    """To h2load, a refusal is an answer as any other. Raises grpc.RpcError."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        channel.unary_unary(call)(message, timeout=60)


def _round(one: _Called, connections: int, seconds: int) -> _Round:
    numbers = ["-c", str(connections), "-t", "1", "-m", "1", "-D", str(seconds)]
    command = ["h2load", *numbers, "-d", str(one.sent), *_HEADERS, one.url]
    before_s = _cpu_s(one.pid)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BenchmarkFailedError(
            "h2load is not installed: apt-get install nghttp2-client"
        ) from None
    cpu_s = _cpu_s(one.pid) - before_s
    finished, counted, mean = (pattern.search(done.stdout) for pattern in (_FINISHED, _DONE, _MEAN))
    if finished is None or counted is None or mean is None:
        raise BenchmarkFailedError(f"h2load said what nobody understands: {done.stdout}")
    calls = int(counted[1])
    mean_ms = float(mean[1]) * _UNITS_MS[mean[2]]
    return _Round(float(finished[3]), mean_ms, cpu_s / calls * 1e6, int(counted[2]))


def _cpu_s(pid: int) -> float:
    """Of a process and all that it has begun."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        measure(Report(), parse(__doc__), Path(scratch))
