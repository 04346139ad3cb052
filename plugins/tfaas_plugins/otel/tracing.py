"""Tracing: the observer that makes spans of what requests have gone through."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from tfaas_core import __version__
from tfaas_core.observer import Observer, Outcome
from tfaas_core.route import Request
from tfaas_core.steps import Step
from tfaas_core.visit import Visit

_TRACES = "/v1/traces"
_SEND_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 5.0
_LONGEST = 500
"""Of what a client says, in characters."""

_FIELDS = TraceContextTextMapPropagator()

# What reads the two fields warns of each that is wrong: any client could fill the log.
logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)


class Tracing(Observer):
    """Follows the requests that are drawn, or whose clients trace them.

    A thread sends what is finished; what is more than it can send is left out.
    """

    def __init__(
        self,
        endpoint: str,
        headers: dict[str, str],
        service: str,
        sample: float,
        trusts_clients: bool,
    ) -> None:
        base = endpoint.rstrip("/")
        self._url = base if base.endswith(_TRACES) else base + _TRACES
        self._headers = headers
        self._sample = sample
        self._trusts_clients = trusts_clients
        about = {"service.name": service, "service.version": __version__}
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(about), shutdown_on_exit=False
        )
        self._tracer = self._provider.get_tracer("tfaas", __version__)

    def start(self) -> None:
        """Begins to send. Called once, in an HTTP worker."""
        exporter = OTLPSpanExporter(
            endpoint=self._url, headers=self._headers, timeout=_SEND_TIMEOUT_S
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))

    def close(self) -> None:
        """Sends what is left, for some seconds; it blocks meanwhile."""
        self._provider.force_flush(int(_CLOSE_TIMEOUT_S * 1000))
        self._provider.shutdown()

    def begun(self, request: Request) -> None:
        """Decides whether it is followed."""
        parent = get_current_span(self._parent(request)).get_span_context()
        is_followed = (
            parent.trace_flags.sampled if parent.is_valid else random.random() < self._sample
        )
        visit = request.visit
        if is_followed and visit is not None and visit.steps is None:
            visit.steps = []

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        """Makes spans of those that were followed."""
        for outcome in outcomes:
            visit = outcome.request.visit
            if visit is not None and visit.steps is not None:
                self._trace(outcome, visit, visit.steps)

    def _parent(self, request: Request) -> Context:
        sent = request.head.headers.get("traceparent") if self._trusts_clients else None
        if sent is None:
            return Context()
        state = request.head.headers.get("tracestate", "")
        return _FIELDS.extract({"traceparent": sent, "tracestate": state}, Context())

    def _trace(self, outcome: Outcome, visit: Visit, steps: list[Step]) -> None:
        # Spans have the time of day, and everything else a clock that nobody sets.
        day_ns = time.time_ns() - time.monotonic_ns()

        def at(seconds: float) -> int:
            return int(seconds * 1e9) + day_ns

        request = outcome.request
        span = self._tracer.start_span(
            f"{request.head.method[:_LONGEST]} {outcome.route}".rstrip(),
            self._parent(request),
            SpanKind.SERVER,
            dict(_attributes(outcome, visit)),
            start_time=at(visit.begin_s),
        )
        inside = set_span_in_context(span, Context())
        steps = [*steps, *_last(outcome, visit, steps)]
        for each in (*steps, *_of_run(outcome, visit, steps)):
            part = self._tracer.start_span(each.name, inside, start_time=at(each.begin_s))
            part.end(at(each.end_s))
        if outcome.response.status >= 500 or outcome.is_cut:
            span.set_status(Status(StatusCode.ERROR))
        span.end(at(outcome.end_s))


def _attributes(outcome: Outcome, visit: Visit) -> Iterator[tuple[str, Any]]:
    request, status = outcome.request, outcome.response.status
    yield "http.request.method", request.head.method[:_LONGEST]
    yield "url.path", request.head.raw_path[:_LONGEST]
    yield "url.scheme", request.head.scheme
    yield "http.route", outcome.route
    yield "http.response.status_code", status
    yield "http.response.body.size", outcome.answer_bytes
    yield "client.address", request.client.ip
    if status >= 500:
        yield "error.type", str(status)
    known = {
        "tfaas.model": visit.model[:_LONGEST],
        "tfaas.version": visit.version,
        "tfaas.codec": visit.codec,
        "tfaas.rows": visit.rows,
        "tfaas.run_rows": visit.run_rows,
        "tfaas.request_id": visit.request_id,
        "enduser.id": visit.identity,
    }
    yield from ((name, value) for name, value in known.items() if value not in ("", None))


def _last(outcome: Outcome, visit: Visit, steps: Sequence[Step]) -> Iterator[Step]:
    """What a protocol was at when it answered; of codecs, each call is known."""
    if not visit.codec or not visit.since_s:
        return
    known = {each.name for each in steps}
    name = next((each for each in ("parse", "bind") if each not in known), "encode")
    if name != "encode" or outcome.response.status < 400:
        yield Step(name, visit.since_s, outcome.end_s)


def _of_run(outcome: Outcome, visit: Visit, steps: Sequence[Step]) -> Iterator[Step]:
    """What it was with its model: it waits from its bind on, and then runs."""
    if visit.run_s is None or visit.wait_s is None:
        return
    bound_s = [each.end_s for each in steps if each.name == "bind"]
    encoding_s = [each.begin_s for each in steps if each.name == "encode"]
    end_s = encoding_s[0] if encoding_s else outcome.end_s
    begin_s = bound_s[-1] if bound_s else end_s - visit.wait_s - visit.run_s
    yield Step("queue", begin_s, begin_s + visit.wait_s)
    yield Step("run", begin_s + visit.wait_s, begin_s + visit.wait_s + visit.run_s)
