"""Answers are TensorFlow's own to the last bit, however rows are batched and threads chosen."""

from __future__ import annotations

import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from tfaas_backends.demo import demo_models
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.data import MODELS
from tfaas_core.engine.in_model_process.loop import ServableLoop
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.warming.warmup import Warmed, warm
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.scheduling.slow_runs import SlowRuns
from tfaas_core.engine.shared.frames import (
    AnswerFrame,
    FrameBuffer,
    decode_answer,
    encode_request,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, Signature

REAL = sorted(MODELS.glob("*.pb"))
NETWORKS = [*REAL, *(model.model for model in demo_models())]
ON_EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS, ids=lambda path: str(path.name))
ROWS = 13
MOST_ROWS = 8
THREADS = (1, 2, 4)

Run = Callable[[Sequence[Array]], list[Array]]


def inputs_of(network: Path, signature: Signature) -> list[Array]:
    """ROWS different rows, made of the two that come with a real network."""
    if network not in REAL:
        random = np.random.default_rng(1)
        shapes = [signature.row_shape(spec) or () for spec in signature.inputs]
        sizes = [(ROWS, *(size or 1 for size in shape)) for shape in shapes]
        return [random.random(size).astype(np.float32) for size in sizes]
    with np.load(network.with_suffix(".npz")) as arrays:
        samples = [arrays[f"in:{spec.name}"] for spec in signature.inputs]
    return [_varied(sample) for sample in samples]


def _varied(sample: Array) -> Array:
    rows = sample[np.arange(ROWS) % 2]
    if np.array_equal(sample, np.rint(sample)):  # categories
        return rows
    scale = 1 + np.arange(ROWS, dtype=np.float32) / 64
    return (rows * scale.reshape(-1, *[1] * (rows.ndim - 1))).astype(np.float32)


@contextmanager
def loaded(network: Path, folder: Path, threads: int) -> Iterator[tuple[Servable, Warmed]]:
    """As a model process loads it: warmed, and with ``threads = 0``, tuned."""
    servable = (
        GraphRuntime().load(network, _params(network), LoadOptions(threads))
        if network.suffix == ".pb"
        else SavedModelRuntime().load(_unpacked(network, folder), Params(), LoadOptions(threads))
    )
    try:
        yield servable, warm(servable)
    finally:
        servable.close()


def tensorflow(network: Path, folder: Path, signature: Signature, threads: int) -> Run:
    """TensorFlow itself, by a session of so many threads."""
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, use_per_session_threads=True
    )
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=config)
    fed = {spec.name: f"{spec.name}:0" for spec in signature.inputs}
    fetched = [f"{spec.name}:0" for spec in signature.outputs]
    with graph.as_default():
        if network.suffix == ".pb":
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(network.read_bytes()), name="")
        else:
            unpacked = str(_unpacked(network, folder))
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], unpacked)
            served = loaded.signature_def["serving_default"]
            fed = {name: info.name for name, info in served.inputs.items()}
            fetched = [served.outputs[spec.name].name for spec in signature.outputs]
    phases = [op.name for op in graph.get_operations() if op.name.endswith("keras_learning_phase")]

    def run(arrays: Sequence[Array]) -> list[Array]:
        named = {fed[s.name]: a for s, a in zip(signature.inputs, arrays, strict=True)}
        feeds = named | {f"{name}:0": False for name in phases}
        answers: list[Array] = session.run(fetched, feeds)
        return answers

    return run


def _params(network: Path) -> Params:
    if network in REAL:
        return Params()
    return Params.parse(network.with_suffix(".params.json").read_bytes())


def _unpacked(network: Path, folder: Path) -> Path:
    with tarfile.open(network) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path.parent for path in folder.rglob("saved_model.pb"))
    return unpacked


def bits(answers: Sequence[Array]) -> tuple[bytes, ...]:
    return tuple(np.ascontiguousarray(answer).tobytes() for answer in answers)


def answered(
    servable: Servable, warmed: Warmed, frames: Sequence[Sequence[Sequence[Array]]]
) -> list[Sequence[Array]]:
    """What the loop of a model process answers to frames of some requests each. It closes both."""
    ours, theirs = socket.socketpair()
    over = Event()
    options = LoadOptions(max_batch_rows=MOST_ROWS)
    pace = Pace("normal", SlowRuns.create())
    loop = ServableLoop([Signed(servable, warmed)], options, Meter.create(1), pace, over.set)
    loop.connect(theirs)
    loop.start()
    with ours:
        answers = [_answer(ours, requests, warmed.signature) for requests in frames]
        loop.unload()
    assert over.wait(30)
    return answers


def _answer(
    sock: socket.socket, requests: Sequence[Sequence[Array]], signature: Signature
) -> Sequence[Array]:
    rows = [len(request[0]) for request in requests]
    sock.sendall(encode_request(0, time.monotonic() + 60, rows, requests, signature.inputs))
    buffer, frames = FrameBuffer(), list[AnswerFrame]()
    while sum(frame.parts for frame in frames) < len(requests):
        for data in buffer.feed(sock.recv(1 << 18)):
            frames.append(decode_answer(data, signature.outputs))
            assert frames[-1].failure is None
    return [np.concatenate(parts) for parts in zip(*(f.outputs for f in frames), strict=True)]


@ON_EVERY_NETWORK
def test_batching_keeps_every_bit_that_tensorflow_keeps(network: Path, tmp_path: Path) -> None:
    with loaded(network, tmp_path, threads=1) as (servable, warmed):
        signature = warmed.signature
        arrays = inputs_of(network, signature)
        run = tensorflow(network, tmp_path, signature, threads=1)
        assert warmed.mergeable
        rows = [[array[i : i + 1] for array in arrays] for i in range(ROWS)]
        merged, *alone = answered(servable, warmed, [rows, *([row] for row in rows)])
    most = min(warmed.shared_rows or MOST_ROWS, MOST_ROWS)
    batches = [[array[i : i + most] for array in arrays] for i in range(0, ROWS, most)]
    whole = [np.concatenate(parts) for parts in zip(*map(run, batches), strict=True)]
    assert bits(merged) == bits(whole)
    assert list(map(bits, alone)) == [bits(run(row)) for row in rows]


@ON_EVERY_NETWORK
@pytest.mark.parametrize("threads", [0, *THREADS])
def test_the_choice_of_threads_keeps_every_bit_that_tensorflow_keeps(
    network: Path, tmp_path: Path, threads: int
) -> None:
    with loaded(network, tmp_path, threads) as (servable, warmed):
        arrays = inputs_of(network, warmed.signature)
        answers = bits(servable.run(arrays))
        runs = [tensorflow(network, tmp_path, warmed.signature, number) for number in THREADS]
        # One, where TensorFlow itself answers the same with any number of threads.
        assert answers in {bits(run(arrays)) for run in runs}
