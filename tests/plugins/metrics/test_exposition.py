"""What Prometheus reads: right, and soon written, however much there is."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families
from tfaas_plugins.metrics import families as f
from tfaas_plugins.metrics.cells import AllCells, Cells
from tfaas_plugins.metrics.counting import Counting
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.exposition import Exposition, Samples, text
from tfaas_plugins.metrics.quantiles import quantile
from tfaas_plugins.metrics.shared import size_bytes

from tests.plugins.held import most_held_s
from tfaas_core.observer import Outcome
from tfaas_core.route import Response
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.visit import Visit

WORKERS = 2


class Worker:
    """What an HTTP worker has to count with."""

    def __init__(self, shared: SharedMemory, number: int) -> None:
        self.directory = Directory(shared)
        self.counting = Counting(self.directory, Cells(shared, number), lambda name: name != "no")


def memory() -> SharedMemory:
    return SharedMemory(size_bytes(WORKERS))


def answer(
    model: str, status: int = 200, duration_s: float = 0.002, request_id: str = ""
) -> Outcome:
    visit = Visit(0.0004, 0.0001, 1, 100.0, "", "json", model, 1, 1, request_id)
    request = FakeRequest.of("POST", "/json", b"0" * 40)
    request.visit = visit
    return Outcome(request, Response(status=status), "/json", 6, 100.0 + duration_s)


def scrape(shared: SharedMemory, seen: Samples = (), is_open: bool = False) -> str:
    directory, exposition, cells = Directory(shared), Exposition(), AllCells(shared)
    totals = cells.totals(directory.series, directory.next_cell)
    exemplars = cells.exemplars() if is_open else None
    return text(exposition.blocks(directory.series), totals, seen, exemplars).decode()


def parsed(said: str, is_open: bool = False) -> dict[str, Metric]:
    parse = text_string_to_metric_families
    if is_open:
        parse = open_parser.text_string_to_metric_families
    return {family.name: family for family in parse(said)}


def value(family: Metric, name: str, **labels: str) -> float:
    (found,) = [s.value for s in family.samples if s.name == name and s.labels == labels]
    return float(found)


def test_what_workers_count_is_summed() -> None:
    shared = memory()
    for number in range(WORKERS):
        worker = Worker(shared, number)
        for duration_s in (0.002, 0.2, 60.0):
            worker.counting.finished([answer("sum", duration_s=duration_s)])
    found = parsed(scrape(shared))
    labels = {"model": "sum", "version": "1", "codec": "json", "status": "200"}
    assert value(found["tfaas_predictions"], "tfaas_predictions_total", **labels) == 6
    durations, name = found["tfaas_prediction_duration_seconds"], f.DURATIONS.name
    assert value(durations, f"{name}_bucket", model="sum", le="0.0025") == 2
    assert value(durations, f"{name}_bucket", model="sum", le="0.25") == 4
    assert value(durations, f"{name}_bucket", model="sum", le="+Inf") == 6
    assert value(durations, f"{name}_count", model="sum") == 6
    assert math.isclose(value(durations, f"{name}_sum", model="sum"), 2 * 60.202)


def test_a_worker_in_the_place_of_another_goes_on_where_that_was() -> None:
    shared = memory()
    for _ in range(3):
        Worker(shared, 1).counting.finished([answer("sum")])
    found = parsed(scrape(shared))["tfaas_http_request_bytes"]
    assert value(found, "tfaas_http_request_bytes_total") == 120


def test_a_name_that_is_no_model_becomes_no_label() -> None:
    shared = memory()
    Worker(shared, 0).counting.finished([answer("no", 429)])
    assert '"no"' not in scrape(shared)
    labels = 'model="",version="",codec="json",status="429"'
    assert f"tfaas_predictions_total{{{labels}}} 1\n" in scrape(shared)


def test_open_metrics_names_the_last_request_of_a_bucket() -> None:
    shared = memory()
    worker = Worker(shared, 1)
    for request_id in ("first", "second:of/them", "x" * 119):
        worker.counting.finished([answer("sum", request_id=request_id)])
    assert "request_id" not in scrape(shared)
    found = parsed(scrape(shared, is_open=True), is_open=True)
    buckets = found[f.DURATIONS.name].samples
    (exemplar,) = [sample.exemplar for sample in buckets if sample.exemplar is not None]
    assert exemplar.labels == {"request_id": "second:of/them"}
    assert exemplar.value == 0.002
    assert abs(float(exemplar.timestamp or 0.0) - time.time()) < 600


def test_labels_are_escaped() -> None:
    shared = memory()
    strange = 'a"b\\c\nd%se'
    Worker(shared, 0).counting.finished([answer(strange)])
    for is_open in (False, True):
        seen: Samples = [(f.QUEUE, [((strange, "1"), 3.0)])]
        found = parsed(scrape(shared, seen, is_open), is_open)
        assert value(found["tfaas_queue_rows"], "tfaas_queue_rows", model=strange, version="1") == 3
        counted = found[f.DURATIONS.name]
        assert value(counted, f"{f.DURATIONS.name}_count", model=strange) == 1


def test_a_thousand_models_are_written_within_50_ms() -> None:
    shared = memory()
    for number in range(WORKERS):
        counting = Worker(shared, number).counting
        for model in range(1000):
            for status in (200, 422):
                counting.finished([answer(f"model-{model:04}", status)])
    directory, exposition, cells = Directory(shared), Exposition(), AllCells(shared)
    blocks = exposition.blocks(directory.series)
    took_s = []
    for _ in range(10):
        begin_s = time.thread_time()
        totals = cells.totals(directory.series, directory.next_cell)
        said = text(blocks, totals, ())
        took_s.append(time.thread_time() - begin_s)
    assert said.count(b"tfaas_prediction_duration_seconds_count{") == 1000
    assert min(took_s) < most_held_s()


def test_models_that_gave_their_place_back_are_told_no_more_and_others_are_counted_right() -> None:
    shared = memory()
    workers = [Worker(shared, number) for number in range(WORKERS)]
    exposition, cells = Exposition(), AllCells(shared)

    def told() -> str:
        directory = workers[0].directory
        directory.read()
        blocks = exposition.blocks(directory.series, directory.generation)
        return text(blocks, cells.totals(directory.series, directory.next_cell), ()).decode()

    for model in ("old", "stays"):
        for worker in workers:
            worker.counting.finished([answer(model)])
    assert 'tfaas_prediction_run_seconds_count{model="old"} 2\n' in told()
    assert workers[1].directory.give_back({"old"})
    assert '"old"' not in told()
    for model in ("old", "stays", "new"):
        for worker in workers:
            worker.counting.finished([answer(model)])
    for model, count in {"old": 2, "stays": 4, "new": 2}.items():
        assert f'tfaas_prediction_run_seconds_count{{model="{model}"}} {count}\n' in told()
    bytes_told = parsed(told())["tfaas_http_request_bytes"]
    assert value(bytes_told, "tfaas_http_request_bytes_total") == 10 * 40


@pytest.mark.parametrize("run_s", [0.0001, None])
def test_of_an_engine_that_tells_no_runs_each_request_is_one(run_s: float | None) -> None:
    shared = memory()
    directory = Directory(shared)
    counting = Counting(directory, Cells(shared, 0), lambda _name: True, tells_runs=False)
    for rows, status in ((1, 200), (3, 200), (5, 422), (None, 404)):
        outcome = answer("sum", status)
        visit = outcome.request.visit
        assert visit is not None
        visit.run_rows, visit.rows, visit.run_s = None, rows, run_s
        counting.finished([outcome])
    said = scrape(shared)
    assert 'tfaas_batch_rows_count{model="sum"} 2\n' in said
    assert 'tfaas_batch_rows_sum{model="sum"} 4\n' in said


def test_quantiles_lie_within_their_bucket() -> None:
    bounds: Sequence[float] = (1.0, 2.0, 4.0)
    assert quantile(0.5, np.array([0.0, 0.0, 0.0, 0.0]), bounds) is None
    assert quantile(0.5, np.array([10.0, 0.0, 10.0, 0.0]), bounds) == 1.0
    assert quantile(0.75, np.array([10.0, 0.0, 10.0, 0.0]), bounds) == 3.0
    assert quantile(0.99, np.array([1.0, 0.0, 0.0, 99.0]), bounds) == 4.0
