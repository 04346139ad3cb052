"""Serving names: what was counted, under the names that TensorFlow Serving has for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.exposition import escaped
from tfaas_plugins.metrics.figures import Counts

_REQUESTS = ":tensorflow:serving:request_count"
_LATENCIES = {
    ":tensorflow:serving:request_latency": f.DURATIONS,
    ":tensorflow:serving:runtime_latency": f.RUNS,
}

_CODES = {
    **{"400": "INVALID_ARGUMENT", "415": "INVALID_ARGUMENT", "422": "INVALID_ARGUMENT"},
    **{"401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED", "404": "NOT_FOUND"},
    **{"413": "RESOURCE_EXHAUSTED", "429": "RESOURCE_EXHAUSTED", "507": "RESOURCE_EXHAUSTED"},
    **{"503": "UNAVAILABLE", "504": "DEADLINE_EXCEEDED"},
}
_US_PER_S = 1e6


def serving_text(counts: Counts, models: Collection[str]) -> bytes:
    """As text for Prometheus, of these models; latencies are in microseconds there."""
    return "".join([*_requests(counts, models), *_latencies(counts, models)]).encode()


def _requests(counts: Counts, models: Collection[str]) -> Iterator[str]:
    found: Counter[tuple[str, str]] = Counter()
    for (model, _version, _codec, status), cells in counts.of(f.PREDICTIONS):
        if model in models:
            found[model, _code(status)] += int(cells[0])
    yield f"# TYPE {_REQUESTS} counter\n"
    for (model, code), number in sorted(found.items()):
        yield f'{_REQUESTS}{{model_name="{escaped(model)}",status="{code}"}} {number}\n'


def _latencies(counts: Counts, models: Collection[str]) -> Iterator[str]:
    for name, family in _LATENCIES.items():
        yield f"# TYPE {name} histogram\n"
        bounds = [f"{bound * _US_PER_S:.15g}" for bound in family.bounds] + ["+Inf"]
        for (model,), cells in counts.of(family):
            if model not in models:
                continue
            own = f'model_name="{escaped(model)}"'
            buckets = cells[:-1].cumsum()
            for bound, number in zip(bounds, buckets, strict=True):
                yield f'{name}_bucket{{{own},le="{bound}"}} {number:.15g}\n'
            yield f"{name}_sum{{{own}}} {cells[-1] * _US_PER_S:.15g}\n"
            yield f"{name}_count{{{own}}} {buckets[-1]:.15g}\n"


def _code(status: str) -> str:
    return _CODES.get(status, "OK" if status < "400" else "INTERNAL")
