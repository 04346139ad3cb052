"""Metrics, a plugin: what the server has had to do, counted by all HTTP workers together, for
Prometheus at ``/metrics``, and for ``/status`` and ``/status/history``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_core.operation import OBJECT, Operation
from tfaas_core.route import Route
from tfaas_plugins.metrics.shared import size_bytes

if TYPE_CHECKING:
    from tfaas_plugins.metrics.meters import Meters

NAME = "metrics"

_METRICS = Operation(
    "what the server has done, for Prometheus",
    gives=("text/plain", "application/openmetrics-text"),
)
_HISTORY = Operation("how the server was in the last ten minutes", answer=OBJECT)


class MetricsTable(Struct, frozen=True):
    """``[plugins.metrics]``: whether and how the server counts."""

    enabled: bool = True
    """Whether requests and models are counted."""
    tensorflow_serving: bool = False
    """Whether ``/monitoring/prometheus/metrics`` has them by TensorFlow Serving's names."""
    exemplars: bool = False
    """Whether each answer has an id, so that OpenMetrics names one for each bucket of a latency;
    else only those do whose clients have sent one."""


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.metrics]``."""
    return {NAME: MetricsTable}


@hookimpl
def tfaas_register_memory(config: Config) -> Mapping[str, int]:
    """What the HTTP workers count in."""
    table: MetricsTable = config.settings(NAME)
    return {NAME: size_bytes(config.server.worker_count)} if table.enabled else {}


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Looks at the server, and keeps a history, while the worker serves."""
    table: MetricsTable = host.settings(NAME)
    if not table.enabled:
        yield
        return
    meters = host.shared[NAME] = _meters(host)
    host.figures = meters.figures
    meters.count_start()
    sampling = asyncio.create_task(meters.sampler.run())
    try:
        with meters.timing_storage():
            yield
    finally:
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """What counts."""
    table: MetricsTable = host.settings(NAME)
    return [_meters(host).counting] if table.enabled else []


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """What was counted."""
    table: MetricsTable = host.settings(NAME)
    if not table.enabled:
        return
    api = _meters(host).api
    yield Route("/metrics", ("GET",), api.metrics, operation=_METRICS)
    yield Route("/status/history", ("GET",), api.history, operation=_HISTORY)
    if table.tensorflow_serving:
        path = "/monitoring/prometheus/metrics"
        yield Route(path, ("GET",), api.serving_metrics, operation=_METRICS)


def _meters(host: Host) -> Meters:
    """Those of the worker; a host at rest has new ones each time."""
    # The parent imports this module, too, and has no use for what counts.
    from tfaas_plugins.metrics.meters import Meters

    table: MetricsTable = host.settings(NAME)
    return host.shared.get(NAME) or Meters(host, host.memory[NAME], table.exemplars)
