"""What the last ten minutes tell of memory."""

from __future__ import annotations

import numpy as np
from tfaas_plugins.metrics.families import ALL
from tfaas_plugins.metrics.figures import Counts
from tfaas_plugins.metrics.history import Sample
from tfaas_plugins.metrics.processes import LoadedModel, Look, Process


def memory(*models: LoadedModel) -> dict[str, int]:
    """Beside an HTTP worker that is process 7 and has 100 bytes."""
    nothing = Counts(np.zeros(0), dict.fromkeys(ALL, ()))
    look = Look(0.0, [Process("http_worker", 7, 100, 0.0)], list(models))
    return Sample.of(nothing, 2.0, look).memory_bytes


def loaded(name: str, version: str, pid: int, size: int) -> LoadedModel:
    return LoadedModel(name, version, "ready", pid, size, 0.0, 0)


def test_processes_of_one_version_are_added_up() -> None:
    told = memory(loaded("a", "1", 8, 10), loaded("a", "1", 9, 5), loaded("b", "2", 10, 3))
    assert told == {"http_worker": 100, "model a/1": 15, "model b/2": 3}


def test_a_process_of_several_models_is_told_once() -> None:
    shared = memory(loaded("a", "1", 8, 10), loaded("b", "1", 8, 10))
    assert sum(shared.values()) == 110
    # With isolation = "inline" the HTTP worker is that process.
    assert memory(loaded("a", "1", 7, 100)) == {"http_worker": 100}


def test_what_is_being_uploaded_is_no_version_yet() -> None:
    told = memory(loaded("a", "", 8, 10), loaded("b", "", 9, 10), loaded("a", "1", 10, 1))
    assert told == {"http_worker": 100, "uploads": 20, "model a/1": 1}
