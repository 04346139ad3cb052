"""History: how the server was in the last ten minutes, in memory that all HTTP workers share."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.figures import Counts, mean
from tfaas_plugins.metrics.processes import LoadedModel, Look
from tfaas_plugins.metrics.quantiles import quantile
from tfaas_plugins.metrics.shared import HISTORY_AT, INTERVAL_S, SAMPLE_BYTES, SAMPLES

MOST_PROCESSES = 50
"""Models whose memory is told; that of further ones is one number."""

_HEAD_BYTES = 16
_MODEL = "model "
_OTHERS = "other models"
_UPLOADS = "uploads"
_SHARES = (50, 90, 99)


class Sample(msgspec.Struct, frozen=True):
    """Some seconds. Memory is in bytes by process, a model's as ``model NAME/VERSION``."""

    time_s: float
    seconds: float
    requests: int
    predictions: int
    errors: dict[str, int]
    latency_s: tuple[float | None, ...]
    wait_s: tuple[float | None, ...]
    run_s: tuple[float | None, ...]
    batch_rows: float | None
    queue_rows: int
    memory_bytes: dict[str, int]

    @classmethod
    def of(cls, counts: Counts, seconds: float, look: Look) -> Sample:
        """``counts``: those of these seconds."""
        errors: dict[str, int] = {}
        for (_method, _route, status), cells in counts.of(f.REQUESTS):
            if status >= "400" and cells[0] > 0:
                errors[status] = errors.get(status, 0) + int(cells[0])
        return cls(
            time.time(),
            seconds,
            int(counts.sum(f.REQUESTS)[0]),
            int(counts.sum(f.PREDICTIONS)[0]),
            errors,
            _quantiles(counts, f.DURATIONS),
            _quantiles(counts, f.WAITS),
            _quantiles(counts, f.RUNS),
            mean(counts.sum(f.BATCHES)),
            sum(each.queue_rows for each in look.models),
            _memory(look),
        )


class History:
    """A ring of samples: one HTTP worker adds to it, all read it."""

    def __init__(self, memory: SharedMemory) -> None:
        self._bytes = memory.bytes

    def add(self, sample: Sample) -> None:
        """In the place of the oldest."""
        document = msgspec.json.encode(sample)
        if len(document) > SAMPLE_BYTES - _HEAD_BYTES:
            document = msgspec.json.encode(msgspec.structs.replace(sample, memory_bytes={}))
        number = _tick()
        at = HISTORY_AT + number % SAMPLES * SAMPLE_BYTES
        self._bytes[at : at + 8] = bytes(8)
        self._bytes[at + 8 : at + 16] = len(document).to_bytes(8, "little")
        self._bytes[at + 16 : at + 16 + len(document)] = document
        self._bytes[at : at + 8] = number.to_bytes(8, "little")

    def samples(self) -> list[Sample]:
        """Those of the last ten minutes, the oldest first."""
        oldest = _tick() - SAMPLES
        found = []
        for place in range(SAMPLES):
            at = HISTORY_AT + place * SAMPLE_BYTES
            number = self._bytes[at : at + 8]
            size = int.from_bytes(self._bytes[at + 8 : at + 16], "little")
            document = self._bytes[at + 16 : at + 16 + size]
            if int.from_bytes(number, "little") > oldest and self._bytes[at : at + 8] == number:
                found.append((int.from_bytes(number, "little"), document))
        return [msgspec.json.decode(document, type=Sample) for _number, document in sorted(found)]


def models_of(samples: Iterable[Sample]) -> set[str]:
    """The names of models whose memory they tell."""
    keys = {key for sample in samples for key in sample.memory_bytes}
    return {_name(key) for key in keys if key.startswith(_MODEL)}


def columns(samples: list[Sample], visible: Collection[str]) -> dict[str, Any]:
    """As ``GET /status/history`` tells them; models that are not ``visible`` are one number."""
    memory = [_visible(sample.memory_bytes, visible) for sample in samples]
    errors = sorted({status for sample in samples for status in sample.errors})
    kinds = sorted({kind for each in memory for kind in each})
    return {
        "interval_s": INTERVAL_S,
        "time_s": [round(sample.time_s, 3) for sample in samples],
        "requests_per_s": [_per_s(sample.requests, sample) for sample in samples],
        "predictions_per_s": [_per_s(sample.predictions, sample) for sample in samples],
        "errors_per_s": {
            status: [_per_s(sample.errors.get(status, 0), sample) for sample in samples]
            for status in errors
        },
        "latency_s": _by_share([sample.latency_s for sample in samples]),
        "wait_s": _by_share([sample.wait_s for sample in samples]),
        "run_s": _by_share([sample.run_s for sample in samples]),
        "batch_rows": [sample.batch_rows for sample in samples],
        "queue_rows": [sample.queue_rows for sample in samples],
        "memory_bytes": {kind: [each.get(kind) for each in memory] for kind in kinds},
    }


def _tick() -> int:
    # The same clock in all processes, which nobody sets.
    return int(time.monotonic() / INTERVAL_S)


def _quantiles(counts: Counts, family: f.Family) -> tuple[float | None, ...]:
    buckets = counts.sum(family)[:-1]
    return tuple(quantile(share / 100, buckets, family.bounds) for share in _SHARES)


def _memory(look: Look) -> dict[str, int]:
    memory: dict[str, int] = {}
    for process in look.processes:
        memory[process.kind] = memory.get(process.kind, 0) + (process.memory_bytes or 0)
    # A process may hold several, or be an HTTP worker: it is told once.
    told = {("", process.pid) for process in look.processes}
    held = {(each.host, each.pid or n): each for n, each in enumerate(look.models)}
    models = {key: each for key, each in held.items() if key not in told}
    largest = sorted(models.values(), key=lambda each: -(each.memory_bytes or 0))
    for n, each in enumerate(largest):
        key = _key(each) if n < MOST_PROCESSES else _OTHERS
        memory[key] = memory.get(key, 0) + (each.memory_bytes or 0)
    return memory


def _key(loaded: LoadedModel) -> str:
    # What is not stored yet has no number.
    return f"{_MODEL}{loaded.model}/{loaded.version}" if loaded.version else _UPLOADS


def _visible(memory: dict[str, int], visible: Collection[str]) -> dict[str, int]:
    shown: dict[str, int] = {}
    for key, size in memory.items():
        if key.startswith(_MODEL) and _name(key) not in visible:
            key = _OTHERS
        shown[key] = shown.get(key, 0) + size
    return shown


def _name(key: str) -> str:
    return key.removeprefix(_MODEL).partition("/")[0]


def _per_s(count: int, sample: Sample) -> float:
    return round(count / sample.seconds, 3)


def _by_share(values: list[tuple[float | None, ...]]) -> dict[str, list[float | None]]:
    return {f"p{share}": [each[n] for each in values] for n, share in enumerate(_SHARES)}
