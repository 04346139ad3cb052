"""The micro benchmarks (``test_*.py`` in this folder), run by pytest-benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.servers import ROOT, BenchmarkFailedError

_QUICK = ("--benchmark-max-time=0.05", "--benchmark-min-rounds=3", "--benchmark-warmup=off")


def rows(folder: Path, quick: bool) -> list[list[str]]:
    """Group, name and median microseconds of each. ``folder`` is for scratch."""
    report = folder / "micro.json"
    command = [sys.executable, "-m", "pytest", "benchmarks", "--benchmark-only", "-q"]
    command += [f"--benchmark-json={report}", *(_QUICK if quick else ())]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkFailedError(f"the micro benchmarks failed:\n{run.stdout}{run.stderr}")
    document: dict[str, Any] = msgspec.json.decode(report.read_bytes())
    return [_row(benchmark) for benchmark in document["benchmarks"]]


def _row(benchmark: dict[str, Any]) -> list[str]:
    name = benchmark["name"].removeprefix("test_").replace("_", " ")
    return [benchmark["group"] or "", name, f"{benchmark['stats']['median'] * 1e6:.1f}"]
