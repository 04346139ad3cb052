"""Where the time of one request goes: each step alone, with the server's own code.

The request is one row of the network by JSON. ``python -m benchmarks.steps FOLDER`` measures, in a
process of its own, since it needs TensorFlow, and prints the median microseconds of each step as
JSON. The folder is for scratch.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import msgspec
from tfaas_plugins.codecs.json.codec import JsonCodec

from benchmarks import round_trips
from benchmarks.bodies import as_json
from benchmarks.network import NAME, demo_model
from benchmarks.round_trips import Cores
from benchmarks.servers import ROOT, BenchmarkFailedError, Server
from benchmarks.wrk import Load, drive
from tfaas_core.codec import MODEL_HEADER
from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from tfaas_core.http.express import ExpressLane
from tfaas_core.http.express_answers import answer_bytes
from tfaas_core.http.router import Router
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.predict.catalog import Catalog
from tfaas_core.route import ClientAddress, Request, Response, Route
from tfaas_core.routing.seam import sealed
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.models import model_version

HEADER = ["step", "process", "µs", "share of p50"]
_BATCHES = 200
_BATCH = 20
_DEADLINE_S = 1e9
_WORKER, _MODEL = "HTTP worker", "model"

_T = TypeVar("_T")


class Step(msgspec.Struct, frozen=True):
    """One step of a request, and what it takes."""

    name: str
    process: str
    us: float


def rows(tfaas: Server, seconds: int, folder: Path) -> list[list[str]]:
    """The cells below HEADER: every step, their sum, and what remains of the p50 that wrk sees.

    ``tfaas`` serves the network, and is asked for so long before and after. ``folder`` is a new
    one, for scratch.
    """
    load = Load([as_json(NAME, 1)], 1)
    before = drive(tfaas, load, seconds)
    steps = _measured_apart(folder)
    after = drive(tfaas, load, seconds)
    p50_us = (before.p50_us + after.p50_us) / 2
    total_us = sum(step.us for step in steps)
    steps += [
        Step("all of these", "", total_us),
        Step("anything else", "", p50_us - total_us),
        Step("p50 at one connection, by wrk", "", p50_us),
    ]
    return [[s.name, s.process, f"{s.us:.1f}", f"{s.us / p50_us:.1%}"] for s in steps]


def _measured_apart(folder: Path) -> list[Step]:
    command = [sys.executable, "-m", "benchmarks.steps", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkFailedError(f"the steps of a request cannot be measured:\n{run.stderr}")
    return msgspec.json.decode(run.stdout.splitlines()[-1], type=list[Step])


class _Steps:
    """The steps so far. ``of`` measures one, and gives what it gave for the next."""

    def __init__(self) -> None:
        self.found: list[Step] = []

    def of(self, name: str, process: str, work: Callable[..., _T], *arguments: Any) -> _T:
        for _ in range(_BATCH):
            result = work(*arguments)
        self.found.append(Step(name, process, _median_us(work, *arguments)))
        return result

    def put(self, name: str, process: str, us: float) -> None:
        self.found.append(Step(name, process, us))


def measure(folder: Path) -> list[Step]:
    """Every step, in order. ``folder`` is for scratch."""
    codec, servable, steps = JsonCodec(), _servable(), _Steps()
    version = _version(servable)
    inputs, outputs = version.signature.inputs, version.signature.outputs
    route = sealed(Route("/json", ("POST",), _handler, express=True))
    lane = ExpressLane(Router([route]), 1 << 30)
    catalog = _catalog(folder, version)

    asked = steps.of("HTTP head read", _WORKER, lane.request, _on_the_wire(), ClientAddress())
    assert asked is not None
    usual = steps.of("`codec.usual`", _WORKER, partial(codec.usual, asked.body, asked.head))
    plan = codec.usual_plan(version)
    assert plan is not None
    assert usual is not None
    steps.of("catalog looked up", _WORKER, lambda: catalog.model(NAME).live)
    arrays = steps.of("`plan.inputs`", _WORKER, plan.inputs, usual)
    assert arrays is not None
    request = partial(encode_request, 1, _DEADLINE_S, [1], [arrays], inputs)
    frame = steps.of("frame of the request encoded", _WORKER, request)

    decoded = steps.of("frame decoded", _MODEL, lambda: decode_request(_cut(frame), inputs))
    ran = steps.of("TensorFlow", _MODEL, servable.run, decoded.inputs)
    answer = steps.of("frame of the answer encoded", _MODEL, encode_answer, 1, 0, 1, ran, outputs)

    got = steps.of("frame decoded", _WORKER, lambda: decode_answer(_cut(answer), outputs))
    written = steps.of("`plan.answer`", _WORKER, plan.answer, got.outputs, 0, 1, usual)
    response = Response(written, headers={MODEL_HEADER: version.reference})
    sent = steps.of("bytes of the answer", _WORKER, answer_bytes, response, True)

    _add_round_trips(steps, frame, answer, sent, version)
    servable.close()
    return steps.found


def _add_round_trips(
    steps: _Steps, frame: bytes, answer: bytes, sent: bytes, version: ModelVersion
) -> None:
    """By TCP with both ends on one core, and what it adds where each wake-up is of another one."""
    same, different = Cores.same(), Cores.different()
    signature, wire = version.signature, _on_the_wire()
    frames_us = sum(
        step.us for step in steps.found if step.process == _MODEL and "frame" in step.name
    )
    unix_us = round_trips.unix_us(frame, answer, same)
    loop_us = round_trips.servable_loop_us(frame, answer, same, signature)
    rest_us = max(0.0, loop_us - unix_us - frames_us)
    steps.put("received, merged, split and metered: the rest of its loop", _MODEL, rest_us)
    steps.put("turns of the event loop", _WORKER, _turns_us())
    polled_us = round_trips.polled_us(frame, answer, different)
    steps.put("Unix socket: round trip, both ends polling", "HTTP worker, model", polled_us)
    tcp_us = round_trips.tcp_us(wire, sent, same)
    far_us = round_trips.tcp_us(wire, sent, different)
    steps.put("TCP: round trip", "client, HTTP worker", tcp_us)
    steps.put("waking another core instead, both ways", "client, HTTP worker", far_us - tcp_us)


def _cut(frame: bytes) -> bytes:
    (body,) = FrameBuffer().feed(frame)
    return body


def _on_the_wire() -> bytes:
    """The request as wrk sends it."""
    body = as_json(NAME, 1)
    head = f"POST {body.path} HTTP/1.1\r\nHost: 127.0.0.1:8083\r\n"
    head += f"Content-Type: {body.media_type}\r\nContent-Length: {len(body.content)}\r\n\r\n"
    return head.encode() + body.content


def _servable() -> Servable:
    from tfaas_backends.runtimes.graph.servable import load_graph

    model = demo_model("particles")
    assert model.params is not None
    params = Params.of(msgspec.json.decode(model.params.read_bytes()))
    return load_graph(model.model, params, LoadOptions(threads=1))


def _version(servable: Servable) -> ModelVersion:
    signature = servable.signature
    return model_version(signature.inputs, signature.outputs, name=NAME)


def _catalog(folder: Path, version: ModelVersion) -> Catalog:
    storage = FakeStorage(folder)
    storage.open()
    with storage.claim(version.name) as claim:
        storage.commit(claim, storage.stage(), version)
    catalog = Catalog(storage, "", lambda gone: None, _make_ready)
    asyncio.run(catalog.load())
    return catalog


async def _make_ready(old: ModelVersion, new: ModelVersion) -> None:
    raise AssertionError("nobody calls it")


async def _handler(request: Request) -> Response:
    raise AssertionError("nobody calls it")


def _turns_us() -> float:
    """Two turns of the event loop, over uvloop: until the frame is sent, and until its answer is
    dealt out."""

    async def measured() -> float:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        durations_s: list[float] = []
        start_s = 0.0

        def begin() -> None:
            nonlocal start_s
            start_s = time.perf_counter()
            loop.call_soon(loop.call_soon, end)

        def end() -> None:
            durations_s.append(time.perf_counter() - start_s)
            if len(durations_s) < _BATCHES * _BATCH:
                begin()
            else:
                done.set()

        begin()
        await done.wait()
        return median(durations_s) * 1e6

    return round_trips.over_uvloop(measured())


def _median_us(work: Callable[..., object], *arguments: Any) -> float:
    """Of calls in small batches, since a look at the clock takes a while, too."""
    durations_s = []
    for _ in range(_BATCHES):
        start_s = time.perf_counter()
        for _ in range(_BATCH):
            work(*arguments)
        durations_s.append((time.perf_counter() - start_s) / _BATCH)
    return median(durations_s) * 1e6


if __name__ == "__main__":
    print(msgspec.json.encode(measure(Path(sys.argv[1]))).decode())
