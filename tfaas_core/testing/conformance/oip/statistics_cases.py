"""Cases: the extension for statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfaas_core.testing.conformance.case import Expectation, Group, probe
from tfaas_core.testing.conformance.exchange import changed, get
from tfaas_core.testing.conformance.expect import OK, REFUSED, grows, json_where, refuses
from tfaas_core.testing.conformance.models import AFFINE, PAIR
from tfaas_core.testing.conformance.oip.asks import affine, infer

_statistics = Group("oip.statistics", "statistics")
_STATS = changed(get(f"/v2/models/{AFFINE}/versions/1/stats"), model=AFFINE, version="1")
_KINDS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


def _only(document: Any) -> Any:
    (found,) = document["model_stats"]
    return found


def _counts(document: Any) -> bool:
    kinds = _only(document)["inference_stats"]
    numbers = [kinds[kind][part] for kind in _KINDS for part in ("count", "ns")]
    return all(type(number) is int and number >= 0 for number in numbers)


def _grows(words: str, number: Callable[[Any], Any], by: int) -> Expectation:
    return grows(words, lambda document: number(_only(document)), by)


_ROWS = probe(affine(1, 2, 3, 4, 5, 6, version=1), OK)

STATISTICS_CASES = (
    _statistics.must(
        "version",
        "A version's statistics are one entry, with its name and its version.",
        _STATS,
        OK,
        json_where(
            "one entry, of version '1'",
            lambda d: (_only(d)["name"], _only(d)["version"]) == (AFFINE, "1"),
        ),
    ),
    _statistics.must(
        "counts",
        f"An entry counts, and measures in nanoseconds, {', '.join(_KINDS)}.",
        _STATS,
        OK,
        json_where("numbers count and ns of each", _counts),
    ),
    _statistics.should(
        "cache",
        "An entry has cache_hit and cache_miss, too.",
        _STATS,
        OK,
        json_where(
            "count and ns of both",
            lambda d: all(
                _only(d)["inference_stats"][kind].keys() >= {"count", "ns"}
                for kind in ("cache_hit", "cache_miss")
            ),
        ),
    ),
    _statistics.must(
        "success",
        "A request that was answered counts as a success.",
        probe(_STATS, OK),
        _ROWS,
        probe(
            _STATS, OK, _grows("one more", lambda e: e["inference_stats"]["success"]["count"], 1)
        ),
    ),
    _statistics.should(
        "success_time",
        "The time of a request that was answered counts, too.",
        probe(_STATS, OK),
        _ROWS,
        probe(
            _STATS, OK, _grows("a longer time", lambda e: e["inference_stats"]["success"]["ns"], 1)
        ),
    ),
    _statistics.must(
        "inferences",
        "inference_count counts rows.",
        probe(_STATS, OK),
        _ROWS,
        probe(_STATS, OK, _grows("two more", lambda e: e["inference_count"], 2)),
    ),
    _statistics.must(
        "executions",
        "execution_count counts runs.",
        probe(_STATS, OK),
        _ROWS,
        probe(_STATS, OK, _grows("one more", lambda e: e["execution_count"], 1)),
    ),
    _statistics.should(
        "failures",
        "A request that was refused, once its model was known, counts as a failure.",
        probe(_STATS, OK),
        probe(infer(AFFINE, version=1), REFUSED),
        probe(_STATS, OK, _grows("one more", lambda e: e["inference_stats"]["fail"]["count"], 1)),
    ),
    _statistics.must(
        "last_inference",
        "last_inference is in milliseconds since 1970.",
        probe(_STATS, OK),
        _ROWS,
        probe(
            _STATS,
            OK,
            json_where(
                "a time after 2020", lambda d: _only(d)["last_inference"] > 1_577_836_800_000
            ),
        ),
    ),
    _statistics.must(
        "model",
        "A model's statistics have an entry for each version.",
        changed(get(f"/v2/models/{AFFINE}/stats"), model=AFFINE),
        OK,
        json_where(
            "version '1' among them", lambda d: "1" in {e["version"] for e in d["model_stats"]}
        ),
    ),
    _statistics.must(
        "all",
        "There are statistics of all models.",
        changed(get("/v2/models/stats"), model=PAIR),
        OK,
        json_where(
            "the models among them", lambda d: PAIR in {e["name"] for e in d["model_stats"]}
        ),
    ),
    _statistics.must(
        "unknown_model",
        "Statistics of a model that is not there are refused.",
        get("/v2/models/conformance_unknown/stats"),
        *refuses(),
    ),
)
