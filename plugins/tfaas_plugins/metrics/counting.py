"""Counting: the observer that counts what it is told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

import msgspec

from tfaas_core.events import (
    ModelCrashed,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.observer import Answered, Observer, Outcome
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import Cells
from tfaas_plugins.metrics.directory import NOWHERE, OTHER, Directory

_UPLOADS = ("/upload", "/bundle")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_MOST_PLACES = 20_000

_LATENCIES_S = f.DURATIONS.bounds
_EDGES_S = (*_LATENCIES_S, inf)
_ROWS_EDGES = (*f.BATCHES.bounds, inf)
_Number = TypeVar("_Number", int, float)


class _Places(msgspec.Struct, frozen=True, gc=False):
    """The cells where an answer is counted; those of a prediction are NOWHERE if it is none."""

    request: int = NOWHERE
    prediction: int = NOWHERE
    durations: int = NOWHERE
    waits: int = NOWHERE
    runs: int = NOWHERE
    batches: int = NOWHERE


_Key = tuple[str, str, str, int | None, str, int]
"""The route, the method, the model, the version, the codec and the status."""

_NO_KEY: _Key = "", "", "", None, "", 0

_Group = tuple[_Places, list[float], list[float], list[float], list[int]]
"""Answers with the same key: where they are counted, how long each of them took, has waited, and
run, and the rows of the runs that they stand for."""


class Counting(Observer):
    """Counts in the cells of its worker.

    ``is_model`` tells whether a model of this name is stored: others never become a label.
    ``tells_runs``: see Engine.
    """

    def __init__(
        self,
        directory: Directory,
        cells: Cells,
        is_model: Callable[[str], bool],
        tells_runs: bool = True,
    ) -> None:
        self._directory = directory
        self._generation = directory.newest
        self._cells = cells
        self._counts, self._sums = cells.counts, cells.sums
        self._is_model = is_model
        self._tells_runs = tells_runs
        self._places: dict[_Key, _Places] = {}
        self._received = self._sent = NOWHERE

    def untold(self) -> None:
        """Whoever asks now for what was counted waits for ``finished``."""
        self._cells.owe()

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        """Counts them. This is on the way of every request: those that are alike, as most of them
        are, are counted together."""
        if self._generation != self._directory.newest:
            # Some models' places are for others now.
            self._places.clear()
            self._generation = self._directory.newest
        groups: dict[_Key, _Group] = {}
        last, tells_runs = _NO_KEY, self._tells_runs
        received = sent = 0
        for outcome in outcomes:
            request = outcome.request
            visit, head, status = request.visit, request.head, outcome.response.status
            assert visit is not None
            key = outcome.route, head.method, visit.model, visit.version, visit.codec, status
            if key != last:
                last, group = key, groups.get(key)
                if group is None:
                    group = groups[key] = self._places_of(key), [], [], [], []
                places, durations_s, waits_s, runs_s, runs_rows = group
            received += len(request.body)
            sent += outcome.answer_bytes
            durations_s.append(outcome.end_s - visit.begin_s)
            if visit.run_s is not None:
                waits_s.append(visit.wait_s or 0.0)
                runs_s.append(visit.run_s)
            if visit.run_rows is not None:
                runs_rows.append(visit.run_rows)
            elif not tells_runs and status < 400 and visit.rows is not None:
                runs_rows.append(visit.rows)
            if visit.request_id and visit.codec:
                bucket = places.durations + bisect_left(_LATENCIES_S, durations_s[-1])
                self._cells.exemplify(bucket, durations_s[-1], visit.request_id)
        for key, group in groups.items():
            self._answered(key[4], *group)
        self._count_bytes(received, sent)
        self._cells.settle()

    def audited(self, answer: Answered) -> None:
        """Counts it if it is an upload."""
        if answer.route in _UPLOADS:
            outcome = answer.code or ("stored" if answer.status < 400 else "refused")
            self._count(f.UPLOADS, outcome)

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

    def _answered(
        self,
        codec: str,
        places: _Places,
        durations_s: list[float],
        waits_s: list[float],
        runs_s: list[float],
        runs_rows: list[int],
    ) -> None:
        """Counts answers that are alike."""
        self._counts[places.request] += len(durations_s)
        if not codec:
            return
        self._counts[places.prediction] += len(durations_s)
        self._distribute(durations_s, _EDGES_S, places.durations)
        if runs_s:
            self._distribute(waits_s, _EDGES_S, places.waits)
            self._distribute(runs_s, _EDGES_S, places.runs)
        if runs_rows:
            self._distribute(runs_rows, _ROWS_EDGES, places.batches)

    def _distribute(self, values: list[_Number], edges: tuple[float, ...], at: int) -> None:
        """Counts ``values`` in the histogram whose cells begin ``at``, by the ``edges`` of buckets,
        in a few steps for each bucket, and not for each of them."""
        counts, number, begin = self._counts, len(values), 0
        values.sort()
        while begin < number:
            bucket = bisect_left(edges, values[begin])
            end = bisect_right(values, edges[bucket], begin)
            counts[at + bucket] += end - begin
            begin = end
        self._sums[at + len(edges)] += sum(values)

    def _count_bytes(self, received: int, sent: int) -> None:
        if NOWHERE in (self._received, self._sent):
            self._received = self._directory.find(f.RECEIVED)
            self._sent = self._directory.find(f.SENT)
        self._counts[self._received] += received
        self._counts[self._sent] += sent

    def _count(self, family: f.Family, *labels: str, by: int = 1) -> None:
        self._counts[self._directory.find(family, *labels)] += by

    def _observe(self, family: f.Family, value: float, *labels: str) -> None:
        at = self._directory.find(family, *labels)
        self._counts[at + bisect_left(family.bounds, value)] += 1
        self._sums[at + family.cells - 1] += value

    def _places_of(self, key: _Key) -> _Places:
        return self._places.get(key) or self._found(key)

    def _found(self, key: _Key) -> _Places:
        route, method, name, version, codec, status = key
        is_known = name != "" and self._is_model(name)
        find, model = self._directory.find, name if is_known else ""
        request = find(f.REQUESTS, method if method in _METHODS else OTHER, route, str(status))
        places = _Places(request)
        if codec:
            number = str(version) if is_known and version is not None else ""
            places = _Places(
                request,
                find(f.PREDICTIONS, model, number, codec, str(status)),
                *(find(each, model) for each in (f.DURATIONS, f.WAITS, f.RUNS, f.BATCHES)),
            )
        # What clients make up is not kept, nor what found no place, and may find one the next time.
        found = msgspec.structs.astuple(places) if codec else (request,)
        if (is_known or name == "") and method in _METHODS and NOWHERE not in found:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            self._places[key] = places
        return places


class NamingCounting(Counting):
    """Has each answer named, so that any may be an exemplar."""

    needs_request_ids = True
