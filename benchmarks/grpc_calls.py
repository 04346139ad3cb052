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
import numpy as np
import psutil
from tfaas_plugins.protocols.private_pool import message_class

from benchmarks import servers
from benchmarks.options import Options, parse
from benchmarks.report import Report
from benchmarks.servers import BenchmarkFailedError
from tfaas_core.testing.server import http_client

HEADER = ["connections", "answers", "calls/s", "mean ms", "CPU µs a call", "errors", "ratio"]
_COUNTS = (1, 32, 128)
_NAME = "particles"
_MODEL = Path(__file__).parents[1] / "backends/tfaas_backends/demo/particles.pb"
_INFER = "/inference.GRPCInferenceService/ModelInfer"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_ROW = np.ones((1, 42), np.float32)
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


def measure(report: Report, options: Options, folder: Path) -> int:
    """Adds the table; gives how many errors there were."""
    with _contenders(folder) as contenders:
        rows, errors = [], 0
        for count in _COUNTS:
            rounds: dict[str, list[_Round]] = {one.name: [] for one in contenders}
            for _ in range(options.rounds):
                for one in contenders:
                    rounds[one.name].append(_round(one, count, options.seconds))
            noop = rounds[contenders[0].name]
            for name, found in rounds.items():
                rows.append(_row(count, name, found, noop))
                errors += sum(each.errors for each in found)
    report.add("gRPC: unary calls", HEADER, rows)
    return errors


def _row(count: int, name: str, found: Sequence[_Round], noop: Sequence[_Round]) -> list[str]:
    ratios = [a.calls_per_s / b.calls_per_s for a, b in zip(found, noop, strict=True)]
    return [
        str(count),
        name,
        f"{median(each.calls_per_s for each in found):.0f}",
        f"{median(each.mean_ms for each in found):.2f}",
        f"{median(each.cpu_us for each in found):.0f}",
        str(sum(each.errors for each in found)),
        f"{median(ratios):.2f}",
    ]


@contextmanager
def _contenders(folder: Path) -> Iterator[list[_Called]]:
    """The no-op first."""
    port = _free_port()
    settings = {"plugins.grpc.port": port}
    with servers.tfaas(folder / "grpc", settings) as tfaas, servers.grpc_noop() as noop:
        with http_client(tfaas.url) as http:
            files = {"model": ("model.pb", _MODEL.read_bytes())}
            http.post("/upload", data={"name": _NAME}, files=files).raise_for_status()
            (tensor,) = http.get(f"/v2/models/{_NAME}").json()["inputs"]
        messages = {_INFER: _infer(tensor["name"]), _PREDICT: _predict(tensor["name"])}
        found = [
            _Called("no-op of grpc.aio", noop.pid, f"{noop.url}{_INFER}", folder / "ModelInfer")
        ]
        for call, message in messages.items():
            name = call.rpartition("/")[2]
            (folder / name).write_bytes(struct.pack(">BI", 0, len(message)) + message)
            _check(f"127.0.0.1:{port}", call, message)
            url = f"http://127.0.0.1:{port}{call}"
            found.append(_Called(f"TFaaS, {name}", tfaas.pid, url, folder / name))
        yield found


def _infer(name: str) -> bytes:
    asked = {"name": name, "datatype": "FP32", "shape": _ROW.shape}
    request = message_class("inference.ModelInferRequest")
    made = request(model_name=_NAME, inputs=[asked], raw_input_contents=[_ROW.tobytes()])
    return bytes(made.SerializeToString())


def _predict(name: str) -> bytes:
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = _NAME
    tensor = request.inputs[name]
    tensor.dtype, tensor.tensor_content = 1, _ROW.tobytes()
    for size in _ROW.shape:
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
