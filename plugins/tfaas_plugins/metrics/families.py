"""Families: all metrics that there are, with their labels, and what they mean."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

_LATENCIES_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
_LONG_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_ROWS = tuple(float(1 << power) for power in range(13))


class Family(msgspec.Struct, frozen=True, eq=False):
    """A metric. ``bounds``: the upper ends of a histogram's buckets, but for the last, infinity.

    ``name`` is that of Prometheus, so a counter's ends in ``_total``.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()

    @property
    def cells(self) -> int:
        """How many numbers a series of it is: the buckets and the sum, or one."""
        return len(self.bounds) + 2 if self.bounds else 1

    @property
    def has_model(self) -> bool:
        """Whether its first label names a model."""
        return self.labels[:1] == ("model",)

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of its samples."""
        if not self.bounds:
            return (self.name,)
        return tuple(f"{self.name}_{what}" for what in ("bucket", "sum", "count"))


PREDICTIONS = Family(
    "tfaas_predictions_total",
    "counter",
    ("model", "version", "codec", "status"),
    "Requests that a codec or a protocol has read, by HTTP status.",
)
DURATIONS = Family(
    "tfaas_prediction_duration_seconds",
    "histogram",
    ("model",),
    "From the end of a prediction's head to its answer.",
    _LATENCIES_S,
)
WAITS = Family(
    "tfaas_prediction_wait_seconds",
    "histogram",
    ("model",),
    "Of that, what it waited for other runs, and was on the way to the model's process and back.",
    _LATENCIES_S,
)
RUNS = Family(
    "tfaas_prediction_run_seconds",
    "histogram",
    ("model",),
    "Of that, what the run took that answered it, which it may have shared.",
    _LATENCIES_S,
)
BATCHES = Family(
    "tfaas_batch_rows",
    "histogram",
    ("model",),
    "Rows of a run, of all requests that shared it.",
    _ROWS,
)
REQUESTS = Family(
    "tfaas_http_requests_total",
    "counter",
    ("method", "route", "status"),
    "All requests, by the pattern of their path; the route is empty if nothing is served there.",
)
RECEIVED = Family(
    "tfaas_http_request_bytes_total",
    "counter",
    (),
    "Bytes of the bodies of requests, but for those that were streamed.",
)
SENT = Family("tfaas_http_response_bytes_total", "counter", (), "Bytes of the bodies of answers.")
UPLOADS = Family(
    "tfaas_uploads_total",
    "counter",
    ("outcome",),
    "Uploads: stored, or the code of the error that was answered.",
)
UPLOAD_DURATIONS = Family(
    "tfaas_upload_duration_seconds",
    "histogram",
    (),
    "From the beginning of an upload until its version was live in all HTTP workers.",
    _LONG_S,
)
UPLOADED = Family(
    "tfaas_uploaded_bytes_total", "counter", (), "Bytes of the files of versions that were stored."
)
LOADS = Family(
    "tfaas_model_loads_total",
    "counter",
    ("model",),
    "Versions that were loaded, once for each process.",
)
LOAD_DURATIONS = Family(
    "tfaas_model_load_duration_seconds",
    "histogram",
    ("runtime",),
    "It took to start a process for a version, to load it and to warm it up.",
    _LONG_S,
)
UNLOADS = Family(
    "tfaas_model_unloads_total",
    "counter",
    ("model", "reason"),
    "Versions that were unloaded: evicted by others, or retired; and processes that were spare.",
)
CRASHES = Family(
    "tfaas_model_crashes_total",
    "counter",
    ("model",),
    "Processes that died while they held a version, or were loading one.",
)
SWITCHES = Family(
    "tfaas_model_switches_total",
    "counter",
    ("model",),
    "Times that requests, or those with a label, went to another version from then on.",
)
LAST_USED = Family(
    "tfaas_model_last_used_timestamp_seconds",
    "gauge",
    ("model",),
    "When the model was last asked, to a few seconds; in seconds since 1970.",
)
RESTARTS = Family(
    "tfaas_process_restarts_total",
    "counter",
    ("kind",),
    "Processes of the server that were started in the place of one that had died.",
)
STORAGE_DURATIONS = Family(
    "tfaas_storage_duration_seconds",
    "histogram",
    ("operation",),
    "Calls of the storage by HTTP workers; a claim, until it is had.",
    _LONG_S,
)
STORAGE_ERRORS = Family(
    "tfaas_storage_errors_total",
    "counter",
    ("operation", "code"),
    "Calls of the storage that failed, by the code of the error.",
)

KEPT = (
    *(PREDICTIONS, DURATIONS, WAITS, RUNS, BATCHES, REQUESTS, RECEIVED, SENT),
    *(UPLOADS, UPLOAD_DURATIONS, UPLOADED),
    *(LOADS, LOAD_DURATIONS, UNLOADS, CRASHES, SWITCHES, LAST_USED),
    *(RESTARTS, STORAGE_DURATIONS, STORAGE_ERRORS),
)
"""Those that are counted in shared memory, where their place in here names them."""

BUILD = Family(
    "tfaas_build_info", "gauge", ("version", "python"), "Always 1; the labels say what is running."
)
START = Family(
    "tfaas_start_time_seconds", "gauge", (), "When the server started; in seconds since 1970."
)
STORED_MODELS = Family("tfaas_models", "gauge", (), "Models that are stored.")
LOADED_MODELS = Family(
    "tfaas_loaded_versions", "gauge", ("state",), "Versions that are loading, ready or leaving."
)
MODEL_PROCESSES = Family(
    "tfaas_model_processes",
    "gauge",
    ("model", "version"),
    "Processes that are ready to answer for a loaded version.",
)
MODEL_HOSTS = Family(
    "tfaas_model_hosts",
    "gauge",
    ("model", "version"),
    "Hosts that are ready to answer for a loaded version; this machine is one.",
)
ANSWERING_HOSTS = Family(
    "tfaas_answering_hosts",
    "gauge",
    ("host",),
    "Whether another host that runs models is connected, and answers: 1, or else 0.",
)
QUEUE = Family(
    "tfaas_queue_rows",
    "gauge",
    ("model", "version"),
    "Rows that wait for a loaded version, or are in its run.",
)
MEMORY = Family(
    "tfaas_process_memory_bytes",
    "gauge",
    ("kind", "pid"),
    "Memory that would come back if the process went; those of models are not among them.",
)
CPU = Family(
    "tfaas_process_cpu_seconds_total",
    "counter",
    ("kind", "pid"),
    "CPU time of a process; those of models are not among them.",
)
MODEL_MEMORY = Family(
    "tfaas_model_memory_bytes",
    "gauge",
    ("model", "version", "pid"),
    "Memory of the process that holds a version, alone or beside others.",
)
MODEL_CPU = Family(
    "tfaas_model_cpu_seconds_total",
    "counter",
    ("model", "version", "pid"),
    "CPU time of the process that holds a version, alone or beside others.",
)

SEEN = (
    *(BUILD, START, STORED_MODELS, LOADED_MODELS, MODEL_PROCESSES, MODEL_HOSTS),
    *(ANSWERING_HOSTS, QUEUE, MEMORY, CPU, MODEL_MEMORY, MODEL_CPU),
)
"""Those that are looked at when somebody asks."""

ALL = (*KEPT, *SEEN)
