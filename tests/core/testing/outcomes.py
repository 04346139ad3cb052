"""What pytest says of the tests of a file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tfaas_core.routing import guard_wait
from tfaas_core.testing import waiting

Outcomes: TypeAlias = dict[str, dict[str, str]]
"""``PASSED``, ``FAILED`` and the like by the class and the function of a test.

Of a test with parameters, that is the worst one.
"""

_ROOT = Path(__file__).parents[3]
_PATIENCE_S = 2.0
_LINE = re.compile(r"(PASSED|FAILED|ERROR) \S+::(\w+)::(\w+)")


def outcomes_of(file: Path, tests: Iterable[str]) -> Outcomes:
    """Runs tests of a file that is no part of the tests, in a process of its own.

    ``tests`` are like ``TestRows`` or ``TestRows::test_a_row``.
    """
    names = [f"{file}::{test}" for test in tests]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-qq", "-rA", "--tb=no", "-p", "no:cacheprovider"),
            *("-o", f"python_files={file.name}", f"--rootdir={_ROOT}", *names),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    return _read(run.stdout.splitlines())


def _read(lines: Iterable[str]) -> Outcomes:
    outcomes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for line in lines:
        if found := _LINE.match(line):
            outcome, name, test = found.groups()
            if outcomes[name].get(test, "PASSED") == "PASSED":
                outcomes[name][test] = outcome
    return dict(outcomes)


def add_tests(
    module: dict[str, Any], suite: type, variable: str, wrong: Mapping[type, str]
) -> None:
    """Adds ``TestNAME`` to a module for each of the wrong: the suite, with it in ``variable``.

    What never comes is not waited for as long as what may be late.
    """
    added = {"__module__": module["__name__"], "_is_impatient": _is_impatient}
    for kind in wrong:
        name = f"Test{kind.__name__}"
        module[name] = type(name, (suite,), {variable: kind, **added})


@pytest.fixture(autouse=True)
def _is_impatient(_self: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "USUAL_WAIT_S", _PATIENCE_S)
    monkeypatch.setattr(guard_wait, "GUARD_LIMIT_S", _PATIENCE_S)
