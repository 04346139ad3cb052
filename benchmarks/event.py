"""One large row through a server, and through TensorFlow itself: ``FILE.pb``, a frozen graph.

``python -m benchmarks.event FILE.pb``, beside which ``FILE.npz`` has arrays ``in:NODE``, one for
each input, and one ``out:NODE``: the first row is asked by packed MessagePack and by JSON, over 1
and 8 connections. Beside it, TensorFlow computes that row in a loop, with its own defaults, with
oneDNN and without; and in a third process, simdjson parses the JSON body in a loop. All take turns.
The goals: 0.8 of plain TensorFlow by MessagePack, and by JSON 0.7 of parsing and TensorFlow, one
after the other.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np

from benchmarks import network
from benchmarks.bodies import Body
from benchmarks.modes import plain_tensorflow, processor_s
from benchmarks.report import Report, by
from benchmarks.servers import Server, tfaas
from benchmarks.turns import Turns, measure, turns_of
from benchmarks.wrk import Load, drive
from tfaas_core.tensors import Array

_MODULE, _NAME = "benchmarks.event", "event"
_ROUNDS, _SECONDS, _CALLS = 5, 2, 40
_CONNECTIONS = (1, 8)
_PACKED, _LISTS = "MessagePack, packed", "JSON"
_GOALS = {_PACKED: 0.8, _LISTS: 0.7}
_HEADER = ["body", "connections", "TensorFlow", "parsing", "server", "of the loops"]


def main(file: Path) -> None:
    """Prints the table."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        measure_row(report, file, Path(folder) / "server", _ROUNDS, _SECONDS)
    report.add_goals()


def measure_row(report: Report, file: Path, storage: Path, rounds: int, seconds: int) -> None:
    """Adds the table, of milliseconds a row, of the processor and by the clock; and the goals."""
    row = _row(file)
    bodies = {_PACKED: _packed(row), _LISTS: _json(row)}
    cells: list[list[str]] = []
    with ExitStack() as stack:
        server = stack.enter_context(tfaas(storage))
        with network.client(server.url) as to:
            network.upload_graph(to, _NAME, file)
        plain = [stack.enter_context(plain_tensorflow(file, value, _MODULE)) for value in "01"]
        parsing = stack.enter_context(turns_of(_MODULE, "--parse", str(file)))
        for name, body in bodies.items():
            read = parsing if name == _LISTS else None
            for connections in _CONNECTIONS:
                load = Load([body], connections)
                found = _rounds(server, load, plain, read, rounds, seconds)
                shares = [(found[0][at] + found[1][at]) / found[2][at] for at in (0, 1)]
                told = (f"{cpu:.2f}, {clock:.2f}" for cpu, clock in (*found, shares))
                cells.append([name, str(connections), *told])
                what = f"a row of {file.stem}, {name}, {by(connections)}, of TensorFlow"
                report.goal(what + (" and parsing" if read else ""), shares[1], _GOALS[name])
    report.add("A large row beside TensorFlow itself", _HEADER, cells)


def _rounds(
    server: Server,
    load: Load,
    plain: list[Turns],
    parsing: Turns | None,
    count: int,
    seconds: int,
) -> list[list[float]]:
    """Milliseconds of the processor and by the clock: of TensorFlow, parsing, and the server."""
    rounds: list[tuple[list[float], list[float], list[float]]] = []
    drive(server, load, 1)
    for _ in range(count):
        before_s = processor_s(server)
        driven = drive(server, load, seconds)
        cpu_ms = (processor_s(server) - before_s) * 1e3 / driven.requests
        served = [cpu_ms, 1e3 / driven.requests_per_s]
        best = min((each.measured() for each in plain), key=lambda found: found[1])
        rounds.append((best, parsing.measured() if parsing else [0.0, 0.0], served))
    return [[median(each[side][at] for each in rounds) for at in (0, 1)] for side in range(3)]


def _row(file: Path) -> dict[str, Array]:
    with np.load(file.with_suffix(".npz")) as arrays:
        found = {name: arrays[name] for name in arrays.files if name.startswith("in:")}
    return {name.removeprefix("in:"): array[:1].astype("<f4") for name, array in found.items()}


def _packed(row: dict[str, Array]) -> Body:
    packed = {
        name: {"dtype": "<f4", "shape": array.shape, "data": array.tobytes()}
        for name, array in row.items()
    }
    path = f"/models/{_NAME}/predict/msgpack"
    return Body(path, "application/msgpack", msgspec.msgpack.encode({"inputs": packed}), 1)


def _json(row: dict[str, Array]) -> Body:
    lists = {name: array.tolist() for name, array in row.items()}
    path = f"/models/{_NAME}/predict/json"
    return Body(path, "application/json", msgspec.json.encode({"inputs": lists}), 1)


def _compute(file: Path) -> None:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    row = _row(file)
    definition = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    with np.load(file.with_suffix(".npz")) as arrays:
        (output,) = [name for name in arrays.files if name.startswith("out:")]
    names = [f"{name}:0" for name in row]
    session = tf.compat.v1.Session(graph=graph)
    call = session.make_callable(f"{output.removeprefix('out:')}:0", names)
    measure(lambda: call(*row.values()), _CALLS)


def _parse(file: Path) -> None:
    from simdjson import Parser

    body, parser = _json(_row(file)).content, Parser()

    def parse() -> None:
        parsed: Any = parser.parse(body)
        inputs = parsed["inputs"]
        for name in inputs:
            np.frombuffer(inputs[name].as_buffer(of_type="d")).astype("f4")

    measure(parse, _CALLS)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--compute", file]:
            _compute(Path(file))
        case ["--parse", file]:
            _parse(Path(file))
        case [file]:
            main(Path(file))
        case _:
            sys.exit("python -m benchmarks.event FILE.pb, with FILE.npz beside it")
