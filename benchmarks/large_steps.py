"""Where the time of a large request goes, step by step: ``python -m benchmarks.large_steps``.

Each step with the server's own code, called over and over in this process: the least CPU time of
its thread. What it takes to receive the body, to hand work to threads, to decode in another process
and to run the model is not in it; a JPEG is decoded here.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np
from tfaas_plugins.codecs.image.codec import ImageCodec
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from benchmarks import machine
from benchmarks.bodies import as_json
from benchmarks.network import FEATURES
from benchmarks.pictures import jpeg_640x480
from benchmarks.report import Report
from benchmarks.tiny_models import FEATURES as WIDTH
from tfaas_core.codec import Codec
from tfaas_core.engine.shared.frames import (
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    values_of_request,
)
from tfaas_core.engine.shared.slots import SharedSlots, new_slots
from tfaas_core.levels import as_numbers
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.predictor import fitted
from tfaas_core.route import Head
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version

_TIMES = 60
_SIZE_BYTES = 8
_DEADLINE_S = 1e9
_MOST_ROWS = 8192
_EVENT = {"input": (4500, 8), **{f"input_cat{place}": (4500, 1) for place in range(3)}}
"""As DeepMET takes it."""


class Case(msgspec.Struct, frozen=True):
    """A body, the shapes of a row of each input of the model that takes it, and of its answer."""

    name: str
    codec: Codec[Any]
    body: bytes
    media_type: str
    rows: Mapping[str, tuple[int, ...]]
    answer: tuple[int, ...] = (1,)


def cases() -> list[Case]:
    """As ``benchmarks.large`` has them, ten rows of the network, and an event of four inputs."""
    wide: Array = np.random.default_rng(1).normal(size=WIDTH).astype("<f4")
    as_packed = msgspec.msgpack.encode({"values": _packed(wide)})
    as_lists = msgspec.json.encode({"values": wide.tolist()})
    ten = as_json("vk", 10).content
    event = {
        name: np.random.default_rng(1).normal(size=(1, *row)).astype("<f4")
        for name, row in _EVENT.items()
    }
    event_packed = msgspec.msgpack.encode({"inputs": {k: _packed(v) for k, v in event.items()}})
    event_lists = msgspec.json.encode({"inputs": {k: v.tolist() for k, v in event.items()}})
    json, msgpack = JsonCodec(), MsgpackCodec()
    pictures = ImageCodec(max_pixels=10**7, max_images=1)
    return [
        Case("ten rows of 42, JSON", json, ten, "application/json", {"x": (FEATURES,)}),
        Case("36,000, packed", msgpack, as_packed, "application/msgpack", {"x": (WIDTH,)}),
        Case(
            "and as many back", msgpack, as_packed, "application/msgpack", {"x": (WIDTH,)}, (WIDTH,)
        ),
        Case("36,000, JSON", json, as_lists, "application/json", {"x": (WIDTH,)}),
        Case("an event, packed", msgpack, event_packed, "application/msgpack", _EVENT),
        Case("an event, JSON", json, event_lists, "application/json", _EVENT),
        Case(
            "JPEG to 224 x 224", pictures, jpeg_640x480(), "image/jpeg", {"x": (224, 224, 3)}, (10,)
        ),
    ]


def _packed(array: Array) -> dict[str, Any]:
    return {"dtype": "<f4", "shape": array.shape, "data": array.tobytes()}


def steps(case: Case) -> list[list[str]]:
    """The microseconds of each step, in order."""
    inputs = [TensorSpec(name, "float32", (None, *row)) for name, row in case.rows.items()]
    version = model_version(inputs, [TensorSpec("y", "float32", (None, *case.answer))])
    signature, codec, way = version.signature, case.codec, _Way(version)
    head = Head.of_type(case.media_type)
    document = codec.parse(case.body, head)
    bound = codec.bind(document, version)
    arrays = fitted(signature, bound, _MOST_ROWS, keeps_levels=True)
    outputs: list[Array] = [np.ones((bound.rows, *case.answer), np.float32)]
    calls: dict[str, Callable[[], object]] = {
        "the codec reads": partial(codec.parse, case.body, head),
        "it makes arrays": partial(codec.bind, document, version),
        "they are checked": partial(fitted, signature, bound, _MOST_ROWS, keeps_levels=True),
        "written for the model, and read there": partial(way.there, bound.rows, arrays),
        "levels become numbers there": partial(as_numbers, arrays),
        "written for the worker, and read here": partial(way.back, outputs),
        "the codec writes": partial(_written, codec, {"y": outputs[0]}, bound, document, version),
    }
    return [[case.name, name, f"{_least_us(call):.0f}"] for name, call in calls.items()]


class _Way:
    """Between the two processes, but for the socket."""

    def __init__(self, version: ModelVersion) -> None:
        self._signature, memory = version.signature, new_slots()
        self._worker = SharedSlots(os.dup(memory), is_servable=False)
        self._servable = SharedSlots(memory, is_servable=True)

    def there(self, rows: int, arrays: list[Array]) -> list[Array]:
        specs, slots = self._signature.inputs, self._worker.writer
        sent = encode_request(1, _DEADLINE_S, [rows], [arrays], specs, slots=slots)[_SIZE_BYTES:]
        return decode_request(sent, specs, values_of_request(sent, self._servable.reader)).inputs

    def back(self, outputs: list[Array]) -> list[Array]:
        specs, slots = self._signature.outputs, self._servable.writer
        sent = encode_answer(1, 0, 1, outputs, specs, slots=slots)[_SIZE_BYTES:]
        return decode_answer(sent, specs, self._worker.reader).outputs


def _written(codec: Codec[Any], *answer: Any) -> int:
    encoded = codec.encode(*answer)
    return len(encoded.body) + sum(map(len, encoded.pieces or ()))


def _least_us(call: Callable[[], object]) -> float:
    found = []
    for _ in range(_TIMES):
        begin_ns = time.thread_time_ns()
        call()
        found.append(time.thread_time_ns() - begin_ns)
    return min(found) / 1000


def main() -> int:
    """Prints a table."""
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    report.add("Steps", ["request", "step", "us"], [row for each in cases() for row in steps(each)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
