"""Processes of this project that measure whenever it is their turn, beside servers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from benchmarks.servers import ENVIRONMENT, ROOT, BenchmarkFailedError


class Turns:
    """Such a process, which waits for its turn."""

    def __init__(self, module: str, process: subprocess.Popen[str]) -> None:
        self._module, self._process = module, process

    def measured(self) -> list[float]:
        """The figures that it finds now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkFailedError(f"{self._module} has ended")
        return [float(figure) for figure in line.split()]


@contextmanager
def turns_of(
    module: str, *arguments: str, environment: Mapping[str, str] = ENVIRONMENT
) -> Iterator[Turns]:
    """Starts ``python -m module``, which prints a line of figures for each line that it reads.

    It has measured once, so that all is loaded. It ends with the block.
    """
    command, pipe = [sys.executable, "-m", module, *arguments], subprocess.PIPE
    # In a session of its own, as the servers are: those share the cores evenly.
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=pipe,
        stdout=pipe,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            turns = Turns(module, process)
            turns.measured()
            yield turns
        finally:
            process.kill()


def measure(work: Callable[[], object], times: int) -> None:
    """In such a process: for each line of stdin, does ``work`` so many times, and prints of one the
    milliseconds of processor time, and by the clock."""
    for _ in sys.stdin:
        before_s, start_s = time.process_time(), time.perf_counter()
        for _ in range(times):
            work()
        told = (time.process_time() - before_s, time.perf_counter() - start_s)
        print(*(each * 1e3 / times for each in told), flush=True)
