"""How many cores were idle, by a made-up /proc/stat and by the machine's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tfaas_core.system.resources.cores import usable_cores
from tfaas_core.system.resources.idle_cores import IdleCores

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def stat(idle_s: float, of_others_s: float = 0.0) -> str:
    """The usable cores were idle for so long together, and one that is not for the other time."""
    first, *rest = sorted(os.sched_getaffinity(0))
    idle = [(first, idle_s), *((core, 0.0) for core in rest), (9999, of_others_s)]
    lines = [f"cpu{core} 1 2 3 {int(each * _TICKS_PER_S)} 0 6 7" for core, each in idle]
    return "\n".join(["cpu  1 2 3 4 5 6 7", *lines, "intr 5"])


def test_it_is_the_mean_of_the_usable_ones_since_the_last_time(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    cores = IdleCores(file)
    file.write_text(stat(5))
    assert cores.since(10) == 0
    file.write_text(stat(8, of_others_s=100))
    assert cores.since(12) == pytest.approx(1.5)


@pytest.mark.parametrize("text", ["", "nonsense", f"cpu{min(os.sched_getaffinity(0))} x"])
def test_a_machine_that_does_not_tell_has_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "stat"
    cores = IdleCores(file)
    for now_s in (1, 2):
        file.write_text(text)
        assert cores.since(now_s) == 0
    file.unlink()
    assert cores.since(3) == 0


def test_this_machine_tells() -> None:
    cores = IdleCores()
    begin_s = time.monotonic()
    assert cores.since(begin_s) == 0
    # Ticks of the clock may be counted late.
    assert 0 <= cores.since(begin_s + 60) <= usable_cores()
