"""MetricsApi: the routes that tell what was counted."""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfaas_core import __version__
from tfaas_core.route import Request, Response, json_response, visible_models
from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells
from tfaas_plugins.metrics.directory import OTHER, Directory
from tfaas_plugins.metrics.exposition import OPEN_METRICS, TEXT, Exposition, text, without
from tfaas_plugins.metrics.figures import Figures
from tfaas_plugins.metrics.history import History, columns, models_of
from tfaas_plugins.metrics.processes import LastLook, LoadedModel, Look
from tfaas_plugins.metrics.serving_names import serving_text
from tfaas_plugins.metrics.shared import MOST_MODELS

if TYPE_CHECKING:
    from tfaas_core.host import Host

_HEADERS = {"Cache-Control": "no-store"}

_Samples = list[tuple[tuple[str, ...], float]]


class MetricsApi:
    """Handlers over one Host."""

    def __init__(
        self, host: Host, memory: SharedMemory, directory: Directory, figures: Figures
    ) -> None:
        self._host = host
        self._figures = figures
        self._directory = directory
        self._all = AllCells(memory)
        self._history = History(memory)
        self._last_look = LastLook(memory)
        self._exposition = Exposition()
        self._turn = asyncio.Lock()
        self._writing: dict[bool, asyncio.Task[bytes]] = {}

    async def metrics(self, request: Request) -> Response:
        """``GET /metrics``: all metrics, as the text that Prometheus reads, or OpenMetrics."""
        is_open = "application/openmetrics-text" in request.headers.get("accept", "")
        await self._all.settled()
        body = await self._written(is_open)
        looked_at = {each.model for each in self._last_look.read().models}
        names = self._directory.models | looked_at - {"", OTHER}
        if hidden := names - await visible_models(request, names):
            body = await asyncio.to_thread(without, hidden, body)
        return Response(body, media_type=OPEN_METRICS if is_open else TEXT, headers=_HEADERS)

    async def serving_metrics(self, request: Request) -> Response:
        """``GET /monitoring/prometheus/metrics``: those that TensorFlow Serving has, too."""
        await self._all.settled()
        counts = self._figures.counts(self._figures.totals())
        visible = await visible_models(request, {each[0] for each, _ in counts.of(f.DURATIONS)})
        body = await asyncio.to_thread(serving_text, counts, visible - {""})
        return Response(body, media_type=TEXT, headers=_HEADERS)

    async def history(self, request: Request) -> Response:
        """``GET /status/history``: the last ten minutes."""
        samples = await asyncio.to_thread(self._history.samples)
        visible = await visible_models(request, models_of(samples))
        answer = json_response(await asyncio.to_thread(columns, samples, visible))
        return Response(answer.body, headers=_HEADERS)

    async def _written(self, is_open: bool) -> bytes:
        """Whoever asks while it is being written waits for the same."""
        task = self._writing.get(is_open)
        if task is None:
            task = self._writing[is_open] = asyncio.create_task(self._write(is_open))
            task.add_done_callback(lambda _task: self._writing.pop(is_open))
        return await asyncio.shield(task)

    async def _write(self, is_open: bool) -> bytes:
        # One after another: in a thread, what one has learnt is not in the totals of another.
        async with self._turn:
            self._directory.read()
            series, used = list(self._directory.series), self._directory.next_cell
            generation = self._directory.generation
            seen = self._seen(self._last_look.read())

            def write() -> bytes:
                blocks = self._exposition.blocks(series, generation)
                exemplars = self._all.exemplars() if is_open else None
                return text(blocks, self._all.totals(series, used), seen, exemplars)

            return await asyncio.to_thread(write)

    def _seen(self, look: Look) -> list[tuple[f.Family, _Samples]]:
        # A version may have several processes.
        versions = {(each.model, each.version, each.state) for each in look.models}
        states = Counter(state for _model, _version, state in versions)
        processes = [((each.kind, str(each.pid)), each) for each in look.processes]
        models = [(_labels(each, n), each) for n, each in enumerate(look.models)]
        hosts = {(labels[:2], each.host) for labels, each in models if _is_ready(each)}
        version = (__version__, platform.python_version())
        return [
            (f.BUILD, [(version, 1.0)]),
            (f.START, [((), look.start_s)] if look.start_s else []),
            (f.STORED_MODELS, [((), float(len(self._host.catalog.list())))]),
            (f.LOADED_MODELS, [((state,), float(n)) for state, n in states.items()]),
            (f.MODEL_PROCESSES, _summed((labels[:2], _is_ready(each)) for labels, each in models)),
            (f.MODEL_HOSTS, _summed((labels, 1.0) for labels, _host in sorted(hosts))),
            (f.ANSWERING_HOSTS, [((host,), float(is_up)) for host, is_up in look.hosts.items()]),
            (f.QUEUE, _summed((labels[:2], each.queue_rows) for labels, each in models)),
            (f.MEMORY, _summed((labels, each.memory_bytes) for labels, each in processes)),
            (f.CPU, _summed((labels, each.cpu_s) for labels, each in processes)),
            (f.MODEL_MEMORY, _summed((labels, each.memory_bytes) for labels, each in models)),
            (f.MODEL_CPU, _summed((labels, each.cpu_s) for labels, each in models)),
        ]


def _labels(loaded: LoadedModel, number: int) -> tuple[str, ...]:
    if number >= MOST_MODELS:
        return OTHER, OTHER, OTHER
    return loaded.model, loaded.version, loaded.process


def _is_ready(loaded: LoadedModel) -> float:
    return float(loaded.state == "ready")


def _summed(found: Iterable[tuple[tuple[str, ...], float | None]]) -> _Samples:
    """Each labels once; what is not known is left out."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, number in found:
        if number is not None:
            sums[labels] = sums.get(labels, 0.0) + number
    return list(sums.items())
