"""Who says with how many threads a model is run."""

from __future__ import annotations

import pytest

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.shared.mode import Mode, with_threads
from tfaas_core.runtime import LoadOptions


@pytest.mark.parametrize(
    ("params", "configured", "found", "threads"),
    [({"threads": 3}, 2, 1, 3), ({}, 2, 1, 2), ({}, 0, 1, 1), ({}, 0, 0, 0)],
)
def test_params_come_before_the_configuration_and_that_before_what_was_found_out(
    params: dict[str, int], configured: int, found: int, threads: int
) -> None:
    candidate = Candidate("sum", "sum/1", "fake", "", params)
    options = with_threads(LoadOptions(configured), candidate, Mode(threads=found))
    assert options.threads == threads


@pytest.mark.parametrize(
    ("params", "configured", "rows"), [({"shared_rows": 3}, 2, 3), ({}, 2, 2), ({}, 0, 0)]
)
def test_the_params_say_how_many_rows_share_a_run_before_the_configuration(
    params: dict[str, int], configured: int, rows: int
) -> None:
    candidate = Candidate("vk", "vk-1", "fake", "/nowhere", params)
    options = with_threads(LoadOptions(shared_rows=configured), candidate, Mode())
    assert options.shared_rows == rows
