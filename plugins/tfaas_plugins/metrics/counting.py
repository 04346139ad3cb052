"""Counting: the observer that counts what it is told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import msgspec

from tfaas_core.events import (
    ModelCrashed,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import Answered, Observer
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import Cells
from tfaas_plugins.metrics.directory import NOWHERE, OTHER, Directory

_UPLOADS = ("/upload", "/bundle")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_MOST_PLACES = 20_000

_LATENCIES_S = f.DURATIONS.bounds
_SUM = len(_LATENCIES_S) + 1
_ROWS = f.BATCHES.bounds
_ROWS_SUM = len(_ROWS) + 1


class _Places(msgspec.Struct, frozen=True, gc=False):
    """The cells where an answer is counted; those of a prediction are NOWHERE if it is none."""

    request: int
    prediction: int
    durations: int
    waits: int
    runs: int
    batches: int


class Counting(Observer):
    """Counts in the cells of its worker.

    ``is_model`` tells whether a model of this name is stored: others never become a label.
    """

    def __init__(self, directory: Directory, cells: Cells, is_model: Callable[[str], bool]) -> None:
        self._directory = directory
        self._cells = cells
        self._counts, self._sums = cells.counts, cells.sums
        self._is_model = is_model
        self._places: dict[tuple[str, str, str, int | None, str, int], _Places] = {}
        self._received = directory.find(f.RECEIVED)
        self._sent = directory.find(f.SENT)

    def answered(self, answer: Answered) -> None:
        """Counts it; this is on the way of every request."""
        model, codec = answer.model, answer.codec
        key = (answer.route, answer.method, model, answer.version, codec, answer.status)
        places = self._places.get(key) or self._found(answer, key)
        counts, sums = self._counts, self._sums
        counts[places.request] += 1
        counts[self._received] += answer.request_bytes or 0
        counts[self._sent] += answer.answer_bytes
        if not codec:
            if answer.route in _UPLOADS:
                self._uploaded(answer)
            return
        counts[places.prediction] += 1
        duration_s, at = answer.duration_s, places.durations
        bucket = at + bisect_left(_LATENCIES_S, duration_s)
        counts[bucket] += 1
        sums[at + _SUM] += duration_s
        if answer.request_id:
            self._cells.exemplify(bucket, duration_s, answer.request_id)
        run_s = answer.run_s
        if run_s is None:
            return
        at, wait_s = places.waits, answer.wait_s or 0.0
        counts[at + bisect_left(_LATENCIES_S, wait_s)] += 1
        sums[at + _SUM] += wait_s
        at = places.runs
        counts[at + bisect_left(_LATENCIES_S, run_s)] += 1
        sums[at + _SUM] += run_s

    def uploaded(self, event: ModelUploaded) -> None:
        """Counts it, as all methods here do."""
        self._observe(f.UPLOAD_DURATIONS, event.duration_s)
        self._count(f.UPLOADED, by=event.size_bytes)

    def switched(self, event: ModelSwitched) -> None:
        self._count(f.SWITCHES, event.model)

    def loaded(self, event: ModelLoaded) -> None:
        self._count(f.LOADS, event.model)
        self._observe(f.LOAD_DURATIONS, event.duration_s, event.runtime)

    def unloaded(self, event: ModelUnloaded) -> None:
        self._count(f.UNLOADS, event.model, event.reason)

    def crashed(self, event: ModelCrashed) -> None:
        # An upload's name is its client's, and may never be a model.
        self._count(f.CRASHES, event.model if event.version is not None else "")

    def restarted(self, kind: str) -> None:
        """A process was started in the place of one that had died."""
        self._count(f.RESTARTS, kind)

    def used(self, model: str, time_s: float) -> None:
        """A model was last asked at ``time_s``, in seconds since 1970."""
        at = self._directory.find(f.LAST_USED, model)
        self._sums[at] = max(self._sums[at], time_s)

    def stored(self, operation: str, duration_s: float, code: str) -> None:
        """The storage was asked; ``code`` is that of its error, empty if there is none."""
        self._observe(f.STORAGE_DURATIONS, duration_s, operation)
        if code:
            self._count(f.STORAGE_ERRORS, operation, code)

    def _uploaded(self, answer: Answered) -> None:
        self._count(f.UPLOADS, answer.code or ("stored" if answer.status < 400 else "refused"))

    def _count(self, family: f.Family, *labels: str, by: int = 1) -> None:
        self._counts[self._directory.find(family, *labels)] += by

    def _observe(self, family: f.Family, value: float, *labels: str) -> None:
        at = self._directory.find(family, *labels)
        self._counts[at + bisect_left(family.bounds, value)] += 1
        self._sums[at + family.cells - 1] += value

    def _found(self, answer: Answered, key: tuple[str, str, str, int | None, str, int]) -> _Places:
        name = answer.model
        is_known = name != "" and self._is_model(name)
        places = self._made(answer, name if is_known else "")
        # What clients make up is not kept, nor what found no place, and may find one the next time.
        if (is_known or name == "") and answer.method in _METHODS and places.request != NOWHERE:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            self._places[key] = places
        return places

    def _made(self, answer: Answered, model: str) -> _Places:
        find, status = self._directory.find, str(answer.status)
        method = answer.method if answer.method in _METHODS else OTHER
        request = find(f.REQUESTS, method, answer.route, status)
        if not answer.codec:
            return _Places(request, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)
        version = str(answer.version) if model and answer.version is not None else ""
        return _Places(
            request,
            find(f.PREDICTIONS, model, version, answer.codec, status),
            *(find(each, model) for each in (f.DURATIONS, f.WAITS, f.RUNS, f.BATCHES)),
        )
