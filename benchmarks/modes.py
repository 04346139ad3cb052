"""MobileNetV2 and ResNet50, of random weights: a server, and TensorFlow itself in each mode.

``python -m benchmarks.modes`` writes both by Keras, uploads them to a server whose
``engine.mode`` is ``auto``, and asks it for one row by packed MessagePack, one client and eight;
``python -m benchmarks.modes ResNet50`` measures one of them. Beside it, TensorFlow computes a row
in a loop, with its own defaults, once with oneDNN and once without. All take turns. The table has
the processor time of each row, of all processes of the server, and the duration; and how much the
server has of plain TensorFlow in the better mode.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
import numpy as np
import psutil

from benchmarks.report import Report, by
from benchmarks.servers import ENVIRONMENT, ROOT, BenchmarkFailedError, Server, tfaas
from benchmarks.turns import Turns, measure, turns_of

_MODULE = "benchmarks.modes"
NETWORKS = ("MobileNetV2", "ResNet50")
_SHAPE = (1, 224, 224, 3)
LIGHT, SMALL = "light", "small"
"""Two more: a layer over every 32nd pixel, and as small as one that tells digits apart."""

_HEADER = [
    *("network", "clients", "mode", "without oneDNN", "with", "server"),
    *("of the better, by processor", "by the clock"),
]
_GOAL = 0.95
_CLIENTS = (1, 8)
_ROUNDS, _CALLS = 5, 10
_SWITCH = "TF_ENABLE_ONEDNN_OPTS"


class Cost(msgspec.Struct, frozen=True):
    """Of a row: processor time, and duration, in milliseconds."""

    processor_ms: float
    duration_ms: float


def main() -> None:
    """Prints the table."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        measure_modes(report, Path(folder) / "modes", _ROUNDS, sys.argv[1:] or NETWORKS)
    report.add_goals()


def measure_modes(report: Report, folder: Path, rounds: int, names: Sequence[str]) -> None:
    """Adds the table, and the goals. ``folder`` is a new one, for scratch."""
    folder.mkdir()
    write_networks(folder, names)
    rows: list[list[str]] = []
    with tfaas(folder / "server", {"engine.mode": "auto", "engine.tune_s": 300}) as server:
        for name in names:
            upload_network(server, name, folder / name)
            rows += _rows_of(report, server, name, folder / name, rounds)
    report.add("Large models beside TensorFlow itself", _HEADER, rows)


def _rows_of(
    report: Report, server: Server, name: str, model: Path, rounds: int
) -> Iterator[list[str]]:
    with ExitStack() as stack:
        plain = [stack.enter_context(plain_tensorflow(model, value)) for value in "01"]
        costs: list[list[Cost]] = []
        for _ in range(rounds):
            served = [_served(server, name, clients) for clients in _CLIENTS]
            costs.append([*(Cost(*each.measured()) for each in plain), *served])
    without, with_it, *servers = (medians(side) for side in zip(*costs, strict=True))
    with urlopen(f"{server.url}/models/{name}") as answer:
        mode = msgspec.json.decode(answer.read())["engine"]
    print(f"{name}: {mode['mode']}, since {mode['mode_reason']}", file=sys.stderr)
    for clients, found in zip(_CLIENTS, servers, strict=True):
        shares = [
            min(getattr(without, field), getattr(with_it, field)) / getattr(found, field)
            for field in Cost.__struct_fields__
        ]
        sides = [
            f"{each.processor_ms:.1f} ms, {each.duration_ms:.1f}"
            for each in (without, with_it, found)
        ]
        report.goal(f"{name}, {by(clients, 'client')}, of TensorFlow", shares[1], _GOAL)
        yield [name, str(clients), mode["mode"], *sides, *(f"{share:.2f}" for share in shares)]


def medians(costs: Sequence[Cost]) -> Cost:
    """Of each of its figures."""
    fields = Cost.__struct_fields__
    return Cost(*(median(getattr(cost, field) for cost in costs) for field in fields))


def upload_network(server: Server, name: str, model: Path) -> None:
    """As a bundle."""
    bundle = subprocess.run(
        ["tar", "-C", str(model.parent), "-cz", name], capture_output=True, check=True
    ).stdout
    headers = {"Content-Type": "application/gzip"}
    with urlopen(Request(f"{server.url}/upload?name={name}", bundle, headers), timeout=600):
        pass


def _served(server: Server, name: str, clients: int) -> Cost:
    row = _rows()
    packed = {"dtype": row.dtype.str, "shape": row.shape, "data": row.tobytes()}
    body = msgspec.msgpack.encode({"values": packed})
    before_s, start_s = processor_s(server), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda _: _ask(server, name, body), range(clients)))
    duration_s = time.perf_counter() - start_s
    rows = clients * _CALLS
    return Cost(
        (processor_s(server) - before_s) * 1e3 / rows,
        duration_s * 1e3 / rows,
    )


def _ask(server: Server, name: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    for _ in range(_CALLS):
        connection.request("POST", f"/models/{name}/predict/msgpack", body)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise BenchmarkFailedError(answer.read().decode(errors="replace"))
        answer.read()
    connection.close()


def processor_s(server: Server) -> float:
    parent = psutil.Process(server.pid)
    times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def plain_tensorflow(
    model: Path, onednn: str, module: str = _MODULE
) -> AbstractContextManager[Turns]:
    """TensorFlow, by ``module``, which tells what a Cost has."""
    environment = {**ENVIRONMENT, _SWITCH: onednn}
    return turns_of(module, "--compute", str(model), environment=environment)


def write_networks(folder: Path, names: Sequence[str]) -> None:
    """As SavedModels, in a process of its own: the one that measures holds no TensorFlow."""
    command = [sys.executable, "-m", _MODULE, "--write", str(folder), *names]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkFailedError(f"{_MODULE} cannot write its networks:\n{run.stderr}")


def _rows() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).random(_SHAPE, dtype=np.float32)


def _compute(model: str) -> None:
    """Measures for each line of stdin, until there are no more."""
    import tensorflow as tf

    loaded = tf.saved_model.load(model)  # it has to stay
    (name,) = loaded.signatures["serving_default"].structured_input_signature[1]
    call, row = loaded.signatures["serving_default"], tf.constant(_rows())
    measure(lambda: call(**{name: row}), _CALLS)


def _write(folder: str, names: Sequence[str]) -> None:
    import keras  # type: ignore[import-untyped]

    for name in names:
        network = _network(keras, name)
        network.export(os.path.join(folder, name), verbose=False)


def _network(keras: Any, name: str) -> Any:
    layers = keras.layers
    match name:
        case "light":
            middle = [layers.MaxPool2D(1, strides=32)]
        case "small":
            middle = [layers.Conv2D(8, 5, strides=4, activation="relu"), layers.MaxPool2D(5)]
        case _:
            return getattr(keras.applications, name)(weights=None)
    end = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input(_SHAPE[1:]), *middle, *end])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--write", folder, *names]:
            _write(folder, names)
        case ["--compute", model]:
            _compute(model)
        case _:
            main()
