"""The contract suites pass what is right, and fail what is wrong where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.core.testing.outcomes import Outcomes, outcomes_of
from tests.core.testing.wrong import (
    codec_answers,
    codec_calls,
    codec_requests,
    endless_codecs,
    engines,
    guards,
    leased_storages,
    read_only_storages,
    renewing_guards,
    runtimes,
    servables,
    storages,
)

MODULES: list[ModuleType] = [
    *(codec_requests, codec_answers, codec_calls, endless_codecs),
    *(storages, leased_storages, read_only_storages, runtimes, servables),
    *(guards, renewing_guards, engines),
]
"""Each has the wrong ones in ``WRONG``, with the test that must fail, and tests of all of them."""

RIGHT = "TestRight"

CASES = [(module, wrong) for module in MODULES for wrong in module.WRONG]


@pytest.fixture(scope="module")
def outcomes() -> Callable[[ModuleType], Outcomes]:
    @cache
    def of(module: ModuleType) -> Outcomes:
        tests = [f"Test{wrong.__name__}::{test}" for wrong, test in module.WRONG.items()]
        right = [RIGHT] if hasattr(module, RIGHT) else []
        return outcomes_of(Path(str(module.__file__)), [*right, *tests])

    return of


@pytest.mark.parametrize(
    "module", [m for m in MODULES if hasattr(m, RIGHT)], ids=lambda m: m.__name__
)
def test_what_is_right_passes(
    module: ModuleType, outcomes: Callable[[ModuleType], Outcomes]
) -> None:
    assert set(outcomes(module)[RIGHT].values()) == {"PASSED"}


@pytest.mark.parametrize(("module", "wrong"), CASES, ids=[wrong.__name__ for _, wrong in CASES])
def test_what_is_wrong_fails_where_it_is_wrong(
    module: ModuleType, wrong: type, outcomes: Callable[[ModuleType], Outcomes]
) -> None:
    assert outcomes(module)[f"Test{wrong.__name__}"][module.WRONG[wrong]] == "FAILED"
